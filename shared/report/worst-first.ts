import type { CheckResult, Verdict } from './report';

const order: readonly Verdict[] = ['fail', 'inconclusive', 'warn', 'pass'];

/** Worst verdict first; among equals the critical ones, then what was not red before. Equals keep their order. */
export function worstFirst(checks: readonly CheckResult[]): CheckResult[] {
  return checks.toSorted((one, other) => rank(one) - rank(other));
}

/** The checks that are red, the worst first. */
export function redFirst(checks: readonly CheckResult[]): CheckResult[] {
  return worstFirst(checks.filter(({ verdict }) => verdict === 'fail' || verdict === 'inconclusive'));
}

function rank({ verdict, severity, preExisting }: CheckResult): number {
  return order.indexOf(verdict) * 4 + (severity === 'critical' ? 0 : 2) + (preExisting ? 1 : 0);
}
