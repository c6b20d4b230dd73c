import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Environment } from '../../manifest/environment';
import { componentsOn } from '../../manifest/topology';
import type { Attempt, PreparedCheck } from '../check';
import { type CheckType, selectHosts, suiteInvalid } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { commonShape, hostSelection } from '../fields';
import { askHost, probeOf } from '../hosts/ask-host';
import { judgeConsistency } from '../hosts/consistent';
import { type HostFacts, parseReleases, type ReleasePlace, releasesQuestion } from '../hosts/release-facts';
import { once } from '../once';

const schema = once(() =>
  z.strictObject({
    type: z
      .literal('consistency')
      .describe(
        'Compares all hosts: one version of every component in links and processes, and nothing left unfinished.',
      ),
    ...commonShape,
    ...hostSelection,
  }),
);
type ConsistencySpec = z.output<ReturnType<typeof schema>>;

export const consistencyCheck: CheckType<ConsistencySpec> = {
  type: 'consistency',
  category: 'system',
  schema,
  bind: (spec, environment) => {
    const names = selectHosts(spec, environment, hostsWithComponents(spec, environment));
    return { hosts: null, prepare: (_host, context) => prepare(names, context) };
  },
};

function hostsWithComponents(spec: ConsistencySpec, environment: Environment) {
  const hosts = environment.hosts.filter((host) => componentsOn(environment, host).length > 0);
  if (hosts.length > 0) return hosts;
  throw suiteInvalid(
    `Health check "${spec.name}" compares components, of which the environment ${environment.name} has none.`,
    'Remove the check, or give the environment components.',
  );
}

function prepare(names: readonly string[], context: CheckContext): PreparedCheck {
  const { environment, expectVersion, deployment } = context;
  const version = expectVersion === null ? 'one version' : `version ${expectVersion}`;
  return {
    target: names.join(', '),
    expected: `${version} of every component in links and processes on every host, nothing unfinished or left over`,
    reproduce: `ls -l ${environment.components.map(({ root }) => quote(`${root}/current`)).join(' ')}`,
    attempt: async (attempt) => {
      const facts = await Promise.all(names.map((name) => factsOf(probeOf(name, context), environment, attempt)));
      const reloaded = environment.components.filter(({ service }) => service?.when === 'reload');
      return judgeConsistency(facts, {
        version: expectVersion,
        transaction: deployment?.transaction ?? null,
        reloaded: reloaded.map(({ name }) => name),
      });
    },
  };
}

async function factsOf(probe: HostProbe, environment: Environment, attempt: Attempt): Promise<HostFacts> {
  const components = componentsOn(environment, probe.host);
  const samples = components.some(({ service }) => service !== null) ? await probe.services(attempt.signal) : [];
  const places = components.map(({ name, root, versionFile }): ReleasePlace => {
    const pids = samples.flatMap(({ component, pid }) => (component === name && pid !== null ? [pid] : []));
    return { name, root, versionFile, pids };
  });
  const question = {
    command: releasesQuestion(`${environment.paths.state}/${environment.app}`, places),
    program: 'the look at the releases',
    whereFrom: 'Install coreutils, findutils, sed and awk on the host.',
  };
  const { stdout } = await askHost(probe, question, attempt);
  return parseReleases(probe.host, stdout, places);
}
