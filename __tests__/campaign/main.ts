import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { replaceRegion } from '../../scripts/regions';
import { type Fleet, startFleet } from '../system/fleet/fleet';
import type { Evidence } from './evidence';
import { type Campaign, isClean, type Result, renderFigures, resultOf, unjudged } from './figures';
import { type Options, parseOptions } from './options';
import { judge } from './oracle';
import { CutShort, playSchedule } from './play';
import { Random } from './random';
import { makeReleases } from './releases';
import { makeRepositories } from './repositories';
import { checkCampaignRequirements } from './requirements';
import { sabotage } from './sabotage';
import { makeSchedule } from './schedule';
import { Site, type SiteOptions } from './site';
import { renderTimeline } from './timeline';

const kept = '.tmp/campaign';
const reportFile = 'campaign-report.json';

/** Plays schedules on several fleets side by side until there is none left. Resolves with the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  checkCampaignRequirements();
  const startedAt = new Date();
  const folder = mkdtempSync(join(tmpdir(), 'campaign-'));
  const command = `npm run campaign -- ${args.filter((arg) => arg !== '--docs').join(' ')}`;
  const results: Result[] = [];
  console.log(`campaign of seed ${options.seed}, ${options.fleets} fleets, Node ${process.version}`);
  try {
    const repositories = makeRepositories(join(folder, 'repositories'));
    if (options.sabotage !== null) sabotage(options.sabotage, join(repositories.withPost, 'dist'));
    const releases = join(folder, 'releases');
    await makeReleases(releases);
    const seeds = seedsOf(options);
    const progress = new Progress(options, results);
    // Once: who asks again does not want to wait for the schedules that are being played.
    process.once('SIGINT', () => {
      progress.stopped = true;
    });
    const parts = { repositories, releases, node: process.execPath };
    await Promise.all(
      Array.from({ length: options.fleets }, async () => {
        while (
          !progress.stopped &&
          (await playOn(await startFleet(options.hostsMax), parts, seeds, options, progress))
        );
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const campaign: Campaign = {
    schema: 1,
    command,
    seed: options.seed,
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    fleets: options.fleets,
    node: process.version,
    processorSeconds: processorSeconds(),
    results,
  };
  return finish(campaign, options);
}

/** One generator for all fleets: each takes the next seed. */
function* seedsOf(options: Options): Generator<number> {
  if (options.replay.length > 0) {
    yield* options.replay;
    return;
  }
  const random = new Random(options.seed);
  const until = options.minutes === null ? Number.POSITIVE_INFINITY : Date.now() + options.minutes * 60_000;
  const count = options.schedules ?? Number.POSITIVE_INFINITY;
  for (let index = 0; index < count && Date.now() < until; index += 1) yield random.seed();
}

/** Resolves with whether another fleet has to go on: one on which something could not be judged may be in any state. */
async function playOn(
  fleet: Fleet,
  parts: Omit<SiteOptions, 'fleet'>,
  seeds: Generator<number>,
  options: Options,
  progress: Progress,
): Promise<boolean> {
  try {
    const site = new Site({ fleet, ...parts });
    await site.prepare(makeSchedule(0, options.hostsMax));
    for (;;) {
      if (progress.stopped) return false;
      const { value: seed, done } = seeds.next();
      if (done) return false;
      if (!(await playOne(site, seed, options, progress))) return true;
    }
  } finally {
    await fleet.destroy();
  }
}

/** Resolves with whether it could be judged. */
async function playOne(site: Site, seed: number, options: Options, progress: Progress): Promise<boolean> {
  const schedule = makeSchedule(seed, options.hostsMax);
  let evidence: Evidence;
  try {
    evidence = await playSchedule(site, schedule);
  } catch (error) {
    const result = unjudged(seed, schedule.hosts, error);
    const timeline = error instanceof CutShort ? renderTimeline(error.evidence) : '';
    keep(seed, { schedule, result, timeline });
    progress.note(result, timeline);
    return false;
  }
  const result = resultOf(evidence, judge(evidence));
  const timeline = isClean(result) && !options.keepAll ? '' : renderTimeline(evidence);
  if (timeline !== '') keep(seed, { schedule, result, evidence, timeline });
  progress.note(result, timeline);
  return true;
}

/** The folder of a schedule: what was planned, what was seen, what every run said. */
function keep(
  seed: number,
  {
    evidence,
    timeline,
    schedule,
    result,
  }: { schedule: object; result: Result; evidence?: Evidence; timeline?: string },
): void {
  const folder = join(kept, String(seed));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const write = (name: string, content: unknown) =>
    writeFileSync(join(folder, name), typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`);
  write('schedule.json', schedule);
  write('result.json', result);
  if (timeline !== undefined) write('timeline.txt', timeline);
  if (evidence === undefined) return;
  write('final.json', evidence.final);
  write('settled.json', evidence.settled);
  write('moments.json', Object.fromEntries(evidence.moments));
  for (const run of evidence.runs) {
    write(`run-${run.id}-${run.action}.log`, `${(run.result?.lines ?? []).map(({ text }) => text).join('\n')}\n`);
    if (run.report !== null) write(`run-${run.id}-${run.action}.json`, run.report);
  }
  for (const host of evidence.hosts) {
    const lines = evidence.entries.filter((entry) => entry.host === host).map(({ at, raw }) => `${at} ${raw}`);
    write(`journal-${host}.txt`, `${lines.join('\n')}\n`);
  }
}

/** Says how it goes, and when to stop. */
class Progress {
  stopped = false;
  readonly #options: Options;
  readonly #results: Result[];
  readonly #began = Date.now();

  constructor(options: Options, results: Result[]) {
    this.#options = options;
    this.#results = results;
  }

  note(result: Result, timeline: string): void {
    this.#results.push(result);
    const { replay, stopAtFirst, sabotage: broken, hostsMax } = this.#options;
    const count = this.#results.length;
    if (!isClean(result)) {
      console.log(`\n✗ schedule ${result.seed}: ${result.error ?? ''}`);
      for (const breach of result.breaches ?? []) console.log(`  ${breach}`);
      if (timeline !== '') console.log(timeline);
      console.log(
        `  kept in ${kept}/${result.seed}/; play it again: npm run campaign -- --replay ${result.seed} --hosts-max ${hostsMax}\n`,
      );
      if (stopAtFirst || broken !== null) this.stopped = true;
    }
    if (replay.length === 0 && count % 10 !== 0) return;
    const bad = this.#results.filter((one) => !isClean(one)).length;
    const seconds = (Date.now() - this.#began) / 1000;
    console.log(
      `${count} schedules, ${bad} failed, ${Math.round(seconds)} s, ${(seconds / count).toFixed(1)} s each; last: ${result.hosts} hosts, ${result.faults.join('+') || 'no fault'} → ${result.outcomes.join(', ')}`,
    );
  }
}

/** Of this process and of those that it has waited for, from /proc: hundredths of a second there. */
function processorSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Math.round([11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0) / 100);
}

function finish(campaign: Campaign, options: Options): number {
  const figures = renderFigures(campaign);
  writeFileSync(reportFile, `${JSON.stringify(campaign, null, 1)}\n`);
  console.log(`\n${figures}`);
  const failed = campaign.results.filter((result) => !isClean(result));
  for (const { seed, breaches, error } of failed) {
    console.log(`✗ ${seed}: ${breaches?.join('; ') ?? `could not be judged: ${error?.split('\n')[0]}`}`);
  }
  if (options.docs) {
    const file = 'docs/reliability.md';
    const written = replaceRegion(readFileSync(file, 'utf8'), 'campaign', figures);
    if (written === null) throw new Error(`${file} has no region for the figures of the campaign`);
    writeFileSync(file, written);
  }
  return failed.length === 0 ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  },
);
