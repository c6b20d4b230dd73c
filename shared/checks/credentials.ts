import * as z from 'zod';
import type { CheckContext } from './context';
import { templated } from './fields';
import { fillAround, type PlaceholderValues, reveal, secretValues } from './placeholders';

const placeholder = '$' + '{secret.NAME}';

/** A password or token of a suite file: a text with secrets in it, never one written out. */
export const credential = templated.regex(/\$\{secret\.[A-Za-z_][A-Za-z0-9_]*\}/, {
  error: `must come from the environment of the action: write ${placeholder}`,
});

export interface Credential {
  value: string;
  /** Secret values in it, which the results must not show. */
  secrets: string[];
  /** A shell word that means the same by hand: `"$NAME"`. */
  byHand: string;
}

/** @throws SafeguardError `secret-missing` */
export function credentialOf(text: string, values: PlaceholderValues, context: CheckContext): Credential {
  const pieces = fillAround(text, values);
  const names = pieces.flatMap((piece) => ('secret' in piece ? [piece.secret] : []));
  const secrets = secretValues(names, context);
  return {
    value: reveal(pieces, secrets),
    secrets: Object.values(secrets),
    byHand: `"${pieces.map((piece) => ('secret' in piece ? `$${piece.secret}` : piece.text)).join('')}"`,
  };
}

/** For clients that can speak TLS: `true`, or what they need besides. The certificate is always verified. */
export const tlsField = z
  .union([
    z.literal(true),
    z.strictObject({
      ca: z.string().min(1).optional().describe('PEM file on the runner with the authority of the certificate.'),
      'server-name': z.string().min(1).optional().describe('Name that the certificate must be for. Default: the host.'),
    }),
  ])
  .optional()
  .describe('Speak TLS, and verify the certificate. Default: do not.');
