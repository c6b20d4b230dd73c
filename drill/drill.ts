import { once } from 'node:events';
import { renderPage } from '../shared/report/html';
import type { Options } from './options';
import { drillPage } from './page';
import { type Audience, playScenario } from './playing';
import type { Progress } from './progress';
import { type DrillResult, renderJson, writeResult } from './result-files';
import type { PlayedScenario, Scenario } from './scenario';
import { scenarios as allScenarios } from './scenarios';
import { type Stage, setStage } from './stage';

export interface DrillRequest {
  options: Options;
  /** The checkout whose actions are run. */
  repository: string;
  /** Where the two reports go. */
  resultFolder: string;
  progress: Progress;
  /** Aborts when the drill shall end early. */
  signal: AbortSignal;
  scenarios?: readonly Scenario[];
  /** Program that runs the actions. Default: this very Node. */
  node?: string;
}

/**
 * Sets the stage, plays the scenarios, writes both reports, takes everything down.
 * @returns true when every scenario ended as expected
 */
export async function runDrill(request: DrillRequest): Promise<boolean> {
  const { options, progress, signal } = request;
  const startedAt = Date.now();
  const stage = await setStage({
    repository: request.repository,
    ...(request.node === undefined ? {} : { node: request.node }),
  });
  try {
    signal.throwIfAborted();
    progress.line(`The stage is set: ${stage.hosts.length} hosts, a GitHub and two runners in ${stage.folder}`);
    const played = await Promise.race([playAll(stage, request), aborted(signal)]);
    const result: DrillResult = {
      ok: played.every((scenario) => scenario.ok),
      startedAt,
      endedAt: Date.now(),
      node: process.version,
      scenarios: played,
    };
    progress.table(played);
    const page = writeResult(request.resultFolder, 'drill-report.html', renderPage(drillPage(result)));
    const data = writeResult(request.resultFolder, 'drill-report.json', renderJson(result));
    progress.line();
    progress.line(verdict(result));
    progress.line(`Reports: ${page}\n         ${data}`);
    if (options.keep) await stayUp(stage, progress, signal);
    return result.ok;
  } finally {
    progress.stop();
    await stage.close();
  }
}

async function playAll(stage: Stage, request: DrillRequest): Promise<PlayedScenario[]> {
  const { progress } = request;
  const scenarios = request.scenarios ?? allScenarios;
  for (const runner of [stage.primary, stage.secondary]) {
    runner.listen((step, line) => progress.output(`${runner.name} ${step.action}: ${line.text}`));
  }
  const played: PlayedScenario[] = [];
  for (const [index, scenario] of scenarios.entries()) {
    if (request.signal.aborted) break;
    progress.scenario(index + 1, scenarios.length, scenario.title);
    const result = await playScenario(scenario, stage, whileGoing(progress, request.signal));
    if (request.signal.aborted) break;
    progress.done(result);
    played.push(result);
  }
  return played;
}

/** After the end was ordered, a scenario that still winds down has nothing to say any more. */
function whileGoing(audience: Audience, signal: AbortSignal): Audience {
  return {
    tell: (text) => {
      if (!signal.aborted) audience.tell(text);
    },
    fact: (fact) => {
      if (!signal.aborted) audience.fact(fact);
    },
  };
}

function verdict(result: DrillResult): string {
  const seconds = ((result.endedAt - result.startedAt) / 1000).toFixed(1);
  const different = result.scenarios.filter((scenario) => !scenario.ok).length;
  if (different === 0) return `All ${result.scenarios.length} scenarios ended as expected, in ${seconds} s.`;
  return `${different} of ${result.scenarios.length} scenarios ended differently, after ${seconds} s.`;
}

async function stayUp(stage: Stage, progress: Progress, signal: AbortSignal): Promise<void> {
  progress.line();
  progress.line('The hosts stay up. Ctrl-C ends them and removes their folder.');
  for (const host of stage.hosts) {
    progress.line();
    progress.line(`${host.name}`);
    progress.line(`  ssh -i ${stage.keyFile} -p ${host.port} -o StrictHostKeyChecking=no \\`);
    progress.line(`      -o UserKnownHostsFile=/dev/null ${host.user}@${host.address}`);
    for (const place of stage.watched.filter((entry) => entry.host === host.name)) {
      progress.line(`  ${place.component.padEnd(9)} http://127.0.0.1:${place.port}/  ${place.root}`);
    }
    progress.line(`  state     ${host.folder}/var/lib/deploy-safeguard`);
  }
  progress.line();
  progress.line('GitHub');
  progress.line(
    `  curl -H 'Authorization: Bearer ${stage.github.token}' ${stage.github.url}/repos/example/shop/issues`,
  );
  if (!signal.aborted) await once(signal, 'abort');
}

async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
}
