import type { Excerpt } from './check';

const mask = '***';

/** Lines and encoded forms of shorter values would hit too much innocent text. */
const shortestDerivedForm = 8;

/** The forms in which a value may come back in an answer: as it is, line by line, in JSON, in a URL, in base64. */
function formsOf(secret: string): string[] {
  const trimmed = secret.trim();
  const derived = [
    ...trimmed.split(/\r\n|\r|\n/),
    JSON.stringify(trimmed).slice(1, -1),
    encodeURIComponent(trimmed),
    Buffer.from(trimmed).toString('base64'),
  ];
  return [secret, trimmed, ...derived.filter((form) => form.length >= shortestDerivedForm)];
}

/** A function that replaces every form of every secret. Longer forms go first, so that no rest of one stays behind. */
export function maskerOf(secrets: readonly string[]): (text: string) => string {
  const forms = [...new Set(secrets.flatMap(formsOf))]
    .filter((form) => form !== '')
    .sort((one, other) => other.length - one.length);
  return (text) => forms.reduce((masked, form) => masked.replaceAll(form, mask), text);
}

/** Without colours, cursor movements and other control characters; line ends and tabs stay. */
export function printable(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are what is removed here
      .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
  );
}

const omitted = '…';

/** At most `maxBytes` bytes of UTF-8, an ellipsis included where something was left out. */
export function shorten({ text, keep }: Excerpt, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const room = maxBytes - Buffer.byteLength(omitted);
  if (keep === 'start') {
    let end = room;
    while (end > 0 && isContinuation(bytes[end])) end -= 1;
    return bytes.toString('utf8', 0, end) + omitted;
  }
  let start = bytes.length - room;
  while (start < bytes.length && isContinuation(bytes[start])) start += 1;
  return omitted + bytes.toString('utf8', start);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
