import * as z from 'zod';
import { outcomes } from '../transaction/outcome';

/** The verdicts a single check can end with; `inconclusive` means no data, never a pass. */
export const verdicts = ['pass', 'warn', 'fail', 'inconclusive'] as const;
export type Verdict = (typeof verdicts)[number];

const seconds = z.number().nonnegative().describe('seconds');
const instant = z.string().describe('ISO 8601, UTC');

export const checkResultSchema = z.strictObject({
  name: z.string(),
  type: z.string(),
  category: z.string(),
  severity: z.enum(['critical', 'warning']),
  verdict: z.enum(verdicts),
  host: z.string().optional().describe('the host it concerns, where it concerns one'),
  target: z.string().describe('what was asked: a URL, a unit, a command'),
  expected: z.string(),
  found: z.string(),
  message: z.string().describe('what was expected, what was found, in one sentence'),
  remedy: z.string().optional(),
  reproduce: z.string().optional().describe('a command to run the same question by hand'),
  diagnostics: z.string().optional().describe('at most 2 kB, secrets masked'),
  attempts: z
    .number()
    .int()
    .nonnegative()
    .describe('0: not asked, because a check it needs is red or its settings were unusable'),
  durationSeconds: seconds,
  preExisting: z.boolean().optional().describe('already red before the deployment began'),
});
export type CheckResult = z.infer<typeof checkResultSchema>;

export const failureSchema = z.strictObject({
  phase: z.string(),
  host: z.string().optional(),
  check: z.string().optional(),
  fault: z.enum(['configuration', 'host', 'network', 'github', 'internal']).optional(),
  message: z.string(),
  remedy: z.string().optional(),
});
export type Failure = z.infer<typeof failureSchema>;

export const phaseSchema = z.strictObject({
  name: z
    .string()
    .describe(
      'plan, open, stage, migrate, switch, health, renew, decide, confirm, close, revert, verify, forensics, …',
    ),
  host: z.string().optional(),
  startedAt: instant,
  durationSeconds: seconds,
  result: z.enum(['ok', 'failed', 'skipped']),
  detail: z.string().optional(),
});
export type Phase = z.infer<typeof phaseSchema>;

export const hostReportSchema = z.strictObject({
  name: z.string(),
  state: z.string().describe('idle, open, staged, switching, switched, confirmed, reverting, reverted, unreachable, …'),
  version: z
    .string()
    .nullable()
    .describe('the version that current points to; null when there is none or it is not known'),
});
export type HostReport = z.infer<typeof hostReportSchema>;

/** What every action, summary, page and incident is rendered from. */
export const reportSchema = z.strictObject({
  schema: z.literal(1),
  action: z.string(),
  app: z.string(),
  environment: z.string(),
  transactionId: z.string().nullable(),
  version: z.string().nullable(),
  previousVersion: z.string().nullable(),
  outcome: z.enum(outcomes),
  startedAt: instant,
  durationSeconds: seconds,
  run: z.strictObject({
    url: z.string().nullable(),
    runner: z.string().nullable(),
    attempt: z.number().int().nullable(),
    actor: z.string().nullable(),
  }),
  hosts: z.array(hostReportSchema),
  phases: z.array(phaseSchema),
  checks: z.array(checkResultSchema),
  failure: failureSchema.nullable(),
  warnings: z.array(z.string()).describe('what the reader should know although it changed nothing'),
  forensics: z.array(z.strictObject({ host: z.string(), path: z.string() })),
  rollbackSeconds: seconds.nullable().describe('from the red verdict to every host switched back and verified'),
  incident: z
    .strictObject({ number: z.number().int(), url: z.string(), created: z.boolean() })
    .nullable()
    .describe('the GitHub issue, once the incident action has run'),
});
export type Report = z.infer<typeof reportSchema>;
