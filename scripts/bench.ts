/*
 * npm run bench [-- --hosts 1,4 --sizes 20 --rounds N --only deploy,noop --contestants bare,safeguard]
 *               [--local | --checks [--goss PROGRAM]] [--bundles FOLDER] [--node PROGRAM] [--docs] [--strict]
 *
 * Measures the bundled actions against the pipeline that people write by hand and against Ansible, in turn on the same
 * fleet of real hosts, so that whatever else the machine does hits all. Prints tables, writes bench-report.json. Needs root
 * and some Debian packages, and says which.
 *
 *   --hosts        numbers of hosts; default: 1,4,8,16
 *   --sizes        sizes of the artifact in MB; default: 20,200
 *   --rounds       default: fewer, the longer a round takes
 *   --only         some of deploy, delta, noop, rollback, failure, starts
 *   --contestants  some of bare, safeguard, ansible
 *   --local        one host behind an sshd of this user, without root and without Ansible
 *   --checks       health checks, beside goss, which is asked the same; without root
 *   --bundles      folder with <name>/index.js; without it the bundles are made anew from the sources
 *   --node         program that runs the bundles; default: the Node 24 of node_modules
 *   --docs         writes tables and picture into docs/
 *   --strict       exits 1 when a promise is not kept
 */
import { writeFileSync } from 'node:fs';
import { startedActions, withBundles } from './bench/bundles';
import { measureChecks } from './bench/checks/measure';
import { writePage, writeRegion } from './bench/docs';
import { measureOnFleet } from './bench/fleet/measure';
import { drawDeployments } from './bench/fleet/picture';
import { checkBenchRequirements } from './bench/fleet/requirements';
import { renderFleetTables } from './bench/fleet/results';
import { measureLocally } from './bench/local/measure';
import { type Options, parseOptions } from './bench/options';
import { renderTables, type Target } from './bench/results';

const localRounds = 7;
const checkRounds = 9;

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const options = parseOptions(args);
  const targets = options.checks
    ? await checks(options)
    : options.local
      ? await local(options)
      : await fleet(options, args);
  if (options.strict && targets.some(({ met }) => !met)) process.exitCode = 1;
}

async function local(options: Options): Promise<Target[]> {
  const report = await withBundles(options.bundles, startedActions, (bundles) =>
    measureLocally({ rounds: options.rounds ?? localRounds, bundles, node: options.node }),
  );
  const text = renderTables(report);
  publish(report, text);
  if (options.docs) writeRegion('bench-local', text);
  return report.targets;
}

async function checks(options: Options): Promise<Target[]> {
  const report = await withBundles(options.bundles, ['health-check'], (bundles) =>
    measureChecks({ rounds: options.rounds ?? checkRounds, bundles, node: options.node, goss: options.goss }),
  );
  const text = renderTables(report);
  publish(report, text);
  if (options.docs) writeRegion('bench-checks', text);
  return report.targets;
}

/** What somebody else has to type: without where the pictures go and where bundles of the same sources lie ready. */
function reproducible(args: readonly string[]): string[] {
  return args.filter((arg, index) => arg !== '--docs' && arg !== '--bundles' && args[index - 1] !== '--bundles');
}

async function fleet(options: Options, args: string[]): Promise<Target[]> {
  checkBenchRequirements(options.contestants, Math.max(...options.hosts));
  const needed = options.only.has('starts') ? startedActions : ['deploy', 'rollback'];
  const command = ['npm run bench', ...(args.length > 0 ? ['--', ...reproducible(args)] : [])];
  const report = await withBundles(options.bundles, needed, (bundles) =>
    measureOnFleet({ ...options, bundles, command: command.join(' ') }),
  );
  const text = renderFleetTables(report);
  publish(report, text);
  if (options.docs) writePage(text, drawDeployments(report));
  return report.targets;
}

function publish(report: object, text: string): void {
  console.log(text);
  writeFileSync('bench-report.json', `${JSON.stringify(report, null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
