import { createHash } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';

/** The two parts of the demonstration application. */
export const components = ['backend', 'frontend'] as const;
export type ComponentName = (typeof components)[number];

export interface Release {
  version: string;
  /** The component that starts well and then reports itself unhealthy. */
  fails?: ComponentName;
  /** The component that answers every unknown path with its page, as if everything were there. */
  fallback?: ComponentName;
}

/** Where the components listen on their host: what the ready suite that the drill runs asks. */
export const ports: Readonly<Record<ComponentName, number>> = { backend: 4800, frontend: 4810 };

/** What the drill deploys, in the order of its scenarios. */
export const releases = {
  first: { version: '1.0.0' },
  second: { version: '1.1.0' },
  unhealthy: { version: '1.2.0', fails: 'backend' },
  deceptive: { version: '1.2.1', fallback: 'frontend' },
  interrupted: { version: '1.3.0' },
  left: { version: '2.0.0' },
  right: { version: '2.0.1' },
} as const satisfies Record<string, Release>;

const program = readFileSync(new URL('./service.js', import.meta.url), 'utf8');

/** Writes `<folder>/<component>-<version>.tar.gz` for every component of every release. */
export async function buildArtifacts(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const all = Object.values(releases).flatMap((release) => components.map((component) => ({ release, component })));
  await Promise.all(all.map(({ release, component }) => writeArtifact(folder, component, release)));
}

async function writeArtifact(folder: string, component: ComponentName, release: Release): Promise<void> {
  const facts = {
    component,
    version: release.version,
    fails: release.fails === component,
    fallback: release.fallback === component,
  };
  const archive = pack();
  archive.entry({ name: 'service.js', mode: 0o644, mtime: new Date(0) }, program);
  archive.entry({ name: 'release.json', mode: 0o644, mtime: new Date(0) }, `${JSON.stringify(facts)}\n`);
  archive.entry({ name: 'assets/ballast.bin', mode: 0o644, mtime: new Date(0) }, ballast(component, release.version));
  archive.finalize();
  await pipeline(archive, createGzip({ level: 1 }), createWriteStream(path.join(folder, fileName(component, release))));
}

/** 256 KiB that do not compress, so that an upload is one. */
function ballast(component: string, version: string): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index < 8192; index += 1) {
    blocks.push(createHash('sha256').update(`${component} ${version} ${index}`).digest());
  }
  return Buffer.concat(blocks);
}

function fileName(component: string, release: Release): string {
  return `${component}-${release.version}.tar.gz`;
}
