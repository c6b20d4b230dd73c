import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { newestNode } from './programs';

export const operations = ['deploy', 'delta', 'noop', 'rollback', 'failure', 'starts'] as const;
export type Operation = (typeof operations)[number];

export const contestants = ['bare', 'safeguard', 'ansible'] as const;
export type ContestantName = (typeof contestants)[number];

/** What contestants are called in tables and messages. */
export const contestantTitles: Readonly<Record<ContestantName, string>> = {
  bare: 'Bare SSH',
  safeguard: 'deploy-safeguard',
  ansible: 'Ansible',
};

export interface Options {
  /** One host behind an sshd of this user instead of a fleet. */
  local: boolean;
  /** Health checks, beside goss, instead of deployments. */
  checks: boolean;
  /** Program of goss. */
  goss: string;
  hosts: number[];
  /** Sizes of artifacts in megabytes. */
  sizes: number[];
  /** null: as many as the size and the number of hosts allow in a few minutes. */
  rounds: number | null;
  only: ReadonlySet<Operation>;
  contestants: ContestantName[];
  /** Folder with `<name>/index.js`; null: made anew. */
  bundles: string | null;
  /** Program that runs the bundles. */
  node: string;
  docs: boolean;
  strict: boolean;
}

/** @throws Error that names the option, what it was given, and what it takes */
export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      local: { type: 'boolean', default: false },
      checks: { type: 'boolean', default: false },
      goss: { type: 'string', default: 'goss' },
      hosts: { type: 'string', default: '1,4,8,16' },
      sizes: { type: 'string', default: '20,200' },
      rounds: { type: 'string' },
      only: { type: 'string', default: operations.join(',') },
      contestants: { type: 'string', default: contestants.join(',') },
      bundles: { type: 'string' },
      node: { type: 'string', default: newestNode },
      docs: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
    },
  });
  return {
    local: values.local,
    checks: values.checks,
    goss: values.goss,
    hosts: numbers('--hosts', values.hosts, 100),
    sizes: numbers('--sizes', values.sizes, 1000),
    rounds: values.rounds === undefined ? null : wholeNumber('--rounds', values.rounds, 1000),
    only: new Set(names('--only', values.only, operations)),
    contestants: names('--contestants', values.contestants, contestants),
    bundles: values.bundles === undefined ? null : resolve(values.bundles),
    node: resolve(values.node),
    docs: values.docs,
    strict: values.strict,
  };
}

function numbers(option: string, text: string, largest: number): number[] {
  const all = text.split(',').map((one) => wholeNumber(option, one, largest));
  return [...new Set(all)].sort((one, other) => one - other);
}

function wholeNumber(option: string, text: string, largest: number): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(number) && number >= 1 && number <= largest) return number;
  throw new Error(`${option}: '${text}' is not a whole number from 1 to ${largest}`);
}

function names<T extends string>(option: string, text: string, allowed: readonly T[]): T[] {
  const given = text.split(',');
  const unknown = given.find((one) => !(allowed as readonly string[]).includes(one));
  if (unknown !== undefined) throw new Error(`${option}: '${unknown}' is none of ${allowed.join(', ')}`);
  return allowed.filter((one) => given.includes(one));
}
