import * as z from 'zod';
import { durationMs, durationPattern } from './duration';
import { folderProblem } from './paths';
import { show } from './text';

/** Error parameter for a zod rule: shows the value and says the rule. */
export function rule(text: string): { error: (issue: { input?: unknown }) => string } {
  return { error: (issue) => `${show(issue.input)} is not allowed: ${text}` };
}

/** Names end up as file names and as keys; only digits would lose their place in the order of a JavaScript object. */
export const namePattern = /^(?![0-9]+$)[a-z0-9][a-z0-9._-]{0,62}$/;
export const nameRule =
  'a name has 1 to 63 characters, starts with a lower-case letter or a digit, holds only lower-case letters, digits and . _ -, and is not a bare number';

export const name = z.string().regex(namePattern, {
  error: (issue) => {
    const lower = String(issue.input).toLowerCase();
    const hint = namePattern.test(lower) ? ` (write it as "${lower}")` : '';
    return `${show(issue.input)} is not allowed${hint}: ${nameRule}`;
  },
});

/** Shell text or another free value that must say something. */
export const text = z.string().regex(/\S/, { error: () => 'must not be empty' });

/** Addresses and users reach the command line of other programs on the way, so nothing in them may pass for an option. */
export const address = z
  .string()
  .regex(
    /^[A-Za-z0-9_.:[\]][A-Za-z0-9_.:%[\]-]*$/,
    rule('an address is a host name or an IP address without white space, user@ or path, and does not start with -'),
  );

export const user = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}\$?$/,
    rule('a user holds only letters, digits and _ . @ + -, and does not start with -'),
  );

export const owner = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/,
    rule('write user or user:group, with letters, digits and _ . -'),
  );

export const port = z.int().min(1).max(65535);

const hostKeyLine = z
  .string()
  .regex(
    /^\s*(ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]+\s+[A-Za-z0-9+/]+=*(\s.*)?$/,
    rule(
      'a host key is what ssh-keyscan prints behind the address, such as "ssh-ed25519 AAAA…"; a fingerprint is not enough',
    ),
  );

export const hostKeys = z.union([hostKeyLine, z.array(hostKeyLine).min(1)]);

export const secretNames = z.array(
  z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]*$/,
      rule('name an environment variable of the action: letters, digits and _, not starting with a digit'),
    ),
);

export const unit = z
  .string()
  .regex(
    /^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$/,
    rule('a unit is a systemd unit name such as "backend" or "backend.service", without a path or a wildcard'),
  );

/** A file name of its own directly below a component's root. */
export const fileName = z
  .string()
  .regex(
    /^(?!(?:\.{1,2}|current|releases)$)[A-Za-z0-9._][A-Za-z0-9._-]{0,127}$/,
    rule('give a plain file name (letters, digits and . _ -) other than current and releases'),
  );

export const folder = z.string().superRefine((path, context) => {
  const problem = folderProblem(path);
  if (problem !== null) context.addIssue({ code: 'custom', message: `${show(path)} ${problem}` });
});

export interface DurationRange {
  /** Durations such as `2s`. */
  min: string;
  max: string;
  /** Whole seconds only: a POSIX shell on the host counts them. */
  wholeSeconds?: boolean;
}

/** A duration as text, within a range. A JSON Schema can only hold the pattern; its comment says the range to people. */
export function duration(range: DurationRange) {
  return z
    .string({ error: durationTypeError })
    .regex(durationPattern, rule('a duration is a whole number and a unit: 500ms, 10s, 2m or 1h'))
    .superRefine((value, context) => {
      if (!durationPattern.test(value)) return;
      const milliseconds = durationMs(value);
      if (milliseconds < durationMs(range.min) || milliseconds > durationMs(range.max)) {
        context.addIssue({
          code: 'custom',
          message: `${value} is out of range: allowed are ${range.min} to ${range.max}`,
        });
      } else if (range.wholeSeconds === true && milliseconds % 1000 !== 0) {
        context.addIssue({ code: 'custom', message: `${value} is not a whole number of seconds` });
      }
    })
    .meta({ $comment: `${range.min} to ${range.max}` });
}

function durationTypeError(issue: { input?: unknown }): string | undefined {
  if (typeof issue.input !== 'number') return undefined;
  return `${issue.input} lacks its unit: write 500ms, 10s, 2m or 1h`;
}
