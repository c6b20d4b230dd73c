/** HTML that is known to be well-formed: made by the tag below, or written by us. */
export class SafeHtml {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for element content and quoted attributes. Control characters that HTML cannot carry are dropped. */
export function escapeHtml(text: string): string {
  return [...text]
    .filter((character) => character >= ' ' || character === '\n' || character === '\t')
    .join('')
    .replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

/** Escapes every inserted string and number; inserts SafeHtml as it is. */
export function html(parts: TemplateStringsArray, ...values: readonly (string | number | SafeHtml)[]): SafeHtml {
  const inserted = values.map((value) => (value instanceof SafeHtml ? value.text : escapeHtml(String(value))));
  return new SafeHtml(parts.map((part, index) => part + (inserted[index] ?? '')).join(''));
}

/** Text of our own that is HTML already. */
export function raw(text: string): SafeHtml {
  return new SafeHtml(text);
}

export function join(parts: readonly SafeHtml[]): SafeHtml {
  return new SafeHtml(parts.map((part) => part.text).join(''));
}
