import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../../../shared/report/report';
import { type ActionRun, runBundle } from '../action';
import { phaseMedians } from '../phases';
import { describeMachine, progress } from '../programs';
import { type BenchReport, Samples, type Target, target } from '../results';
import { measureStarts, startTargets } from '../starts';
import type { Packing } from './artifact';
import { bareDeployment, bareRestart, stopService } from './bare';
import { Site } from './site';

const packings: Packing[] = ['tar', 'tar.gz'];

export interface LocalSettings {
  rounds: number;
  bundles: string;
  node: string;
}

/** Measures the actions and the pipeline written by hand on one host behind an sshd of this user, in turn. */
export async function measureLocally(settings: LocalSettings): Promise<BenchReport> {
  const samples = new Samples();
  const phases: BenchReport['phases'] = {};
  const targets: Target[] = [];
  const startedAt = new Date().toISOString();
  for (const packing of packings) {
    const site = await Site.open(packing);
    try {
      Object.assign(phases, await measureDeployments(site, settings, samples));
      if (packing === 'tar') await measureStarts(site.runner(settings.bundles, settings.node), samples);
    } finally {
      await endServices(site);
    }
    targets.push(...deploymentTargets(packing, samples));
  }
  targets.push(...startTargets(samples));
  const machine = describeMachine(settings.node);
  return { schema: 1, startedAt, machine, rounds: settings.rounds, measurements: samples.all(), targets, phases };
}

async function measureDeployments(
  site: Site,
  settings: LocalSettings,
  samples: Samples,
): Promise<BenchReport['phases']> {
  const { packing } = site;
  const runner = site.runner(settings.bundles, settings.node);
  const runs = new Map<string, Report[]>();
  const note = (name: string, { processMs, ownMs, report }: ActionRun) => {
    const label = `${name}, ${packing}`;
    samples.add(label, processMs);
    samples.add(`${label} (the action's own time)`, ownMs);
    runs.set(label, [...(runs.get(label) ?? []), report]);
  };
  const bare = async (version: string) => bareDeployment(site, site.artifactPath(version), version);

  // Round 0 is not counted: it installs the agent, makes the folders and warms the caches.
  for (let round = 0; round <= settings.rounds; round += 1) {
    progress(`${packing}: round ${round} of ${settings.rounds}`);
    const version = `1.0.${round}`;
    site.makeArtifact(version);
    const bareMs = await bare(version);
    const run = await runBundle(runner, 'deploy', { version }, 'deployed');
    if (round === 0) continue;
    samples.add(`bare pipeline, ${packing}`, bareMs);
    note('deploy', run);
    note('no-op', await runBundle(runner, 'deploy', { version }, 'no-op'));
    samples.add(`restart of the service, ${packing}`, bareRestart(site));
    const back = { reason: 'benchmark', 'to-version': `1.0.${round - 1}` };
    note('rollback', await runBundle(runner, 'rollback', back, 'deployed'));
    rmSync(site.artifactPath(version));
  }
  return Object.fromEntries([...runs].map(([label, reports]) => [label, phaseMedians(reports)]));
}

function deploymentTargets(packing: Packing, samples: Samples): Target[] {
  const median = (name: string) => samples.median(`${name}, ${packing}`);
  return [
    target(`deploy, ${packing} ÷ bare pipeline`, 'times', median('deploy') / median('bare pipeline'), 2),
    target(`no-op, ${packing}`, 'ms', median('no-op'), 500),
    target(
      `rollback, ${packing}, less the service's restart`,
      'ms',
      median('rollback') - median('restart of the service'),
      500,
    ),
  ];
}

/** Ends the services of the host, which outlive everything else on purpose. */
async function endServices(site: Site): Promise<void> {
  stopService(join(site.bareRoot, 'pid'));
  stopService(join(site.stateRoot, 'run/app.pid'));
  await site.close();
}
