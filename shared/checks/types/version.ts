import * as z from 'zod';
import { SafeguardError } from '../../errors';
import type { Component, Environment } from '../../manifest/environment';
import { didYouMean } from '../../manifest/suggest';
import { hostsOf } from '../../manifest/topology';
import type { Attempt, Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts, suiteInvalid } from '../check-type';
import type { CheckContext, HostProbe } from '../context';
import { checkPlaceholders, commonShape, hostSelection, templated } from '../fields';
import { headerPlaceholders, sendableHeaders } from '../http-headers';
import { noData } from '../no-data';
import { once } from '../once';
import { fill, fillUrl, type TextKind, valuesFor } from '../placeholders';
import { judgeVersions, type Reading } from '../version/judge';
import { type BoundSource, byHand, readVersion } from '../version/read';
import { isOnHost, type VersionSource, versionSource } from '../version/sources';

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('version')
        .describe('Compares the version that runs with the one that has to, on every instance.'),
      ...commonShape,
      ...hostSelection,
      sources: z.array(versionSource).min(1).describe('Where the version can be read; all have to say the same.'),
      expect: templated
        .min(1)
        .optional()
        .describe(
          'Version that has to run. Default: the one that is deployed; where none is known, sources have to agree.',
        ),
    })
    .superRefine((spec, context) => {
      const perHost = isPerHost(spec);
      checkPlaceholders(context, textsOf(spec), perHost);
      if (!perHost && (spec.hosts ?? spec.roles) !== undefined) {
        const message = 'selects hosts, but no source is one of a host; use a url with the address of the host in it';
        context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
      }
    }),
);
type VersionSpec = z.output<ReturnType<typeof schema>>;

function isPerHost({ sources }: { sources: readonly VersionSource[] }): boolean {
  return sources.some(isOnHost);
}

function textsOf({ sources, expect }: VersionSpec): { path: PropertyKey[]; text: string; kind: TextKind }[] {
  const own = sources.flatMap(({ url, file, headers }, index) => {
    const at = (path: PropertyKey[]) => ['sources', index, ...path];
    const texts: [string, string | undefined][] = [
      ['url', url],
      ['file', file],
    ];
    return [
      ...texts.flatMap(([key, text]) => (text === undefined ? [] : [{ path: at([key]), text, kind: 'text' as const }])),
      ...headerPlaceholders(headers).map((entry) => ({ ...entry, path: at(entry.path) })),
    ];
  });
  return expect === undefined ? own : [...own, { path: ['expect'], text: expect, kind: 'text' }];
}

export const versionCheck: CheckType<VersionSpec> = {
  type: 'version',
  category: 'backend',
  schema,
  bind: (spec, environment) => {
    const sources = spec.sources.map((source) => ({ source, component: componentOf(source, spec, environment) }));
    const runsOn = (component: Component | null, host: string) =>
      component === null || hostsOf(environment, component).some(({ name }) => name === host);
    const concerned = environment.hosts.filter(({ name }) =>
      sources.some(({ source, component }) => isOnHost(source) && runsOn(component, name)),
    );
    return {
      hosts: isPerHost(spec) ? selectHosts(spec, environment, concerned) : null,
      prepare: (host, context) => {
        const here = sources.filter(({ component }) => host === null || runsOn(component, host.host));
        return prepare(spec, here, host, context);
      },
    };
  },
};

/** The component whose release link or version file is read; null for a source that names none. */
function componentOf(source: VersionSource, spec: VersionSpec, environment: Environment): Component | null {
  const name = source.release ?? source['version-file'];
  if (name === undefined) return null;
  const component = environment.components.find((candidate) => candidate.name === name);
  const names = environment.components.map((candidate) => candidate.name);
  if (component === undefined) {
    throw suiteInvalid(
      `Health check "${spec.name}" names the component "${name}", which the environment ${environment.name} does not have${didYouMean(name, names)}.`,
      `Name one of: ${names.join(', ')}.`,
    );
  }
  if (source.release !== undefined || component.versionFile !== null) return component;
  throw suiteInvalid(
    `Health check "${spec.name}" reads the version file of component "${name}", which has none.`,
    'Give the component a version-file in the manifest, or name the file with file.',
  );
}

interface KnownSource {
  source: VersionSource;
  component: Component | null;
}

function prepare(
  spec: VersionSpec,
  known: readonly KnownSource[],
  host: HostProbe | null,
  context: CheckContext,
): PreparedCheck {
  const values = valuesFor(host, context);
  const expected = spec.expect === undefined ? context.expectVersion : fill(spec.expect, values);
  const sources = known.map(({ source, component }): BoundSource => {
    if (component !== null && source.release !== undefined) {
      const path = `${component.root}/current`;
      return { kind: 'release', label: `release of ${component.name}`, component: component.name, path };
    }
    if (source.url !== undefined) {
      const url = new URL(fillUrl(source.url, values));
      const headers = sendableHeaders(source.headers, values, context);
      return { kind: 'url', label: url.href, url, headers, spec: source };
    }
    const path = component === null ? fill(source.file ?? '', values) : `${component.root}/${component.versionFile}`;
    return { kind: 'file', label: path, path, spec: source };
  });
  if (expected === null && sources.length < 2) throw nothingToCompare();
  return {
    target: sources.map(({ label }) => label).join(', '),
    expected: expected === null ? 'the same version everywhere' : `version ${expected}`,
    reproduce: sources.map(byHand).join('; '),
    secrets: sources.flatMap((source) =>
      source.kind === 'url' ? source.headers.flatMap(({ secrets }) => secrets) : [],
    ),
    attempt: (attempt) => ask(sources, host, expected, attempt),
  };
}

function nothingToCompare(): SafeguardError {
  return new SafeguardError('no data: nobody says which version has to run, and there is one source only', {
    fault: 'configuration',
    code: 'version-unknown',
    remedy: 'Give expect-version, or a second source to compare with.',
  });
}

async function ask(
  sources: readonly BoundSource[],
  host: HostProbe | null,
  expected: string | null,
  attempt: Attempt,
): Promise<Observation> {
  const answers = await Promise.all(
    sources.map(async (source): Promise<Reading | Observation> => {
      try {
        return await readVersion(source, host, attempt);
      } catch (thrown) {
        return noData(source.kind === 'url' ? source.url.host : source.label, thrown, attempt);
      }
    }),
  );
  const readings = answers.flatMap((answer) => ('verdict' in answer ? [] : [answer]));
  const silent = answers.flatMap((answer) => ('verdict' in answer ? [answer] : []));
  return judgeVersions(readings, silent, expected);
}
