import type { Problem } from '../problems';
import { counted, listed } from '../words';

const shown = 5;

/** `a, b, c and 4 more`: names for the end of a sentence. */
export function someOf(names: readonly string[]): string {
  if (names.length <= shown) return listed(names);
  return listed([...names.slice(0, shown), `${names.length - shown} more`]);
}

export interface SetComparison {
  /** Of the artifact, in its order. */
  expected: readonly string[];
  /** In the database, in its order. */
  applied: readonly string[];
  /** What a migration that the artifact lacks comes to. */
  extra: 'fail' | 'warn';
  /** Command that applies what is missing. */
  apply: string;
}

/** What differs between the migrations of an artifact and those that a database has. */
export function setProblems({ expected, applied, extra, apply }: SetComparison): Problem[] {
  const missing = expected.filter((name) => !applied.includes(name));
  const unknown = applied.filter((name) => !expected.includes(name));
  return [
    ...(missing.length === 0
      ? []
      : [
          {
            verdict: 'fail' as const,
            found: `${counted(missing.length, 'migration')} not applied: ${someOf(missing)}`,
            remedy: `Apply what is missing, and see why the deployment did not: ${apply}.`,
          },
        ]),
    ...(unknown.length === 0
      ? []
      : [
          {
            verdict: extra,
            found: `${counted(unknown.length, 'migration')} applied that the artifact lacks: ${someOf(unknown)}`,
            remedy:
              'See whether the artifact is older than the database, as after a rollback without a way down, or another branch was deployed here; extra: warn accepts it.',
          },
        ]),
  ];
}
