import { existsSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import type { Check } from '../../../shared/checks/check';
import { defaultChecks, loadSuite, loadSuites } from '../../../shared/checks/suites';
import { emptySuite } from '../../../shared/checks/verdict';
import { SafeguardError } from '../../../shared/errors';
import type { Environment } from '../../../shared/manifest/environment';
import { didYouMean } from '../../../shared/manifest/suggest';

/** Where suites are looked for. */
export interface Places {
  /** Path of the manifest; its suites are relative to its folder. */
  manifest: string;
  /** Folder of the job; files of the input are relative to it. */
  workspace: string;
}

/**
 * What is asked: without a choice the services and every suite of the environment, else one suite and what it needs.
 *
 * @throws SafeguardError `suite-unknown`, `suite-unreadable`, `suite-invalid`, `suite-empty`
 */
export async function chooseChecks(environment: Environment, suite: string | null, places: Places): Promise<Check[]> {
  const folder = dirname(resolve(places.workspace, places.manifest));
  const files = environment.health.suites.map((file) => resolve(folder, file));
  if (suite === null) {
    const all = [...defaultChecks(environment), ...(await loadSuites(files, environment))];
    if (all.length === 0) throw emptySuite();
    return all;
  }
  const ofManifest = environment.health.suites.filter((file) => namesOf(file).includes(suite));
  const [known, another] = ofManifest;
  if (known === undefined) return loadSuite(fileNamed(suite, environment, places), environment);
  if (another !== undefined) throw ambiguous(suite, ofManifest);
  const [own, all] = await Promise.all([
    loadSuite(resolve(folder, known), environment),
    loadSuites(files, environment),
  ]);
  return withNeeds(own, all);
}

/** `checks/health.yml` is meant by its path, its file name, and that without the ending. */
function namesOf(file: string): string[] {
  return [file, basename(file), basename(file, extname(file))];
}

function fileNamed(suite: string, environment: Environment, { workspace }: Places): string {
  const file = resolve(workspace, suite);
  if (existsSync(file)) return file;
  const names = environment.health.suites.map((name) => basename(name, extname(name)));
  throw new SafeguardError(
    `The input \`suite\` is \`${suite.slice(0, 100)}\`, which is neither a suite of the environment ${environment.name} nor a file${didYouMean(suite, names)}.`,
    {
      fault: 'configuration',
      code: 'suite-unknown',
      remedy: `Suites of the environment: ${environment.health.suites.join(', ') || 'none'}. A file is looked for in the folder of the job.`,
    },
  );
}

function ambiguous(suite: string, files: readonly string[]): SafeguardError {
  return new SafeguardError(`The input \`suite\` is \`${suite}\`, which means several: ${files.join(', ')}.`, {
    fault: 'configuration',
    code: 'suite-unknown',
    remedy: 'Give the path as the manifest writes it.',
  });
}

/** A suite may need checks of another one; those are asked as well, and what they need in turn. */
function withNeeds(own: readonly Check[], all: readonly Check[]): Check[] {
  const wanted = new Set(own.map(({ name }) => name));
  for (let size = -1; size !== wanted.size; ) {
    size = wanted.size;
    for (const check of all) if (wanted.has(check.name)) for (const need of check.needs) wanted.add(need);
  }
  return all.filter(({ name }) => wanted.has(name));
}
