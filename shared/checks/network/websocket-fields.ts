import * as z from 'zod';
import { describeText, textMismatches } from '../expectations';
import { textShape } from '../fields';
import { jsonExpectation, jsonTexts, jsonValue } from '../http-json-field';
import { describeJson, type JsonExpectation, jsonMismatches } from '../json-expectations';
import { fill, type PlaceholderValues } from '../placeholders';

const messageSchema = z.strictObject({
  frame: z.enum(['text', 'binary']).optional().describe('Kind of the message. Default: either.'),
  ...textShape,
  json: z
    .record(z.string().min(1), jsonValue)
    .optional()
    .describe('Path into the JSON message, such as type, and what is right there.'),
});

/** What must happen after the request to upgrade. */
export const expectationSchema = z
  .strictObject({
    status: z
      .int()
      .min(100)
      .max(599)
      .default(101)
      .describe('Status of the answer. Default: 101; another one, such as 401, means that the server must refuse.'),
    message: messageSchema.optional().describe('What the first message of the server must be.'),
    close: z
      .int()
      .min(1000)
      .max(4999)
      .optional()
      .describe('Code with which the server must close the connection, such as 1008 or 4401.'),
  })
  .superRefine(({ status, message, close }, context) => {
    const issue = (path: string, text: string) => context.addIssue({ code: 'custom', path: [path], message: text });
    if (status !== 101 && message !== undefined) issue('message', 'there is none where the server must refuse');
    if (status !== 101 && close !== undefined) issue('close', 'there is none where the server must refuse');
    if (message !== undefined && close !== undefined) issue('close', 'give either message or close');
  });
type ExpectationSpec = z.output<typeof expectationSchema>;

/** With its placeholders filled in. */
export interface WebSocketExpectation {
  status: number;
  close: number | undefined;
  message: MessageExpectation | undefined;
}

interface MessageExpectation {
  frame: 'text' | 'binary' | undefined;
  contains: readonly string[];
  excludes: readonly string[];
  matches: string | undefined;
  json: Record<string, JsonExpectation>;
}

export function expectationTexts({ message }: ExpectationSpec): { path: PropertyKey[]; text: string }[] {
  const at = (...path: PropertyKey[]) => ['expect', 'message', ...path];
  return [
    ...(message?.contains ?? []).map((text) => ({ path: at('contains'), text })),
    ...(message?.excludes ?? []).map((text) => ({ path: at('excludes'), text })),
    ...Object.entries(message?.json ?? {}).flatMap(([path, value]) =>
      jsonTexts(value).map((text) => ({ path: at('json', path), text })),
    ),
  ];
}

/** @throws SafeguardError `placeholder-without-value` */
export function fillExpectation(spec: ExpectationSpec, values: PlaceholderValues): WebSocketExpectation {
  const { status, close, message } = spec;
  if (message === undefined) return { status, close, message };
  const filled = (text: string) => fill(text, values);
  return {
    status,
    close,
    message: {
      frame: message.frame,
      contains: message.contains?.map(filled) ?? [],
      excludes: message.excludes?.map(filled) ?? [],
      matches: message.matches,
      json: Object.fromEntries(
        Object.entries(message.json ?? {}).map(([path, value]) => [path, jsonExpectation(value, filled)]),
      ),
    },
  };
}

export function describeMessage(message: MessageExpectation): string[] {
  const words = [...describeText('a first message', message), ...describeJson(message.json)];
  const first = message.frame === undefined ? 'a first message' : `a first ${message.frame} message`;
  return message.frame === undefined && words.length > 0 ? words : [first, ...words];
}

/** Sentences for what the first message has else than expected. `now`: milliseconds since 1970. */
export function messageMismatches(
  found: { frame: 'text' | 'binary'; text: string },
  expect: MessageExpectation,
  now: number,
): string[] {
  const wrongFrame = expect.frame !== undefined && expect.frame !== found.frame;
  return [
    ...(wrongFrame ? [`a first ${found.frame} message`] : []),
    ...textMismatches('a first message', found.text, expect),
    ...(Object.keys(expect.json).length === 0 || isJson(found.text)
      ? jsonMismatches(found.text, expect.json, now)
      : ['a first message that is not JSON']),
  ];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
