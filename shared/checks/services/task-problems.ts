import type { Observation } from '../check';
import type { SwarmService, SwarmTask } from './tasks';
import { counted, failure, type Problem } from './watching';

export interface SwarmExpectation {
  services: Readonly<Record<string, { replicas: number | null; image: string | null }>>;
  /** Seconds within which the last update must have started; null: whenever. */
  updatedWithin: number | null;
  /** Milliseconds between the two looks. */
  betweenMs: number;
}

/** What two looks at the services say. */
export function judgeSwarm(
  first: readonly SwarmService[],
  second: readonly SwarmService[],
  expected: SwarmExpectation,
): Observation {
  const names = Object.keys(expected.services);
  const problems = names.flatMap((name) => {
    const now = second.find((service) => service.name === name);
    if (now === undefined) {
      return {
        found: `no service ${name}`,
        remedy: 'Correct its name, stack included, or deploy it: docker service ls.',
      };
    }
    return problemsOf(first.find((service) => service.name === name) ?? now, now, expected);
  });
  const found = names.map((name) => {
    const tasks = second.find((service) => service.name === name)?.tasks ?? [];
    return `${name} ${tasks.filter(isRunning).length} running`;
  });
  return failure(problems) ?? { verdict: 'pass', found: found.join(', ') };
}

function problemsOf(before: SwarmService, now: SwarmService, expected: SwarmExpectation): Problem[] {
  const own = expected.services[now.name];
  const update = problemOfUpdate(now, expected.updatedWithin);
  const image = own?.image == null ? null : problemOfImage(now, own.image);
  const tasks = problemOfTasks(before, now, own?.replicas ?? null, expected.betweenMs);
  return [update, image, tasks].filter((problem) => problem !== null);
}

/** `docker stack deploy` ends with 0 also when the swarm has gone back by itself. */
function problemOfUpdate({ name, update }: SwarmService, within: number | null): Problem | null {
  const why = update === null || update.message === '' ? '' : ` (${update.message})`;
  if (update?.state.startsWith('rollback_')) {
    return {
      found: `${name} ${update.state}${why}`,
      remedy: `The swarm went back to the version before. See why its tasks failed: docker service ps --no-trunc ${name}.`,
    };
  }
  if (update?.state === 'paused') {
    return {
      found: `${name} with a paused update${why}`,
      remedy: `Some tasks have the new version and some the old one. Run: docker service ps --no-trunc ${name}, then docker service rollback ${name}.`,
    };
  }
  if (update !== null && update.state !== 'completed') {
    return {
      found: `${name} still ${update.state}${why}`,
      remedy: `Wait for it, or see what it waits for: docker service ps ${name}.`,
    };
  }
  if (within === null || (update?.ageSeconds != null && update.ageSeconds <= within)) return null;
  const last = update?.ageSeconds == null ? 'no update' : `its last update ${Math.round(update.ageSeconds)} s ago`;
  return {
    found: `${name} with ${last}`,
    remedy: 'The deployment did not change this service: see whether its image and its stack file are the new ones.',
  };
}

function problemOfImage({ name, image, tasks }: SwarmService, wanted: string): Problem | null {
  const wrong = [image, ...tasks.filter(isRunning).map((task) => task.image)].find((one) => !isImage(one, wanted));
  if (wrong === undefined) return null;
  return {
    found: `${name} with the image ${wrong}`,
    remedy: `Run: docker service update --image ${wanted} ${name}.`,
  };
}

/** Whether an image that runs is the wanted one. The registry's digest is compared where the wanted one names it. */
function isImage(image: string, wanted: string): boolean {
  const [plain = '', digest] = image.split('@');
  const [wantedPlain = '', wantedDigest] = wanted.split('@');
  if (wantedDigest !== undefined && digest !== wantedDigest) return false;
  return (
    tagged(plain) === tagged(wantedPlain) ||
    (wantedDigest !== undefined && repositoryOf(plain) === repositoryOf(wantedPlain))
  );
}

/** With `:latest` where there is no tag, and without the name of Docker's own registry. */
function tagged(image: string): string {
  const name = image.replace(/^docker\.io\/(library\/)?/, '');
  return /:[^/]+$/.test(name) ? name : `${name}:latest`;
}

function repositoryOf(image: string): string {
  return tagged(image).replace(/:[^/:]+$/, '');
}

function problemOfTasks(
  before: SwarmService,
  now: SwarmService,
  wanted: number | null,
  betweenMs: number,
): Problem | null {
  const { name, tasks } = now;
  const up = tasks.filter(isRunning);
  const desired = now.replicas ?? Math.max(1, tasks.length);
  if (wanted !== null && now.replicas !== null && now.replicas !== wanted) {
    return {
      found: `${name} set to ${counted(now.replicas, 'replica')}`,
      remedy: `Run: docker service scale ${name}=${wanted}.`,
    };
  }
  if (desired === 0)
    return {
      found: `${name} set to 0 replicas`,
      remedy: `Run: docker service scale ${name}=1, or as many as it needs.`,
    };
  const known = new Set(before.tasks.filter(isRunning).map(({ id }) => id));
  const replaced = up.filter(({ id }) => !known.has(id)).length;
  if (replaced > 0 && known.size >= desired) {
    return {
      found: `${counted(replaced, 'new task')} of ${name} within ${betweenMs / 1000} s`,
      remedy: `Its tasks end and are replaced. Read: docker service logs --tail 50 ${name}.`,
      final: true,
    };
  }
  const count = Math.max(desired, wanted ?? 0);
  if (up.length >= count) return null;
  const waiting = tasks.find((task) => !isRunning(task));
  const why = waiting === undefined ? '' : ` (${waiting.state}${waiting.error === '' ? '' : `: ${waiting.error}`})`;
  return {
    found: `${name} ${up.length} of ${count} running${why}`,
    remedy: `See why its tasks do not run: docker service ps --no-trunc ${name}.`,
    ...(known.size >= count && before !== now ? { final: true } : {}),
  };
}

function isRunning({ state }: SwarmTask): boolean {
  return state.startsWith('Running');
}
