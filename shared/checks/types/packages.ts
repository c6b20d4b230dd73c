import * as z from 'zod';
import { rule } from '../../manifest/fields';
import type { PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { HostProbe } from '../context';
import { commonShape, hostSelection } from '../fields';
import { askHost } from '../hosts/ask-host';
import { onEachHost } from '../hosts/on-each-host';
import { parseBounds } from '../hosts/package-versions';
import { judgePackages, packagesQuestion, parsePackages } from '../hosts/packages';
import { once } from '../once';

const packageName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9.+_-]*$/, rule('a package is named as dpkg or rpm do, without its architecture'));

const expectation = z
  .string()
  .refine(
    (text) => text === 'present' || text === 'absent' || parseBounds(text) !== null,
    rule('write present, absent, or bounds such as ">= 15.4 < 16" or "= 15.10"'),
  );

const schema = once(() =>
  z.strictObject({
    type: z
      .literal('packages')
      .describe('Looks on every chosen host which versions of packages dpkg or rpm has installed.'),
    ...commonShape,
    ...hostSelection,
    packages: z
      .record(packageName, expectation)
      .refine((packages) => Object.keys(packages).length > 0, { error: () => 'name at least one package' })
      .describe('Names of packages, and for each: present, absent, or bounds of its version such as ">= 15.4 < 16".'),
  }),
);
type PackagesSpec = z.output<ReturnType<typeof schema>>;

export const packagesCheck: CheckType<PackagesSpec> = {
  type: 'packages',
  category: 'system',
  schema,
  bind: (spec, environment) => onEachHost(spec, environment, (host) => prepare(spec, host)),
};

function prepare({ packages }: PackagesSpec, host: HostProbe): PreparedCheck {
  const names = Object.keys(packages);
  const question = {
    command: packagesQuestion(names),
    program: 'dpkg-query or rpm',
    whereFrom: 'The host has neither: ask its own package manager with a check of type command.',
  };
  return {
    target: names.join(', '),
    expected: names.map((name) => `${name} ${packages[name]}`).join(', '),
    reproduce: `dpkg-query -W ${names.join(' ')} || rpm -q ${names.join(' ')}`,
    attempt: async (attempt) => {
      const { stdout } = await askHost(host, question, attempt);
      return judgePackages(parsePackages(host.host, stdout), packages);
    },
  };
}
