import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmod,
  link,
  symlink as makeSymlink,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import zlib, { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Decompressor, zstdProgram } from '../../shared/artifacts/decompress';
import { openUpload, prepareArtifact } from '../../shared/artifacts/prepare';
import { TarReader } from '../../shared/artifacts/tar-reader';
import { file, folder, symlink, tar } from './archive';

const run = promisify(execFile);
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const works = (program: string, ...args: string[]) =>
  run(program, args).then(
    () => true,
    () => false,
  );
const hasBusybox = await works('busybox', 'tar', '--help');
const hasZstd = await works('zstd', '--version');

let root: string;
let temp: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'artifact-'));
  temp = join(root, 'temp');
});
afterEach(() => rm(root, { recursive: true }));

async function write(name: string, content: string | Buffer): Promise<string> {
  const path = join(root, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, content);
  return path;
}

describe('an archive', () => {
  it('is described completely', async () => {
    const content = gzipSync(await tar(folder('./'), file('./b/c', '12345'), file('a', '123'), symlink('l', 'a')));
    const path = await write('a.tar.gz', content);
    expect(await prepareArtifact(path, { temp, component: 'api' })).toEqual({
      component: 'api',
      path,
      format: 'tar.gz',
      sha256: sha256(content),
      bytes: content.length,
      unpackedBytes: 8,
      entries: 4,
      topLevel: ['a', 'b', 'l'],
    });
    await expect(readdir(temp)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is known by its content, whatever its name says', async () => {
    const path = await write('a.tar.gz', await tar(file('a')));
    const artifact = await prepareArtifact(path, { temp });
    expect(artifact.format).toBe('tar');
    expect(artifact).not.toHaveProperty('component');
  });

  it('opens for upload as often as needed', async () => {
    const content = await tar(file('a', Buffer.alloc(600_000, 1)));
    const artifact = await prepareArtifact(await write('a.tar', content), { temp });
    expect(sha256(await buffer(openUpload(artifact)))).toBe(artifact.sha256);
    expect(sha256(await buffer(openUpload(artifact)))).toBe(artifact.sha256);
  });

  it('is sent as it was checked when it fits into the memory for it, and from the disk when it does not', async () => {
    const content = await tar(file('a', Buffer.alloc(600_000, 1)));
    const other = Buffer.from(content).fill(2, 1000, 1001);
    const memory = { left: content.length + 1 };
    const [kept, read] = [
      await prepareArtifact(await write('kept.tar', content), { temp, memory }),
      await prepareArtifact(await write('read.tar', content), { temp, memory }),
    ];
    expect(memory.left).toBe(1);
    for (const name of ['kept.tar', 'read.tar']) await write(name, other);
    expect((await buffer(openUpload(kept))).equals(content)).toBe(true);
    expect((await buffer(openUpload(kept))).equals(content)).toBe(true);
    expect((await buffer(openUpload(read))).equals(other)).toBe(true);
  });

  it('keeps long names of every format', async () => {
    const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(120)}`;
    const path = await write('a.tar', await tar(file(long), file('ü'.repeat(60)), symlink('l', long)));
    expect(await prepareArtifact(path, { temp })).toMatchObject({
      entries: 5,
      topLevel: ['d'.repeat(90), 'l', 'ü'.repeat(60)],
    });
  });

  it('is read the same in pieces of any size', async () => {
    const content = await tar(
      file(`${'n'.repeat(120)}/a`, Buffer.alloc(1300, 7)),
      folder('b'),
      symlink('c', 'b'),
      file('e', ''),
    );
    const read = (size: number) => {
      const names: string[] = [];
      const reader = new TarReader(({ type, name, size: bytes }) => names.push(`${type} ${name} ${bytes}`));
      for (let offset = 0; offset < content.length; offset += size)
        reader.push(content.subarray(offset, offset + size));
      reader.end();
      return names;
    };
    const whole = read(content.length);
    expect(whole).toHaveLength(4);
    for (const size of [1, 7, 511, 512, 513, 1000]) expect(read(size)).toEqual(whole);
  });

  it('of GNU tar is accepted in all its formats', async () => {
    const deep = `${'d'.repeat(100)}/${'e'.repeat(100)}`;
    await write(`src/${deep}/f`, 'x');
    await write('src/ü/f', 'y');
    await link(join(root, 'src/ü/f'), join(root, 'src/ü/hard'));
    await makeSymlink(`${deep}/f`, join(root, 'src/link'));
    for (const format of ['gnu', 'pax', 'oldgnu', 'posix']) {
      const path = join(root, `${format}.tar.gz`);
      await run('tar', [`--format=${format}`, '-czf', path, '-C', join(root, 'src'), '.']);
      await expect(prepareArtifact(path, { temp })).resolves.toMatchObject({ entries: 7, unpackedBytes: 2 });
    }
  });

  it('that is touched while it is read is refused', async () => {
    const path = await write('a.tar', await tar(file('a', Buffer.alloc(20_000_000))));
    let running = true;
    const attempt = prepareArtifact(path, { temp }).finally(() => {
      running = false;
    });
    const touch = async () => {
      for (let second = 1; running; second += 1) await utimes(path, second, second);
    };
    const [verdict] = await Promise.allSettled([attempt, touch()]);
    expect(verdict).toMatchObject({ status: 'rejected', reason: { code: 'artifact-changed' } });
  });

  it('stops when the caller stops', async () => {
    const path = await write('a.tar.gz', gzipSync(await tar(file('a', Buffer.alloc(4_000_000))), { level: 0 }));
    const reason = new Error('cancelled');
    await expect(prepareArtifact(path, { temp, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const running = prepareArtifact(path, { temp, signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await expect(running).rejects.toBe(reason);
  });
});

describe('zstd', () => {
  // A tar of one file of 900000 bytes, made with zstd -19.
  const packedBefore = [
    'KLUv/QRo/AEAAsIGC9A9HGpBKCSZpejIZwY0zQWSl8NC8z9EyDZYDAD7/bkcSY4K8M+gb5AMvOkdCuglALc4IABY8ALmJ4AFRAAA',
    'AAEA/f/lDghEAAAAAQD9/zkAAkQAAAABAP3/OQACRAAAAAEA/f85AAJEAAAAAQD9/zkAAmUAAAgAAgBcvL909uYACHaAfUI=',
  ];
  const packed = Buffer.from(packedBefore.join(''), 'base64');
  const unpackable = typeof zlib.createZstdDecompress === 'function' || hasZstd;

  it('is unpacked, and its damage is found; or it is said what is lacking', async () => {
    const path = await write('a.tar.zst', packed);
    const attempt = prepareArtifact(path, { temp });
    if (!unpackable) {
      await expect(attempt).rejects.toMatchObject({
        code: 'artifact-format',
        message: expect.stringContaining('"zstd"'),
      });
      return;
    }
    expect(await attempt).toMatchObject({ format: 'tar.zst', sha256: sha256(packed), unpackedBytes: 900_000 });
    for (const broken of [packed.subarray(0, -3), Buffer.concat([packed, Buffer.from('garbage')])]) {
      await writeFile(path, broken);
      await expect(prepareArtifact(path, { temp })).rejects.toMatchObject({ code: 'artifact-damaged' });
    }
  });

  describe('by a program', () => {
    /** gzip in the place of zstd: it is on every machine, and the plumbing is the same. */
    const standIn = async () => {
      const program = await write('standin', '#!/bin/sh\nexec gzip -dc\n');
      await chmod(program, 0o755);
      return program;
    };
    const unpack = async (content: Buffer, { stream, settle }: Decompressor) => {
      const chunks: Buffer[] = [];
      const collect = async (pieces: AsyncIterable<Buffer>) => {
        for await (const piece of pieces) chunks.push(piece);
      };
      const error = await pipeline([content], stream, collect).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      await settle(error, content.length);
      return Buffer.concat(chunks);
    };
    const content = Buffer.alloc(900_000, 'ab');

    it('works', async () => {
      expect((await unpack(gzipSync(content), zstdProgram(undefined, await standIn()))).equals(content)).toBe(true);
    });

    it.each<[string, Buffer]>([
      ['cut off', gzipSync(content).subarray(0, -3)],
      ['wrong from the start', Buffer.alloc(900_000, 'x')],
    ])('passes on what the program says when the data is %s', async (_name, broken) => {
      await expect(unpack(broken, zstdProgram(undefined, await standIn()))).rejects.toThrow(/zstd says ".*gzip/);
    });

    it('says which program is missing', async () => {
      const attempt = unpack(Buffer.alloc(300_000), zstdProgram(undefined, 'no-such-program'));
      await expect(attempt).rejects.toThrow('the program "no-such-program" does not start (ENOENT)');
    });
  });
});

describe('a folder', () => {
  async function release(at: string, reverse = false): Promise<string> {
    const files: [string, string | Buffer][] = [
      ['bin/run', '#!/bin/sh\n'],
      ['lib/a', Buffer.alloc(600_000, 3)],
      ['lib/ü', 'text'],
      [`${'d'.repeat(80)}/${'e'.repeat(80)}/f`, 'deep'],
      [`${'g'.repeat(150)}`, 'long'],
      ['empty', ''],
    ];
    for (const [name, content] of reverse ? files.reverse() : files) await write(`${at}/${name}`, content);
    await chmod(join(root, at, 'bin/run'), reverse ? 0o700 : 0o775);
    await makeSymlink('lib/a', join(root, at, 'link'));
    return join(root, at);
  }

  it('gives the same archive whenever and wherever it was made', async () => {
    const [one, two] = [await release('one'), await release('two', true)];
    await utimes(join(one, 'empty'), 1, 1);
    const first = await prepareArtifact(one, { temp, component: 'api' });
    const second = await prepareArtifact(two, { temp: join(root, 'other') });
    expect(second.sha256).toBe(first.sha256);
    expect(first).toMatchObject({ component: 'api', format: 'tar', path: join(temp, `${first.sha256}.tar`) });
    expect(sha256(await readFile(first.path))).toBe(first.sha256);
    expect(await readdir(temp)).toEqual([`${first.sha256}.tar`]);
    await chmod(join(two, 'bin/run'), 0o644);
    expect((await prepareArtifact(two, { temp })).sha256).not.toBe(first.sha256);
  });

  it('is unpacked by tar as it was, and is described like any archive', async () => {
    const artifact = await prepareArtifact(await release('one'), { temp });
    const { path: _path, ...described } = artifact;
    expect(await prepareArtifact(artifact.path, { temp })).toEqual({ ...described, path: artifact.path });
    const out = join(root, 'out');
    await mkdir(out);
    await run('tar', ['-xf', artifact.path, '-C', out]);
    await run('diff', ['-r', join(root, 'one'), out]);
    if (hasBusybox) {
      const other = join(root, 'busybox');
      await mkdir(other);
      await run('busybox', ['tar', '-xf', artifact.path, '-C', other]);
      await run('diff', ['-r', join(root, 'one'), other]);
    }
    const { stdout } = await run('tar', ['--numeric-owner', '--utc', '-tvf', artifact.path]);
    expect(stdout).toMatch(/^-rwxr-xr-x 0\/0 +10 1970-01-01 00:00 bin\/run$/m);
    expect(stdout).toMatch(/^lrwxrwxrwx 0\/0 +0 1970-01-01 00:00 link -> lib\/a$/m);
  });

  it.each([
    [
      'a link that leaves',
      (at: string) => makeSymlink('../../x', join(at, 'l')),
      'artifact-unsafe',
      'leads out of the release',
    ],
    ['an absolute link', (at: string) => makeSymlink('/etc', join(at, 'l')), 'artifact-unsafe', 'absolute path'],
    ['a named pipe', (at: string) => run('mkfifo', [join(at, 'p')]), 'artifact-unsafe', '"p" is a named pipe'],
    [
      'a setuid file',
      async (at: string) => chmod(await write('src/s', 'x'), 0o4755).then(() => at),
      'artifact-unsafe',
      'setuid',
    ],
    ['a newline in a name', (at: string) => writeFile(join(at, 'a\nb'), ''), 'artifact-unsafe', 'control character'],
  ])('with %s is refused and leaves nothing behind', async (_name, make, code, sentence) => {
    const path = await write('src/f', 'x').then(() => join(root, 'src'));
    await make(path);
    const error = await prepareArtifact(path, { temp, component: 'api' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringContaining(sentence) });
    expect(await readdir(temp)).toEqual([]);
  });

  it('with a socket is refused', async () => {
    const path = await write('src/f', 'x').then(() => join(root, 'src'));
    const server = createServer().listen(join(path, 's'));
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      await expect(prepareArtifact(path, { temp })).rejects.toThrow('"s" is a socket');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('that is empty is refused', async () => {
    await mkdir(join(root, 'src/sub'), { recursive: true });
    await expect(prepareArtifact(join(root, 'src'), { temp })).rejects.toMatchObject({ code: 'artifact-empty' });
  });

  it('that holds the temporary folder is refused', async () => {
    await write('f', 'x');
    await expect(prepareArtifact(root, { temp })).rejects.toThrow(/contains the temporary folder/);
  });

  it('that cannot be packed for want of a temporary folder says so', async () => {
    await write('src/f', 'x');
    const blocked = await write('file', 'x');
    const error = await prepareArtifact(join(root, 'src'), { temp: join(blocked, 'temp') }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'artifact-unreadable', message: expect.stringContaining('ENOTDIR') });
  });
});

describe('an artifact that is not there', () => {
  const missing = (path: string) =>
    prepareArtifact(join(root, path), { temp, component: 'api' }).catch((error: { code: string; message: string }) => {
      expect(error.code).toBe('artifact-missing');
      return error.message.replaceAll(root, '');
    });

  it('is named with what lies in its folder', async () => {
    await write('build/api-1.0.tar.gz', '');
    await write('build/api-1.1.tar.gz', '');
    await write('build/web-1.0.tar.gz', '');
    expect(await missing('build/api-2.0.tar.gz')).toBe(
      'The artifact of component "api", "/build/api-2.0.tar.gz", does not exist; its folder "/build" contains "api-1.0.tar.gz", "api-1.1.tar.gz".',
    );
    expect(await missing('build/1.tar')).toContain('contains "api-1.0.tar.gz", "api-1.1.tar.gz", "web-1.0.tar.gz"');
    expect(await missing('biuld/api/x.tar')).toContain('the nearest folder, "", contains "build"');
    expect(await missing('build/web-1.0.tar.gz/x')).toContain('"/build/web-1.0.tar.gz" is not a folder');
  });

  it('is not looked for in vain in an empty folder', async () => {
    await mkdir(join(root, 'build'));
    expect(await missing('build/x.tar')).toContain('its folder "/build" is empty');
  });
});

it('an artifact that is a pipe is refused', async () => {
  await run('mkfifo', [join(root, 'p')]);
  await expect(prepareArtifact(join(root, 'p'), { temp })).rejects.toMatchObject({ code: 'artifact-format' });
});
