import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { allRun, type Sighting } from '../observer';
import type { Play, PlayedStep } from '../scenario';

/** The step ended with this exit code; if not, its last error lines are what was found. */
export function expectExit(play: Play, step: PlayedStep, code: number): void {
  play.expect(
    `${step.action} exits with ${code}`,
    step.exitCode === code,
    `exit ${step.exitCode ?? step.signal}; ${lastWords(step)}`,
  );
}

/** Every component on every host is on `version`: on disk, over HTTP, and healthy. */
export async function expectAllOn(play: Play, version: string): Promise<void> {
  const seen = await play.stage.observer.look();
  const places = `${seen.length} services on ${play.stage.hosts.length} hosts`;
  play.expect(`${places} run ${version}, on disk and over HTTP`, allRun(seen, version), describe(seen));
}

/** Marks on each host the moment at which all its services were back on `version`; `words` gets the instant. */
export function markReturns(play: Play, version: string, words: (at: number) => string): void {
  const { hosts, observer, watched } = play.stage;
  for (const host of hosts) {
    const last = watched
      .filter((place) => place.host === host.name)
      .map(({ component }) =>
        observer.spans.findLast((span) => span.host === host.name && span.component === component),
      );
    if (!last.every((span) => span?.version === version)) continue;
    const at = Math.max(...last.map((span) => span?.from ?? 0));
    play.mark({ kind: 'reverted', text: words(at), host: host.name, at });
  }
}

/** No half-unpacked release and no temporary link is left in any component's folder. */
export async function expectNoLeftovers(play: Play): Promise<void> {
  const found: string[] = [];
  for (const { host, root } of play.stage.watched) {
    for (const entry of [...(await names(root)), ...(await names(path.join(root, 'releases')))]) {
      if (/^\.(partial|current)\.|\.tmp$/.test(entry)) found.push(`${host}: ${path.join(root, entry)}`);
    }
  }
  play.expect('nothing temporary is left on the hosts', found.length === 0, found.join(', '));
}

export function describe(seen: readonly Sighting[]): string {
  return seen
    .map((place) => {
      const answers = place.version === null ? 'no answer' : `${place.version}${place.healthy ? '' : ', unhealthy'}`;
      return `${place.host} ${place.component}: ${answers}, current ${place.releaseVersion ?? 'none'}`;
    })
    .join('; ');
}

/** What the step said last, errors first: for a fact that does not hold. */
export function lastWords(step: PlayedStep): string {
  const errors = step.lines.filter((line) => line.level === 'error');
  const chosen = errors.length > 0 ? errors : step.lines.slice(-3);
  return chosen.map((line) => line.text).join(' / ') || 'it printed nothing';
}

export function outcomeOf(step: PlayedStep): string {
  return step.outputs['outcome'] ?? step.report?.outcome ?? 'none';
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    // Not there yet, so nothing is left in it.
    return [];
  }
}
