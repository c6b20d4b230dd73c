import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildArtifacts } from '../../drill/application/artifacts';
import { allRun, Observer } from '../../drill/observer';
import { freeAddresses, freePorts } from '../../drill/ports';
import { endProcesses, marker, processesOf } from '../../drill/processes';
import { serve } from './serving';

let folder: string;
const running: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'safeguard-application-'));
  await buildArtifacts(path.join(folder, 'build'));
});

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

afterAll(() => rm(folder, { recursive: true }));

describe('the demonstration application', () => {
  it('comes as one archive for each component and version', async () => {
    expect(await readdir(path.join(folder, 'build'))).toHaveLength(14);
  });

  it('serves its page, version and health, and stops when told to', async () => {
    const { url, child } = await serveHere('backend', '1.0.0');
    expect(await text(`${url}/version.txt`)).toEqual([200, '1.0.0\n']);
    expect(await text(`${url}/health`)).toEqual([
      200,
      '{"status":"UP","component":"backend","version":"1.0.0","components":{"database":{"status":"UP"}}}\n',
    ]);
    expect((await text(`${url}/`))[1]).toContain('<strong>1.0.0</strong>');
    expect((await text(`${url}/nothing`))[0]).toBe(404);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('in its bad version starts well and then reports itself unhealthy, in one component only', async () => {
    const bad = await serveHere('backend', '1.2.0');
    expect((await text(`${bad.url}/health`))[0]).toBe(200);
    const observer = new Observer(
      [{ host: 'h', component: 'backend', root: folder, address: '127.0.0.1', port: bad.port }],
      async () => null,
    );
    observer.start();
    expect(await observer.until((seen) => seen[0]?.version === '1.2.0' && !seen[0].healthy, 5000)).toBe(true);
    await observer.stop();
    expect(observer.spans.map((span) => span.healthy)).toEqual([true, false]);
    expect(await text(`${bad.url}/health`)).toMatchObject([500, expect.stringContaining('"status":"DOWN"')]);
    expect((await text(`${bad.url}/`))[0]).toBe(200);
    const other = await serveHere('frontend', '1.2.0');
    expect((await text(`${other.url}/health`))[0]).toBe(200);
  });
});

describe('the version that only looks well', () => {
  it('answers every path of one component with its page, and says that it is up', async () => {
    const bad = await serveHere('frontend', '1.2.1');
    const [status, page] = await text(`${bad.url}/nothing`);
    expect([status, page]).toEqual([200, (await text(`${bad.url}/`))[1]]);
    expect(await text(`${bad.url}/health`)).toMatchObject([200, expect.stringContaining('"status":"UP"')]);
    expect(await text(`${bad.url}/version.txt`)).toEqual([200, '1.2.1\n']);
    const other = await serveHere('backend', '1.2.1');
    expect((await text(`${other.url}/nothing`))[0]).toBe(404);
  });
});

describe('the observer', () => {
  it('tells what is current on disk apart from what answers', async () => {
    const { port } = await serveHere('backend', '1.1.0');
    const root = path.join(folder, 'root');
    await mkdir(path.join(root, 'releases', 'r1'), { recursive: true });
    const observer = new Observer(
      [{ host: 'h', component: 'backend', root, address: '127.0.0.1', port }],
      async (release) => path.basename(release),
    );
    expect(await observer.look()).toMatchObject([
      { version: '1.1.0', healthy: true, release: null, releaseVersion: null },
    ]);
    await symlink('releases/r1', path.join(root, 'current'));
    const seen = await observer.look();
    expect(seen).toMatchObject([{ release: 'r1', releaseVersion: 'r1' }]);
    expect(allRun(seen, '1.1.0')).toBe(false);
    await rename(path.join(root, 'releases', 'r1'), path.join(root, 'releases', '1.1.0'));
    await rm(path.join(root, 'current'));
    await symlink('releases/1.1.0', path.join(root, 'current'));
    expect(allRun(await observer.look(), '1.1.0')).toBe(true);
    await observer.stop();
  });

  it('gives up when what it waits for is gone', async () => {
    const observer = new Observer([], async () => null);
    expect(await observer.until(() => false, 10)).toBe(false);
    expect(await observer.until(() => false, 60_000, Promise.resolve())).toBe(false);
    await observer.stop();
  });
});

describe('what a drill started', () => {
  it('is found by its mark and ended with its children, and nothing else is', async () => {
    const sleeper = (value: string) =>
      spawn('/bin/sh', ['-c', 'echo up; sleep 60 & wait'], {
        env: { ...process.env, [marker]: value },
        detached: true,
      });
    const [mine, other] = [sleeper('drill-a'), sleeper('drill-b')];
    running.push(other);
    await Promise.all([mine, other].map((child) => new Promise((resolve) => child.stdout.once('data', resolve))));
    expect(processesOf('drill-a', '/nowhere')).toContain(mine.pid);
    expect(await endProcesses('drill-a', '/nowhere')).toEqual([]);
    expect(processesOf('drill-b', '/nowhere')).toContain(other.pid);
    expect(await endProcesses('drill-b', '/nowhere')).toEqual([]);
  });
});

it('free addresses have every port free, and say so when there is none', async () => {
  const [port = 0] = await freePorts(1);
  const found = await freeAddresses(2, [port]);
  expect(new Set(found).size).toBe(2);
  expect(found.every((address) => /^127\.\d+\.\d+\.1[12]$/.test(address))).toBe(true);
  const everywhere = createServer();
  await new Promise<void>((resolve) => everywhere.listen(port, '0.0.0.0', resolve));
  try {
    await expect(freeAddresses(1, [port])).rejects.toThrow(`one of the TCP ports ${port} on every address`);
  } finally {
    await new Promise((resolve) => everywhere.close(resolve));
  }
});

it('free ports are different from each other', async () => {
  expect(new Set(await freePorts(20)).size).toBe(20);
});

async function serveHere(
  component: string,
  version: string,
): Promise<{ url: string; port: number; child: ChildProcess }> {
  const [port = 0] = await freePorts(1);
  const child = await serve(folder, component, version, { address: '127.0.0.1', port, token: 'of-a-member' });
  running.push(child);
  return { url: `http://127.0.0.1:${port}`, port, child };
}

async function text(url: string): Promise<[number, string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}
