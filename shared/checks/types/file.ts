import * as z from 'zod';
import { quote } from '../../host/quote';
import { owner, rule } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import { type CheckType, suiteInvalid } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, hostSelection, milliseconds } from '../fields';
import { askHost } from '../hosts/ask-host';
import { type FileExpectation, fileQuestion, judgeFile, parseFile } from '../hosts/file-facts';
import { onEachHost } from '../hosts/on-each-host';
import { hostPath } from '../hosts/path';
import { once } from '../once';
import { fill, valuesFor } from '../placeholders';

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('file').describe('Looks at a file or folder, on every chosen host.'),
      ...commonShape,
      ...hostSelection,
      path: hostPath.describe('Absolute path; a symbolic link stands for what it leads to.'),
      exists: z.boolean().default(true).describe('false: nothing may be there.'),
      kind: z.enum(['file', 'directory']).optional().describe('What it must be.'),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/, rule('a checksum has 64 digits of 0-9 and a-f, as sha256sum prints it'))
        .optional()
        .describe('SHA-256 that its content must have.'),
      owner: owner.optional().describe('User, or user:group, that it must belong to.'),
      mode: z
        .string()
        .regex(/^[0-7]{3,4}$/, rule('a mode is three or four octal digits in quotes, such as "0640"'))
        .optional()
        .describe('Permissions that it must have, in octal and in quotes, such as "0640".'),
      'min-size': z.int().min(1).optional().describe('Bytes that it must have at least.'),
      'max-age': milliseconds('1s', '87600h').optional().describe('Longest time since it was written.'),
    })
    .superRefine(({ path }, context) =>
      checkPlaceholders(context, [{ path: ['path'], text: path, kind: 'text' }], true),
    ),
);
type FileSpec = z.output<ReturnType<typeof schema>>;

export const fileCheck: CheckType<FileSpec> = {
  type: 'file',
  category: 'system',
  schema,
  bind: (spec, environment) => {
    requireSense(spec);
    return onEachHost(spec, environment, (host, context) => prepare(spec, host, context));
  },
};

function requireSense(spec: FileSpec): void {
  const asked = (['kind', 'sha256', 'owner', 'mode', 'min-size', 'max-age'] as const).find(
    (key) => spec[key] !== undefined,
  );
  if (spec.exists || asked === undefined) return;
  throw suiteInvalid(
    `Health check "${spec.name}" asks for the ${asked} of a file that may not exist.`,
    `Remove ${asked}, or remove "exists: false".`,
  );
}

function expectationOf(spec: FileSpec): FileExpectation {
  return {
    exists: spec.exists,
    kind: spec.kind ?? null,
    owner: spec.owner ?? null,
    mode: spec.mode?.padStart(4, '0') ?? null,
    sha256: spec.sha256 ?? null,
    minBytes: spec['min-size'] ?? null,
    maxAgeSeconds: spec['max-age'] === undefined ? null : spec['max-age'] / 1000,
  };
}

function prepare(spec: FileSpec, host: HostProbe, context: CheckContext): PreparedCheck {
  const path = fill(spec.path, valuesFor(host, context));
  const expected = expectationOf(spec);
  const withSum = expected.sha256 !== null;
  const question = {
    command: fileQuestion(path, withSum),
    program: 'stat',
    whereFrom: 'Install coreutils on the host.',
  };
  return {
    target: path,
    expected: describe(expected),
    reproduce: `stat -L ${quote(path)}${withSum ? `; sha256sum ${quote(path)}` : ''}`,
    attempt: async (attempt) => {
      const { stdout } = await askHost(host, question, attempt);
      return judgeFile(path, parseFile(host.host, path, stdout, withSum), expected);
    },
  };
}

function describe({ exists, kind, owner: belongsTo, mode, sha256, minBytes, maxAgeSeconds }: FileExpectation): string {
  if (!exists) return 'nothing there';
  return [
    `a ${kind ?? 'file or folder'}`,
    ...(sha256 === null ? [] : [`SHA-256 ${sha256}`]),
    ...(belongsTo === null ? [] : [`owner ${belongsTo}`]),
    ...(mode === null ? [] : [`mode ${mode}`]),
    ...(minBytes === null ? [] : [`at least ${minBytes} bytes`]),
    ...(maxAgeSeconds === null ? [] : [`written at most ${maxAgeSeconds} s ago`]),
  ].join(', ');
}
