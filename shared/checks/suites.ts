import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { SafeguardError, toError } from '../errors';
import type { Environment } from '../manifest/environment';
import { hostsOf } from '../manifest/topology';
import { parseYaml } from '../manifest/yaml';
import type { Check } from './check';
import { validateChecks } from './plan';
import { checkFrom, checkSchema, typeNames } from './registry';
import { bindService, hasService } from './types/service';

/** A suite file, with checks of these types. Published as a JSON Schema, with `io: 'input'`. */
export function suiteSchema(names = typeNames) {
  return z
    .strictObject({
      checks: z
        .array(checkSchema(names))
        .min(1)
        .describe('The checks; all are asked at the same time unless one needs another.'),
    })
    .meta({ title: 'Health checks of deploy-safeguard' });
}

/** The types that a file names; all of them where it names none or another, so that its error can tell them. */
function typesNamed(file: unknown): readonly string[] {
  const entries: unknown = Object(file).checks;
  const named = Array.isArray(entries) ? entries.map((entry): unknown => Object(entry).type) : [];
  const known = typeNames.filter((name) => named.includes(name));
  return known.length === new Set(named).size && known.length > 0 ? known : typeNames;
}

/**
 * The checks of suite files, in order.
 *
 * @param files paths, absolute or relative to the current folder
 * @throws SafeguardError `suite-unreadable`, `suite-invalid`
 */
export async function loadSuites(files: readonly string[], environment: Environment): Promise<Check[]> {
  const suites = await Promise.all(files.map((file) => loadSuite(file, environment)));
  const checks = suites.flat();
  validateChecks([...defaultChecks(environment), ...checks]);
  return checks;
}

/** @throws SafeguardError `suite-unreadable`, `suite-invalid` */
export async function loadSuite(file: string, environment: Environment): Promise<Check[]> {
  return parseSuite(await readSuite(file), file, environment);
}

/** @throws SafeguardError `suite-invalid`, with file, line and column where a single place is to blame. */
export function parseSuite(text: string, file: string, environment: Environment): Check[] {
  const { checks } = parseYaml(text, file, (value) => suiteSchema(typesNamed(value)), { code: 'suite-invalid' });
  return checks.map((entry) => {
    try {
      return checkFrom(entry, environment);
    } catch (thrown) {
      if (!(thrown instanceof SafeguardError) || thrown.code !== 'suite-invalid') throw thrown;
      throw new SafeguardError(`${file}: ${thrown.message}`, {
        fault: thrown.fault,
        code: thrown.code,
        ...(thrown.remedy === undefined ? {} : { remedy: thrown.remedy }),
        cause: thrown,
      });
    }
  });
}

async function readSuite(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    throw new SafeguardError(`The health suite ${file} cannot be read: ${toError(thrown).message}.`, {
      fault: 'configuration',
      code: 'suite-unreadable',
      remedy: 'Correct health.suites of the environment: paths are relative to the folder of the manifest.',
      cause: thrown,
    });
  }
}

const defaultAttempts = 3;
const defaultDelayMs = 5000;

/**
 * What belongs to every deployment's verdict, whatever the user's suites say: the service of every component, on each of
 * its hosts. Asked three times, or as often as fits into the deadline where the services take long to settle.
 */
export function defaultChecks(environment: Environment): Check[] {
  return environment.components.filter(hasService).map((component): Check => {
    const hosts = hostsOf(environment, component).map((host) => host.name);
    const { stabiliseSeconds, deadlineSeconds } = environment.health;
    const bound = bindService(component, hosts, stabiliseSeconds * 1000);
    const timeoutMs = bound.timeoutMs;
    const fitting = Math.floor((deadlineSeconds * 1000 + defaultDelayMs) / (timeoutMs + defaultDelayMs));
    return {
      name: `service ${component.name}`,
      type: 'service',
      category: 'system',
      severity: 'critical',
      attempts: Math.min(defaultAttempts, Math.max(1, fitting)),
      delayMs: defaultDelayMs,
      consecutive: 1,
      needs: [],
      timeoutMs,
      hosts,
      prepare: bound.prepare,
    };
  });
}
