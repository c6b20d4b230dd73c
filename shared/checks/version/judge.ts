import type { Observation } from '../check';
import { observationOf, type Problem } from '../problems';
import { said } from '../words';

/** What one source said. */
export interface Reading {
  /** `release link of backend`, `http://10.0.0.1:8080/actuator/info`. */
  source: string;
  kind: 'release' | 'file' | 'url';
  /** Null where the source says that there is none. */
  version: string | null;
}

const remedies: Record<Reading['kind'], string> = {
  release: 'The host is not on the release that was deployed: see its history, and deploy this version to it again.',
  file: 'Something else wrote this file, or it belongs to another release: compare it with what the release link names.',
  url: 'The process is another one than the one that was deployed: see whether the service was restarted, and whether the address is that of this instance and not of a balancer.',
};

/** What all sources of one instance say. `expected` null: they only have to agree. */
export function judgeVersions(
  readings: readonly Reading[],
  silent: readonly Observation[],
  expected: string | null,
): Observation {
  const nothing = silent.map(({ found, remedy }): Problem => {
    return { verdict: 'inconclusive', found, remedy: remedy ?? 'See whether the source is named right.' };
  });
  const versions = new Set(readings.map(({ version }) => version));
  const agree = expected === null ? versions.size <= 1 && !versions.has(null) : false;
  const wrong = readings.filter(({ version }) => !agree && (expected === null || version !== expected));
  const problems = wrong.map(({ source, kind, version }): Problem => {
    const found = version === null ? `no ${source}` : `${said(version)} as ${source}`;
    return { verdict: 'fail', found, remedy: remedies[kind] };
  });
  const [first] = readings;
  const sources = readings.map(({ source }) => source).join(', ');
  return observationOf(
    [...problems, ...nothing],
    first?.version == null ? 'nothing' : `${first.version} as ${sources}`,
  );
}
