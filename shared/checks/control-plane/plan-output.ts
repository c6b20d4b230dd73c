import type { ExecResult } from '../../ports';
import type { Observation } from '../check';
import { valueAt } from '../json-path';
import { said } from '../words';
import { jsonOf } from './source';

const longestError = 300;

/**
 * What `plan -detailed-exitcode` says: 0 nothing to do, 1 error, 2 changes.
 * https://developer.hashicorp.com/terraform/cli/commands/plan#detailed-exitcode
 */
export function judgePlan(program: string, { code, signal, stdout, stderr }: ExecResult): Observation {
  if (code === 0) return { verdict: 'pass', found: 'no changes' };
  if (code === 2) {
    const summary = /^Plan: .*?(?=\.?$)/m.exec(stdout)?.[0] ?? 'changes to outputs only';
    return {
      verdict: 'fail',
      found: `a plan that is not empty: ${summary}`,
      remedy: `Somebody changed what runs or what is written: read ${program} plan, then apply it, or undo the change.`,
      diagnostics: { text: stdout.slice(stdout.search(/^ {2}# /m)), keep: 'start' },
    };
  }
  return noAnswer(program, 'plan', { code, signal, stdout, stderr });
}

/** The program did not get as far as an answer. */
export function noAnswer(program: string, what: string, { code, signal, stderr }: ExecResult): Observation {
  if (code === 127) {
    return {
      verdict: 'inconclusive',
      found: `no data: ${program} is not installed on the runner or not in PATH`,
      remedy: `Install ${program} in an earlier step, or set program.`,
    };
  }
  const error = /Error: (.*)/.exec(stderr)?.[1]?.slice(0, longestError) ?? `exit code ${code ?? signal}`;
  return {
    verdict: 'inconclusive',
    found: `no data: ${program} ${what} ended with ${said(error)}`,
    remedy: /init/i.test(stderr)
      ? `Run ${program} init in that folder in an earlier step.`
      : 'Run it by hand; see whether credentials that it needs are listed under secrets.',
    diagnostics: { text: stderr, keep: 'start' },
  };
}

/** A host of the manifest. */
export interface Address {
  name: string;
  address: string;
}

/** Compares an output with the addresses of the manifest: a list of addresses, or a map from names to them. */
export function judgeInventory(output: string, stdout: string, expected: readonly Address[]): Observation {
  const value = valueAt(jsonOf(stdout), `${output.replaceAll('.', '\\.')}.value`);
  const known = readAddresses(value);
  if (known === null) {
    return {
      verdict: 'inconclusive',
      found:
        value === undefined
          ? `no data: no output ${output}`
          : `no data: an output ${output} that is no list or map of addresses`,
      remedy: `Add it to the configuration and apply it: output "${output}" { value = … }, with a list of addresses or a map from names to them.`,
    };
  }
  const missing = expected.filter(({ name, address }) =>
    known.byName === null ? !known.addresses.includes(address) : known.byName.get(name) !== address,
  );
  const isExpected = ([name, address]: readonly [string | null, string]) =>
    expected.some((host) => host.address === address && (name === null || host.name === name));
  const unknown = known.entries.filter((entry) => !isExpected(entry));
  if (missing.length + unknown.length === 0)
    return { verdict: 'pass', found: `${expected.length} addresses as in the manifest` };
  const named = (name: string | null, address: string) => (name === null ? address : `${name} ${address}`);
  return {
    verdict: 'fail',
    found: [
      ...missing.map(({ name, address }) => `${output} without ${name} ${address}`),
      ...unknown.map(([name, address]) => `${output} with ${named(name, address)}`),
    ].join(', '),
    remedy: 'Correct the hosts of the manifest or the configuration: one of them is about other machines.',
  };
}

interface Known {
  entries: readonly (readonly [string | null, string])[];
  addresses: readonly string[];
  byName: ReadonlyMap<string, string> | null;
}

function readAddresses(value: unknown): Known | null {
  if (value === null || typeof value !== 'object') return null;
  const values: unknown[] = Object.values(value);
  if (!values.every((entry): entry is string => typeof entry === 'string')) return null;
  if (Array.isArray(value)) return { entries: values.map((entry) => [null, entry]), addresses: values, byName: null };
  const entries = Object.entries(value as Record<string, string>);
  return { entries, addresses: values, byName: new Map(entries) };
}
