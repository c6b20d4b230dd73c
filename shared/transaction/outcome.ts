/** How a transaction ended. The process's exit code is a function of this and of nothing else. */
export const outcomes = [
  'deployed',
  'no-op',
  'aborted',
  'rolled-back',
  'rolled-back-unverified',
  'rollback-failed',
  'in-doubt',
] as const;

export type Outcome = (typeof outcomes)[number];

/** 0 only for the two outcomes that leave every host on the wanted, verified version. Red never ends green. */
export function exitCode(outcome: Outcome): 0 | 1 {
  switch (outcome) {
    case 'deployed':
    case 'no-op':
      return 0;
    case 'aborted':
    case 'rolled-back':
    case 'rolled-back-unverified':
    case 'rollback-failed':
    case 'in-doubt':
      return 1;
  }
}

/** One plain sentence for the top of the summary. */
export function explain(outcome: Outcome): string {
  switch (outcome) {
    case 'deployed':
      return 'Every host runs the new version and passed its health checks.';
    case 'no-op':
      return 'Every host already runs this version and passed its health checks; nothing was changed.';
    case 'aborted':
      return 'Stopped before any host was switched; every host still runs what it ran before.';
    case 'rolled-back':
      return 'Every host is back on the previous version, which passed its health checks.';
    case 'rolled-back-unverified':
      return 'Every host is back on the previous version, but it is not proved healthy: its checks are red or could not be asked.';
    case 'rollback-failed':
      return 'The rollback did not complete. A person has to look at the hosts now.';
    case 'in-doubt':
      return 'It is not known whether all hosts run the same version. Remove the cause, then run recover.';
  }
}
