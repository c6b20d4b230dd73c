import * as z from 'zod';
import { didYouMean } from '../../manifest/suggest';
import type { Problem } from '../problems';
import { said } from '../words';

/** https://prometheus.io/docs/prometheus/latest/querying/api/#rules */
export const rulesSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          type: z.string(),
          name: z.string(),
          state: z.string().optional(),
          health: z.string().default('ok'),
          lastError: z.string().default(''),
        }),
      ),
    }),
  ),
});
type Rules = z.output<typeof rulesSchema>;
type Rule = Rules['groups'][number]['rules'][number];

/** Every alert that `expected` names must exist and be evaluated; those of `quiet` as well, and they must not fire. */
export function ruleProblems(rules: Rules, expected: readonly string[], quiet: readonly string[]): Problem[] {
  const alerts = rules.groups.flatMap((group) => group.rules).filter(({ type }) => type === 'alerting');
  const names = [...new Set(alerts.map(({ name }) => name))];
  const wanted = [...new Set([...expected, ...quiet])];
  return wanted.flatMap((name): Problem[] => {
    const own = alerts.filter((rule) => rule.name === name);
    if (own.length === 0) {
      const remedy =
        'Add the rule to a file of rule_files and reload Prometheus: promtool check rules, then kill -HUP.';
      return [{ verdict: 'fail', found: `no alert named ${name} in the rules${didYouMean(name, names)}`, remedy }];
    }
    return [...own.flatMap(evaluationProblem), ...(quiet.includes(name) ? firingProblem(name, own) : [])];
  });
}

function evaluationProblem({ name, health, lastError }: Rule): Problem[] {
  if (health === 'err') {
    const remedy = 'Correct the expression of the rule: as long as it cannot be evaluated, it never fires.';
    return [{ verdict: 'fail', found: `the alert ${name} cannot be evaluated: ${said(lastError)}`, remedy }];
  }
  if (health !== 'unknown') return [];
  const remedy = 'Wait for the first evaluation, or raise attempts and delay.';
  return [{ verdict: 'inconclusive', found: `no data about the alert ${name}: it was not evaluated yet`, remedy }];
}

function firingProblem(name: string, rules: readonly Rule[]): Problem[] {
  if (!rules.some(({ state }) => state === 'firing')) return [];
  return [{ verdict: 'warn', found: `the alert ${name} fires`, remedy: 'Deal with the alert as its runbook says.' }];
}
