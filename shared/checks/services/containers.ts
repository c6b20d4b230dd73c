import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Observation } from '../check';
import { unknown } from '../hosts/ask-host';
import { counted, failure, type Problem } from './watching';

/** One container of a Compose project at one moment. */
export interface Container {
  id: string;
  name: string;
  service: string;
  image: string;
  /** `running`, `restarting`, `exited`, … */
  status: string;
  exitCode: number;
  oomKilled: boolean;
  restarts: number;
  startedAt: string;
  /** `healthy`, `unhealthy` or `starting`; null for a container without a health check. */
  health: string | null;
}

export interface ComposeExpectation {
  project: string;
  /** Number of containers by service. */
  services: Readonly<Record<string, number>>;
  /** Milliseconds between the two looks. */
  betweenMs: number;
}

const format = [
  '{"id":{{json .ID}}',
  '"name":{{json .Name}}',
  '"service":{{json (index .Config.Labels "com.docker.compose.service")}}',
  '"image":{{json .Config.Image}}',
  '"status":{{json .State.Status}}',
  '"exitCode":{{json .State.ExitCode}}',
  '"oomKilled":{{json .State.OOMKilled}}',
  '"restarts":{{json .RestartCount}}',
  '"startedAt":{{json .State.StartedAt}}',
  '"health":{{if .State.Health}}{{json .State.Health.Status}}{{else}}null{{end}}}',
].join(',');

/**
 * Shell text that prints a line a container. The engine is asked by the labels that Compose sets: its own listing looks
 * different in every version and does not count restarts.
 */
export function composeQuestion(project: string): string {
  const label = (key: string, value: string) => `--filter ${quote(`label=com.docker.compose.${key}=${value}`)}`;
  return [
    `ids=$(docker ps --all --quiet --no-trunc ${label('project', project)} ${label('oneoff', 'False')}) || exit`,
    '[ -n "$ids" ] || exit 0',
    `docker inspect --format ${quote(format)} $ids`,
  ].join('\n');
}

const line = z.object({
  id: z.string(),
  name: z.string(),
  service: z.string(),
  image: z.string(),
  status: z.string(),
  exitCode: z.number(),
  oomKilled: z.boolean(),
  restarts: z.number(),
  startedAt: z.string(),
  health: z.string().nullable(),
});

/** @throws SafeguardError when the answer is not a list of containers. */
export function parseContainers(host: string, stdout: string): Container[] {
  return stdout
    .split('\n')
    .filter((text) => text.trim() !== '')
    .map((text) => {
      try {
        const container = line.parse(JSON.parse(text));
        return { ...container, name: container.name.replace(/^\//, '') };
      } catch {
        throw unknown(host, 'docker printed something else than containers', 'Run: docker ps --all.');
      }
    });
}

/** What two looks at the containers say. */
export function judgeContainers(
  first: readonly Container[],
  second: readonly Container[],
  expected: ComposeExpectation,
): Observation {
  const names = Object.keys(expected.services);
  const problems = names.flatMap((name) => problemsOf(name, first, second, expected));
  const found = names.map((name) => {
    const up = second.filter((container) => container.service === name && isWell(container));
    return `${name} ${up.length} running${up.some(({ health }) => health !== null) ? ' and healthy' : ''}`;
  });
  return failure(problems) ?? { verdict: 'pass', found: found.join(', ') };
}

function problemsOf(
  name: string,
  first: readonly Container[],
  second: readonly Container[],
  expected: ComposeExpectation,
): Problem[] {
  const wanted = expected.services[name] ?? 1;
  const now = second.filter(({ service }) => service === name);
  const compose = `docker compose -p ${expected.project}`;
  if (now.length === 0) return [{ found: `no container of ${name}`, remedy: `Run: ${compose} up -d ${name}.` }];
  const own = now.flatMap((container) => problemOf(container, first, expected) ?? []);
  if (own.length > 0 || now.length === wanted) return own;
  return [
    {
      found: `${counted(now.length, 'container')} of ${name}`,
      remedy: `Run: ${compose} up -d --scale ${name}=${wanted} ${name}.`,
    },
  ];
}

function problemOf(now: Container, first: readonly Container[], { betweenMs }: ComposeExpectation): Problem | null {
  const before = first.find(({ id }) => id === now.id);
  const replaced = before === undefined && first.length > 0;
  if (replaced || (before !== undefined && before.status === 'running' && before.startedAt !== now.startedAt)) {
    return {
      found: `${replaced ? 'a new container' : 'a restart'} of ${now.name} within ${betweenMs / 1000} s (now ${now.status})`,
      remedy: `It crashes after its start. Read: docker logs --tail 50 ${now.name}.`,
      final: true,
    };
  }
  if (isWell(now)) return null;
  return {
    found: `${now.name} ${stateOf(now)}`,
    remedy: remedyFor(now),
    ...(before !== now && before?.status === 'running' && now.status !== 'running' ? { final: true } : {}),
  };
}

function isWell({ status, health }: Container): boolean {
  return status === 'running' && (health === null || health === 'healthy');
}

function stateOf({ status, health, exitCode, oomKilled, restarts }: Container): string {
  if (status === 'running') return `running and ${health}`;
  const ending = oomKilled ? 'killed for want of memory' : `exit code ${exitCode}`;
  return `${status} (${ending})${restarts === 0 ? '' : ` after ${counted(restarts, 'restart')}`}`;
}

function remedyFor({ status, name, oomKilled, health }: Container): string {
  if (oomKilled) return `Give ${name} or its host more memory.`;
  if (status === 'running' && health === 'starting')
    return `Its health check has not passed yet. Read: docker logs --tail 50 ${name}.`;
  if (status === 'running')
    return `Its health check fails. Run: docker inspect --format '{{json .State.Health}}' ${name}.`;
  if (status === 'created' || status === 'paused')
    return `Run: docker ${status === 'created' ? 'start' : 'unpause'} ${name}.`;
  return `It does not stay up. Read: docker logs --tail 50 ${name}.`;
}
