import type { Observation } from '../check';
import type { ComponentFacts, HostFacts } from './release-facts';

export interface ConsistencyExpectation {
  /** The version that has to be there; null where none can be named. */
  version: string | null;
  /** Transaction that is being verified and so may still be open; null where nothing is being deployed. */
  transaction: string | null;
  /** Components whose process outlives a deployment, because it is only reloaded. */
  reloaded: readonly string[];
}

interface Inconsistency {
  found: string;
  remedy: string;
}

const recover = 'Run the action recover: it ends what was begun, one way or the other.';
const redeploy = 'Deploy the version again: every host is brought to it, or back.';

/** Whether all hosts have, and run, one version of every component, and nothing is left unfinished. */
export function judgeConsistency(hosts: readonly HostFacts[], expected: ConsistencyExpectation): Observation {
  const problems = [
    ...hosts.flatMap((host) => unfinished(host, expected)),
    ...hosts.flatMap((host) => host.components.flatMap((component) => brokenLink(host.host, component, expected))),
    ...hosts.flatMap((host) => outdatedProcesses(host, expected)),
    ...differing(hosts),
  ];
  const [first] = problems;
  if (first === undefined) return { verdict: 'pass', found: summary(hosts) };
  return { verdict: 'fail', found: problems.map(({ found }) => found).join('; '), remedy: first.remedy };
}

function unfinished(facts: HostFacts, { transaction }: ConsistencyExpectation): Inconsistency[] {
  const { host, active, lease, critical, leftovers } = facts;
  const foreign = (id: string | null) => id !== null && id !== transaction;
  return [
    ...(foreign(active) ? [{ found: `the unfinished transaction ${active} on ${host}`, remedy: recover }] : []),
    ...(foreign(lease) && lease !== active ? [{ found: `the lock of ${lease} on ${host}`, remedy: recover }] : []),
    // While something is being deployed, what an older run left is about to be removed by its end: marker and files.
    ...(transaction !== null || critical === null
      ? []
      : [{ found: `${host} marked critical (${critical})`, remedy: recover }]),
    ...(transaction === null ? leftovers : []).map((path) => ({
      found: `${path} left on ${host}`,
      remedy:
        'The next deployment removes what a killed one left. Look at a file that ends in .broken before you remove it.',
    })),
  ];
}

function brokenLink(host: string, component: ComponentFacts, expected: ConsistencyExpectation): Inconsistency[] {
  const { name, link, release, complete, version, fileVersion } = component;
  if (link === 'none') return [{ found: `no release of ${name} on ${host}`, remedy: redeploy }];
  if (link === 'foreign') {
    return [{ found: `current of ${name} on ${host} leading to ${release}, which is no release`, remedy: redeploy }];
  }
  if (!complete) return [{ found: `the release ${release} of ${name} on ${host} incomplete`, remedy: redeploy }];
  return [
    ...(expected.version === null || version === expected.version
      ? []
      : [{ found: `${name} ${version} on ${host} instead of ${expected.version}`, remedy: redeploy }]),
    // It is written when a deployment ends.
    ...(expected.transaction !== null || fileVersion === null || fileVersion === version
      ? []
      : [
          {
            found: `the version file of ${name} on ${host} saying ${fileVersion} instead of ${version}`,
            remedy: redeploy,
          },
        ]),
  ];
}

function outdatedProcesses(facts: HostFacts, { reloaded }: ConsistencyExpectation): Inconsistency[] {
  return facts.running.flatMap(({ component: name, pid, release }) => {
    const current = facts.components.find((component) => component.name === name);
    if (reloaded.includes(name) || current?.link !== 'release' || current.release === release) return [];
    return [
      {
        found: `${name} on ${facts.host} running from ${release} (process ${pid}) while current leads to ${current.release}`,
        remedy: `Its service was not started anew since the switch: restart it on ${facts.host}, and see why the deployment did not.`,
      },
    ];
  });
}

function differing(hosts: readonly HostFacts[]): Inconsistency[] {
  const all = hosts.flatMap(({ host, components }) =>
    components.filter(({ complete }) => complete).map((component) => ({ host, ...component })),
  );
  return [...new Set(all.map(({ name }) => name))].flatMap((name) => {
    const own = all.filter((component) => component.name === name);
    const versions = [...new Set(own.map(({ version }) => version))];
    const sums = new Set(own.map(({ sha256 }) => sha256));
    if (versions.length > 1) {
      const where = versions.map((version) => {
        const there = own.filter((component) => component.version === version).map(({ host }) => host);
        return `${version} on ${there.join(', ')}`;
      });
      return [{ found: `${name} in several versions: ${where.join(' and ')}`, remedy: redeploy }];
    }
    if (sums.size <= 1) return [];
    return [{ found: `${name} ${versions[0]} with another content on some hosts than on others`, remedy: redeploy }];
  });
}

function summary(hosts: readonly HostFacts[]): string {
  const components = hosts.flatMap((host) => host.components);
  const names = [...new Set(components.map(({ name, version }) => `${name} ${version}`))];
  const seen = hosts.reduce((sum, { running }) => sum + running.length, 0);
  const where = hosts.length === 1 ? '1 host' : `${hosts.length} hosts`;
  return `${names.join(', ')} on ${where}, the same in ${seen} ${seen === 1 ? 'process' : 'processes'} that could be traced to a release`;
}
