import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

export interface Serving {
  address: string;
  port: number;
  /** What the routes for members ask for. */
  token?: string;
}

/** Unpacks a component from `<folder>/build` and runs it until the caller ends it. Resolves once it answers. */
export async function serve(
  folder: string,
  component: string,
  version: string,
  { address, port, token }: Serving,
): Promise<ChildProcess> {
  const release = path.join(folder, `${component}-${version}`);
  await unpack(path.join(folder, 'build', `${component}-${version}.tar.gz`), release);
  const settings = path.join(folder, `${component}-${version}.json`);
  await writeFile(settings, JSON.stringify({ host: 'web-01', address, port, token }));
  const child = spawn(process.execPath, ['service.js', settings], { cwd: release });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.stderr.once('data', (said) => reject(new Error(String(said))));
  });
  return child;
}

async function unpack(archive: string, target: string): Promise<void> {
  const entries = extract();
  const done = pipeline(createReadStream(archive), createGunzip(), entries);
  for await (const entry of entries) {
    const file = path.join(target, entry.header.name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, entry as AsyncIterable<Buffer>);
  }
  await done;
}
