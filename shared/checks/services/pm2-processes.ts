import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Observation } from '../check';
import { unknown } from '../hosts/ask-host';
import { counted, failure, type Problem } from './watching';

/** One process of pm2 at one moment. */
export interface Pm2Process {
  name: string;
  id: number;
  pid: number;
  status: string;
  restarts: number;
  version: string | null;
}

export interface Pm2Expectation {
  /** Number of instances by name. */
  apps: Readonly<Record<string, number>>;
  version: string | null;
  /** Milliseconds between the two looks. */
  betweenMs: number;
}

export interface Pm2Place {
  /** Name or path of the program. */
  program: string;
  /** PM2_HOME, or null for the user's own. */
  home: string | null;
  /** User whose pm2 is asked, or null for the user of the agent. */
  user: string | null;
}

/** Exit codes of the question. */
export const pm2Ended = 21;
const neverStarted = 20;
const noList = 22;

// The list that pm2 prints has the whole environment of every process in it, passwords included: only what is judged
// leaves the host. Lines in front of it are pm2's own messages.
const filter = `
let text = "";
process.stdin.on("data", (part) => { text += part; }).on("end", () => {
  for (const line of text.split("\\n")) {
    let list;
    try { list = JSON.parse(line); } catch { continue; }
    if (!Array.isArray(list)) continue;
    console.log(JSON.stringify(list.map(({ name, pm_id, pid, pm2_env: { status, restart_time, version } }) =>
      ({ name, id: pm_id, pid, status, restarts: restart_time, version: version ?? null }))));
    return;
  }
  process.exit(${noList});
});`;

/** Shell text that prints the processes. Without a daemon it asks nobody: pm2 would start one. */
export function pm2Question({ program, home, user }: Pm2Place): string {
  const script = [
    ...(home === null ? [] : [`PM2_HOME=${quote(home)}`]),
    `PM2_HOME=\${PM2_HOME:-$HOME/.pm2}; export PM2_HOME`,
    ...(program.includes('/') ? [`PATH=${quote(program.slice(0, program.lastIndexOf('/')))}:$PATH; export PATH`] : []),
    `command -v ${quote(program)} >/dev/null || exit 127`,
    `pid=$(cat "$PM2_HOME/pm2.pid" 2>/dev/null) || { echo "there is no daemon of pm2 in $PM2_HOME" >&2; exit ${neverStarted}; }`,
    `kill -0 "$pid" 2>/dev/null || { echo "the daemon of pm2 in $PM2_HOME has ended" >&2; exit ${pm2Ended}; }`,
    `${quote(program)} jlist 2>/dev/null | node -e ${quote(filter)}`,
  ].join('\n');
  return user === null ? script : `exec runuser -l ${quote(user)} -s /bin/sh -c ${quote(script)}`;
}

const listSchema = z.array(
  z.object({
    name: z.string(),
    id: z.number(),
    pid: z.number().nullish(),
    status: z.string(),
    restarts: z.number(),
    version: z.string().nullish(),
  }),
);

/** @throws SafeguardError when the answer is no list of processes. */
export function parsePm2(host: string, stdout: string): Pm2Process[] {
  const problem = unknown(host, 'pm2 printed no list of processes', 'Run: pm2 jlist.');
  let list: unknown;
  try {
    list = JSON.parse(stdout);
  } catch {
    throw problem;
  }
  const parsed = listSchema.safeParse(list);
  if (!parsed.success) throw problem;
  return parsed.data.map((entry) => ({ ...entry, pid: entry.pid ?? 0, version: entry.version ?? null }));
}

/** What two looks at the processes say; null: the daemon of pm2 has ended, and with it everything that it ran. */
export function judgePm2(
  first: readonly Pm2Process[] | null,
  second: readonly Pm2Process[] | null,
  expected: Pm2Expectation,
): Observation {
  if (first === null || second === null) {
    return {
      verdict: 'fail',
      found: 'no process, since the daemon of pm2 has ended',
      remedy: 'Run as its user: pm2 resurrect. So that it starts at boot: pm2 startup, then pm2 save.',
    };
  }
  const names = Object.keys(expected.apps);
  const problems = names.flatMap((name) => problemsOf(name, first, second, expected));
  const found = names.map((name) => `${name} ${online(second, name)} online`).join(', ');
  return failure(problems) ?? { verdict: 'pass', found };
}

function problemsOf(
  name: string,
  first: readonly Pm2Process[],
  second: readonly Pm2Process[],
  expected: Pm2Expectation,
): Problem[] {
  const wanted = expected.apps[name] ?? 1;
  const before = first.filter((entry) => entry.name === name);
  const now = second.filter((entry) => entry.name === name);
  if (now.length === 0) {
    return [{ found: `no process ${name}`, remedy: 'Start it: pm2 start ecosystem.config.js; then pm2 save.' }];
  }
  const own = now.flatMap((entry) => problemOf(entry, before, expected) ?? []);
  if (own.length > 0 || now.length === wanted) return own;
  return [{ found: `${counted(now.length, 'instance')} of ${name}`, remedy: `Run: pm2 scale ${name} ${wanted}.` }];
}

function problemOf(now: Pm2Process, first: readonly Pm2Process[], expected: Pm2Expectation): Problem | null {
  const before = first.find(({ id }) => id === now.id);
  const label = `${now.name} (id ${now.id})`;
  const restarts = before === undefined ? 0 : now.restarts - before.restarts;
  if (before !== undefined && isUp(before) && (restarts > 0 || (isUp(now) && now.pid !== before.pid))) {
    const times = restarts > 0 ? counted(restarts, 'restart') : 'a restart';
    return {
      found: `${times} of ${label} within ${expected.betweenMs / 1000} s (now ${now.status})`,
      remedy: 'It crashes after its start: read its log below.',
      final: true,
    };
  }
  if (!isUp(now)) {
    const found = `${label} ${now.status === 'online' ? 'online without a process' : now.status} after ${counted(now.restarts, 'restart')}`;
    return { found, remedy: `It does not run. Read its log below, then run: pm2 restart ${now.name}.` };
  }
  if (expected.version === null || now.version === expected.version) return null;
  return {
    found: `${label} in version ${now.version ?? 'unknown'}`,
    remedy: `pm2 still runs the old files, or has the old folder: pm2 reload ${now.name} --update-env, or delete and start it.`,
  };
}

function isUp({ status, pid }: Pm2Process): boolean {
  return status === 'online' && pid > 0;
}

function online(processes: readonly Pm2Process[], name: string): number {
  return processes.filter((entry) => entry.name === name && isUp(entry)).length;
}
