import { basename, join, resolve } from 'node:path';
import * as z from 'zod';
import { SafeguardError } from '../errors';
import type { Component, Environment } from '../manifest/environment';
import { show } from '../manifest/text';
import { substituteVersion } from '../manifest/version';
import { parseYaml } from '../manifest/yaml';

export interface ResolvedArtifact {
  component: string;
  /** Absolute path on the runner. */
  path: string;
}

export interface ResolveOptions {
  /** Folder that relative paths start from, usually the workspace. */
  base: string;
  /**
   * The input `artifacts`: a folder in which every component's file or folder of the same name lies, or a JSON or YAML
   * map of components to paths. Empty: the manifest decides.
   */
  override?: string;
}

/**
 * Where the artifact of each component lies, in deployment order. Reads no file.
 * Throws SafeguardError `version-invalid`, `placeholder-unknown`, `artifacts-invalid`.
 */
export function resolveArtifacts(
  environment: Environment,
  version: string,
  options: ResolveOptions,
): ResolvedArtifact[] {
  const template = chooser(environment.components, options.override?.trim() ?? '');
  const resolved = environment.components.map((component) => ({
    component: component.name,
    path: resolve(options.base, substituteVersion(template(component), version)),
  }));
  refuseMerged(environment.components, resolved);
  return resolved;
}

/** The rule by which a component's path template is found. */
function chooser(components: Component[], override: string): (component: Component) => string {
  if (override === '') return ({ artifact }) => artifact;
  if (!isMap(override)) return ({ artifact }) => join(override, basename(artifact));
  const map = parseMap(components, override);
  return ({ name, artifact }) => map.get(name) ?? artifact;
}

function isMap(override: string): boolean {
  return override.startsWith('{') || /^["']?[A-Za-z0-9._-]+["']?\s*:(\s|$)/m.test(override);
}

function parseMap(components: Component[], override: string): Map<string, string> {
  const path = z.string().min(1, { error: () => 'must not be empty' });
  const schema = z.strictObject(Object.fromEntries(components.map(({ name }) => [name, path.optional()])));
  const map = parseYaml(override, 'input "artifacts"', schema, {
    code: 'artifacts-invalid',
    remedy: 'Set the input "artifacts" to a folder, or to a map of component names to paths.',
  });
  return new Map(Object.entries(map).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}

/** A folder in the input must not give two components one file that the manifest keeps apart. */
function refuseMerged(components: Component[], resolved: ResolvedArtifact[]): void {
  for (const [index, one] of resolved.entries()) {
    const other = resolved.findIndex(({ path }, earlier) => earlier < index && path === one.path);
    if (other === -1 || components[other]?.artifact === components[index]?.artifact) continue;
    throw new SafeguardError(
      `The input "artifacts" gives the components "${resolved[other]?.component}" and "${one.component}" the same artifact ${show(one.path)}, which the manifest keeps apart.`,
      {
        fault: 'configuration',
        code: 'artifacts-invalid',
        remedy: 'Set the input "artifacts" to a map of component names to paths.',
      },
    );
  }
}
