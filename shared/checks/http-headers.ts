import * as z from 'zod';
import { SafeguardError } from '../errors';
import { quote } from '../host/quote';
import type { CheckContext } from './context';
import { templated } from './fields';
import { headerName } from './http-header-field';
import type { TravelHeader } from './http-redirect';
import { fillAround, type Piece, type PlaceholderValues, reveal, secretValues, type TextKind } from './placeholders';

const secretPlaceholder = '$' + '{secret.NAME}';

/** Headers that a check sends. */
export const requestHeaders = z
  .record(headerName, templated)
  .default({})
  .describe(`Headers of the request; secrets as ${secretPlaceholder}.`);

export function headerPlaceholders(headers: Readonly<Record<string, string>>) {
  return Object.entries(headers).map(([name, text]) => ({
    path: ['headers', name] as PropertyKey[],
    text,
    kind: 'secret' as TextKind,
  }));
}

/** A text that may hold secrets: to send, and to ask with by hand. */
export interface Sendable {
  value: string;
  /** Values of the secrets in it. */
  secrets: string[];
  /** A shell word that means the same, with secrets as variables of their names. */
  byHand: string;
}

/** @throws SafeguardError `placeholder-without-value`, `secret-missing` */
export function sendableText(text: string, values: PlaceholderValues, context: CheckContext): Sendable {
  const pieces = fillAround(text, values);
  const names = pieces.flatMap((piece) => ('secret' in piece ? [piece.secret] : []));
  const secrets = secretValues(names, context);
  return { value: reveal(pieces, secrets), secrets: Object.values(secrets), byHand: shellWord(pieces) };
}

export interface SendableHeader extends TravelHeader {
  secrets: string[];
  /** `-H 'name: value'` */
  curl: string;
}

/** @throws SafeguardError `placeholder-without-value`, `secret-missing`, `header-invalid` */
export function sendableHeaders(
  headers: Readonly<Record<string, string>>,
  values: PlaceholderValues,
  context: CheckContext,
): SendableHeader[] {
  return Object.entries(headers).map(([name, text]) => {
    const { value, secrets, byHand } = sendableText(text, values, context);
    const curl = `-H ${quote(`${name}: `)}${byHand}`;
    return { name, value: carried(name, value), confidential: secrets.length > 0, secrets, curl };
  });
}

/** A header's value, refused where HTTP cannot carry it: most often a line end behind a pasted secret. */
function carried(name: string, value: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  throw new SafeguardError(`no data: the value of the header ${name} holds a character that HTTP does not allow`, {
    fault: 'configuration',
    code: 'header-invalid',
    remedy: 'Correct the header, or store its secret again without a line end behind it.',
  });
}

function shellWord(pieces: readonly Piece[]): string {
  return pieces.map((piece) => ('secret' in piece ? `"$${piece.secret}"` : quote(piece.text))).join('') || "''";
}
