import * as z from 'zod';
import { quote } from '../../host/quote';
import { unknown } from '../hosts/ask-host';

/** One service of a swarm at one moment, with the tasks that are to run. */
export interface SwarmService {
  name: string;
  /** Replicas that the service is to have; null for a global one: as many as there are nodes for it. */
  replicas: number | null;
  image: string;
  /** The last update or rollback; null when there was none. */
  update: { state: string; ageSeconds: number | null; message: string } | null;
  tasks: SwarmTask[];
}

export interface SwarmTask {
  id: string;
  /** `Running 5 minutes ago`, `Preparing 3 seconds ago`, … */
  state: string;
  image: string;
  error: string;
}

const serviceFormat =
  '{"name":{{json .Spec.Name}},"mode":{{json .Spec.Mode}},"image":{{json .Spec.TaskTemplate.ContainerSpec.Image}},"update":{{json .UpdateStatus}}}';
const taskFormat =
  '{"task":{{json .ID}},"name":{{json .Name}},"state":{{json .CurrentState}},"image":{{json .Image}},"error":{{json .Error}}}';

/** Shell text that prints the time, then a line a service and a line a task. A service that is not there has no line. */
export function swarmQuestion(names: readonly string[]): string {
  const all = names.map(quote).join(' ');
  return [
    'date +%s',
    // Fails where this is no manager, and says so.
    'docker node ls -q >/dev/null || exit',
    `for name in ${all}; do`,
    `  docker service inspect --format ${quote(serviceFormat)} "$name" 2>/dev/null || continue`,
    `  docker service ps --no-trunc --filter desired-state=running --format ${quote(taskFormat)} "$name" || exit`,
    'done',
  ].join('\n');
}

const serviceLine = z.object({
  name: z.string(),
  mode: z.object({ Replicated: z.object({ Replicas: z.number() }).nullish(), Global: z.object({}).nullish() }),
  image: z.string(),
  update: z
    .object({ State: z.string().optional(), StartedAt: z.string().nullish(), Message: z.string().optional() })
    .nullish(),
});
const taskLine = z.object({
  task: z.string(),
  name: z.string(),
  state: z.string(),
  image: z.string(),
  error: z.string(),
});

/** @throws SafeguardError when the answer is not what was asked for. */
export function parseSwarm(host: string, stdout: string): SwarmService[] {
  const [time = '', ...lines] = stdout.split('\n').filter((line) => line.trim() !== '');
  const garbage = () =>
    unknown(host, 'docker printed something else than services and tasks', 'Run: docker service ls.');
  if (!/^\d+$/.test(time)) throw garbage();
  const services: SwarmService[] = [];
  for (const line of lines) {
    const value = jsonOf(line);
    const service = serviceLine.safeParse(value);
    const task = taskLine.safeParse(value);
    const last = services.at(-1);
    if (service.success) services.push(serviceOf(host, service.data, Number(time)));
    else if (task.success && last !== undefined) last.tasks.push(taskOf(task.data));
    else throw garbage();
  }
  return services;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function serviceOf(host: string, line: z.output<typeof serviceLine>, now: number): SwarmService {
  const { name, mode, image, update } = line;
  if (mode.Replicated == null && mode.Global == null) {
    throw unknown(host, `the service ${name} is a job, which does not run for ever`, 'Take it out of the check.');
  }
  const started = Date.parse(update?.StartedAt ?? '');
  return {
    name,
    replicas: mode.Replicated?.Replicas ?? null,
    image,
    update:
      update?.State === undefined || update.State === ''
        ? null
        : {
            state: update.State,
            ageSeconds: Number.isNaN(started) ? null : Math.max(0, now - started / 1000),
            message: update.Message ?? '',
          },
    tasks: [],
  };
}

function taskOf({ task, state, image, error }: z.output<typeof taskLine>): SwarmTask {
  return { id: task, state, image, error };
}
