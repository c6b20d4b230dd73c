import { readFile } from 'node:fs/promises';
import { SafeguardError } from '../errors';
import type { Environment } from './environment';
import { normaliseEnvironment } from './normalise';
import { type ManifestSource, manifestSchema } from './schema';
import { didYouMean } from './suggest';
import { show } from './text';
import { parseYaml } from './yaml';

export { componentsOn, hostsOf, ledgerOf } from './topology';
export { substituteVersion, validateVersion } from './version';

/** A manifest that was read and checked as a whole; `selectEnvironment` takes one environment out of it. */
export interface Manifest extends ManifestSource {
  /** The file it came from, as the caller named it. */
  file: string;
}

/** Checks manifest text. `file` appears in messages only. Throws SafeguardError `manifest-invalid`. */
export function parseManifest(text: string, file: string): Manifest {
  return { ...parseYaml(text, file, manifestSchema), file };
}

/**
 * Reads and checks a manifest file.
 * Throws SafeguardError: `manifest-missing`, `manifest-unreadable`, `manifest-invalid`.
 */
export async function loadManifest(path: string): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw unreadable(path, error);
  }
  return parseManifest(text, path);
}

function unreadable(path: string, cause: unknown): SafeguardError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new SafeguardError(`There is no manifest at ${show(path)}.`, {
      fault: 'configuration',
      code: 'manifest-missing',
      remedy: 'Check the input "manifest", and that the repository is checked out before this step.',
      cause,
    });
  }
  const reason = code === 'EISDIR' ? 'it is a folder' : code;
  return new SafeguardError(`The manifest ${show(path)} cannot be read: ${reason}.`, {
    fault: 'configuration',
    code: 'manifest-unreadable',
    remedy: "Give the path of a YAML file that the runner's user may read.",
    cause,
  });
}

/** One environment with every default filled in. Throws SafeguardError `environment-unknown`. */
export function selectEnvironment(manifest: Manifest, name: string): Environment {
  const source = Object.hasOwn(manifest.environments, name) ? manifest.environments[name] : undefined;
  if (source !== undefined) return normaliseEnvironment(manifest.app, name, source);
  const names = Object.keys(manifest.environments);
  throw new SafeguardError(
    `The manifest ${show(manifest.file)} has no environment ${show(name)}${didYouMean(name, names)}; it has: ${names.join(', ')}.`,
    {
      fault: 'configuration',
      code: 'environment-unknown',
      remedy: 'Set the input "environment" to one of the listed names, or add the environment to the manifest.',
    },
  );
}
