import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type BenchRunner, runBundle } from '../action';
import { describeMachine, progress } from '../programs';
import { type BenchReport, median, Samples, type Target, target } from '../results';
import { gossfileOf, questions, suiteOf } from './suites';
import { startTargets, type Targets } from './targets';

export interface ChecksSettings {
  rounds: number;
  bundles: string;
  node: string;
  /** Program of goss. */
  goss: string;
}

/** Checks of one suite, and how many of it may use how much memory. */
const few = 25;
const many = 200;
const slowMs = 500;

/** Asks the same local servers the same questions with the action `health-check` and with goss, in turn. */
export async function measureChecks(settings: ChecksSettings): Promise<BenchReport> {
  requireGoss(settings.goss);
  const startedAt = new Date().toISOString();
  const samples = new Samples();
  const targets = await startTargets(slowMs, many);
  const folder = mkdtempSync(join(tmpdir(), 'bench-checks-'));
  try {
    const rivals = new Rivals(folder, targets, settings);
    const memory: number[] = [];
    const beyond: number[] = [];
    for (let round = 0; round <= settings.rounds; round += 1) {
      progress(`checks: round ${round} of ${settings.rounds}`);
      for (const count of [few, many]) {
        const ours = await rivals.ours(count);
        const goss = await rivals.goss(count);
        // Round 0 is not counted: it warms the caches.
        if (round === 0) continue;
        samples.add(`${count} checks, from start to end`, ours.processMs);
        samples.add(`${count} checks, the suite alone`, ours.suiteMs);
        samples.add(`${count} checks, its slowest check`, ours.slowestMs);
        samples.add(`${count} checks, goss from start to end`, goss);
        if (count === many) memory.push(ours.peakMegabytes);
        else beyond.push(ours.suiteMs - 1.1 * ours.slowestMs);
      }
    }
    const promises: Target[] = [
      target(`suite of ${few} checks, less 1.1 × its slowest check`, 'ms', median(beyond), 100),
      target(`memory of a suite of ${many} checks`, 'MB', Math.max(...memory), 300),
    ];
    const machine = describeMachine(settings.node);
    return {
      schema: 1,
      startedAt,
      machine,
      rounds: settings.rounds,
      measurements: samples.all(),
      targets: promises,
      phases: {},
    };
  } finally {
    targets.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Rivals {
  readonly #folder: string;
  readonly #settings: ChecksSettings;

  constructor(folder: string, targets: Targets, settings: ChecksSettings) {
    this.#folder = folder;
    this.#settings = settings;
    mkdirSync(join(folder, 'workspace'));
    for (const count of [few, many]) {
      const asked = questions(count, targets);
      writeFileSync(join(folder, 'workspace', `${count}.yml`), suiteOf(asked));
      writeFileSync(join(folder, `goss-${count}.yml`), gossfileOf(asked));
    }
    const environment = {
      hosts: { runner: { connection: 'local', roles: ['web'] } },
      components: { app: { roles: ['web'], root: join(folder, 'app'), artifact: 'app.tar' } },
      paths: { state: join(folder, 'state') },
    };
    const manifest = { app: 'bench', environments: { bench: environment } };
    writeFileSync(join(folder, 'workspace/safeguard.yml'), stringify(manifest));
  }

  async ours(count: number) {
    const { bundles, node } = this.#settings;
    const runner: BenchRunner = {
      folder: join(this.#folder, 'runner'),
      workspace: join(this.#folder, 'workspace'),
      bundles,
      node,
      inputs: { manifest: 'safeguard.yml', environment: 'bench' },
    };
    const run = await runBundle(runner, 'health-check', { suite: `${count}.yml` }, 'no-op');
    const suite = run.report.phases.find(({ name }) => name === 'health');
    return {
      processMs: run.processMs,
      peakMegabytes: run.peakMegabytes,
      suiteMs: (suite?.durationSeconds ?? Number.NaN) * 1000,
      slowestMs: Math.max(...run.report.checks.map(({ durationSeconds }) => durationSeconds)) * 1000,
    };
  }

  /** Not waited for in one go: this process also serves what is asked. */
  async goss(count: number): Promise<number> {
    const began = performance.now();
    const child = spawn(
      this.#settings.goss,
      ['--gossfile', join(this.#folder, `goss-${count}.yml`), 'validate', '--format', 'rspecish', '--no-color'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    const [status] = await once(child, 'close');
    if (status !== 0) throw new Error(`goss ended with ${status}:\n${text}`);
    return performance.now() - began;
  }
}

function requireGoss(program: string): void {
  if (spawnSync(program, ['help']).error === undefined) return;
  throw new Error(
    `${program} is missing: go install github.com/goss-org/goss/cmd/goss@v0.4.8, and put it into the PATH or give --goss`,
  );
}
