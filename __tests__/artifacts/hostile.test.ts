import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PreparedArtifact } from '../../shared/artifacts/artifact';
import { prepareArtifact } from '../../shared/artifacts/prepare';
import { SafeguardError } from '../../shared/errors';
import { file, folder, hardLink, type Member, patchHeader, symlink, tar, tarGz } from './archive';

let temp: string;
let path: string;
beforeAll(async () => {
  temp = await mkdtemp(join(tmpdir(), 'artifact-'));
  path = join(temp, 'backend-1.tar.gz');
});
afterAll(() => rm(temp, { recursive: true }));

async function prepare(content: Buffer): Promise<PreparedArtifact> {
  await writeFile(path, content);
  return prepareArtifact(path, { temp, component: 'backend' });
}

async function refusal(content: Buffer): Promise<SafeguardError> {
  const error = await prepare(content).then(
    () => new Error('was accepted'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SafeguardError)) throw error;
  expect(error.fault).toBe('configuration');
  expect(error.remedy).toBeDefined();
  expect(error.message).toMatch(/^The artifact of component "backend", ".*backend-1\.tar\.gz", [^\n]*\.$/);
  return error;
}

const unsafe: [string, Member[], string][] = [
  ['an absolute name', [file('/etc/passwd')], '"/etc/passwd" has an absolute name'],
  ['a name that leaves', [file('a/../../b')], 'has a name with ..'],
  ['a name of ..', [folder('..')], 'has a name with ..'],
  ['a name that only seems to stay', [file('a/../b')], 'has a name with ..'],
  ['a file in place of the release', [file('.')], 'in place of the release folder'],
  ['a symbolic link in place of the release', [symlink('./', 'x')], 'in place of the release folder'],
  ['an absolute symbolic link', [file('f'), symlink('a', '/etc')], 'absolute path "/etc"'],
  ['a symbolic link that leaves', [file('f'), symlink('a', '../x')], 'leads out of the release'],
  ['a symbolic link that leaves from below', [file('d/f'), symlink('d/a', '../../x')], 'leads out of the release'],
  ['a symbolic link that leaves and returns', [file('f'), symlink('a', '../release/f')], 'leads out of the release'],
  [
    'a chain of symbolic links that leaves',
    [file('d/e/f'), symlink('d/e/up', '..'), symlink('out', 'd/e/up/../../x')],
    '"out" is a symbolic link to "d/e/up/../../x", which leads out',
  ],
  [
    'a chain whose parts come later',
    [file('f'), symlink('a', 'b/../x'), symlink('b', 'c'), symlink('c', '.')],
    '"a" is a symbolic link to "b/../x", which leads out',
  ],
  ['symbolic links in a circle', [file('f'), symlink('a', 'b'), symlink('b', 'a')], 'leads in a circle'],
  ['a symbolic link to itself', [file('f'), symlink('a', 'a/x')], 'leads in a circle'],
  ['a write through a link', [folder('d'), symlink('a', 'd'), file('a/f')], 'through the symbolic link "a"'],
  ['a deep write through a link', [folder('d'), symlink('a', 'd'), file('a/b/c/f')], 'through the symbolic link "a"'],
  ['a folder through a link', [folder('d'), symlink('a', 'd'), folder('a/b')], 'through the symbolic link "a"'],
  ['a write below a file', [file('a'), file('a/b')], 'through the file "a"'],
  ['a folder replaced by a link', [folder('a'), symlink('a', 'b')], 'as a directory and again as a symbolic link'],
  ['an implied folder replaced by a link', [file('a/b'), symlink('a', 'c')], 'as a directory and again as a symbolic'],
  ['a link replaced by a folder', [symlink('a', 'b'), folder('./a/')], 'as a symbolic link and again as a directory'],
  ['a file replaced by a link', [file('a'), symlink('.//a', 'b')], 'as a file and again as a symbolic link'],
  [
    'a link with two targets',
    [file('f'), symlink('a', 'f'), symlink('a', 'g')],
    'appears twice, linked to "f" and to "g"',
  ],
  ['a hard link that leaves', [hardLink('a', '../x')], 'has a target with ..'],
  ['an absolute hard link', [hardLink('a', '/etc/shadow')], 'links the absolute path'],
  ['a hard link to nothing', [hardLink('a', 'b')], 'which is no entry before it'],
  ['a hard link to a later file', [hardLink('a', 'b'), file('b')], 'which is no entry before it'],
  [
    'a hard link to a symbolic link',
    [file('d/f'), symlink('d/l', 'f'), hardLink('a', 'd/l')],
    'which is a symbolic link',
  ],
  ['a hard link through a symbolic link', [file('d/f'), symlink('l', 'd'), hardLink('a', 'l/f')], 'no entry before it'],
  ['a hard link to a folder', [folder('d'), hardLink('a', 'd')], 'which is a directory'],
  ['a character device', [{ name: 'd', type: 'character-device' }], 'is a character device'],
  ['a block device', [{ name: 'd', type: 'block-device' }], 'is a block device'],
  ['a named pipe', [{ name: 'p', type: 'fifo' }], 'is a named pipe'],
  ['a setuid file', [file('s', 'x', 0o4755)], 'is setuid or setgid'],
  ['a setgid file', [file('s', 'x', 0o2755)], 'is setuid or setgid'],
  ['a newline in a name', [file('a\nb')], 'control character'],
  ['an escape in a name', [file('a\u001b[31m')], '"a\\u001b[31m" has a name with a control character'],
  ['a C1 control in a name', [file('a\u009b31m')], 'control character'],
  ['a newline in a target', [file('f'), symlink('a', 'f\n')], 'has a target with a control character'],
  ['a name that is not UTF-8', [file('a\uFFFD')], 'not valid UTF-8'],
  ['a name too long for Linux', [file('n'.repeat(256))], 'more than 255 bytes'],
];

describe('an archive that would not stay in its release is refused', () => {
  it.each(unsafe)('%s', async (_name, members, sentence) => {
    const error = await refusal(await tarGz(...members));
    expect(error.message).toContain(sentence);
    expect(error.code).toBe('artifact-unsafe');
  });

  it.each(unsafe)('%s, behind good members and without compression', async (_name, members, sentence) => {
    const good = Array.from({ length: 20 }, (_, index) => file(`good/${index}/file`, Buffer.alloc(index * 99)));
    expect((await refusal(await tar(...good, ...members))).message).toContain(sentence);
  });
});

describe('links that stay are accepted', () => {
  it.each<[string, Member[]]>([
    ['relative links', [file('lib/a.so.1'), symlink('lib/a.so', 'a.so.1'), symlink('bin', 'lib/../lib')]],
    ['a link to the release itself', [file('d/f'), symlink('d/top', '..')]],
    ['a link to what is not there yet', [file('f'), symlink('cache', 'tmp/cache')]],
    ['a link before its target', [symlink('a', 'b/c'), file('b/c')]],
    ['a link through links', [file('x/y/z'), symlink('p', 'x'), symlink('q', 'p/y'), symlink('r', 'q/../y/z')]],
    ['hard links', [file('a'), hardLink('b', './a'), hardLink('c/d', 'b')]],
    [
      'members given twice',
      [folder('d'), file('d/f'), folder('d/'), file('d/f', 'newer'), symlink('s', 'd'), symlink('s', 'd')],
    ],
    ['dots in names', [file('..a'), file('b..'), file('...'), folder('./')]],
    ['sticky and setgid folders', [{ name: 'd', type: 'directory', mode: 0o3777 }, file('d/f')]],
  ])('%s', async (_name, members) => {
    await expect(prepare(await tarGz(...members))).resolves.toMatchObject({ format: 'tar.gz' });
  });
});

describe('what tar programs read differently is refused', () => {
  const withType = async (type: string) =>
    patchHeader(await tar(file('a', '')), 0, (header) => header.write(type, 156));
  const withGlobalPax = async (record: string) => {
    const header = patchHeader(await tar(file('g', record)), 0, (block) => block.write('g', 156));
    return Buffer.concat([header.subarray(0, 1024), await tar(file('a'))]);
  };

  it.each(['S', 'D', 'M', 'V', 'N', 'X', 'A'])('an entry of kind %s', async (type) => {
    const error = await refusal(await withType(type));
    expect(error.code).toBe('artifact-format');
    expect(error.message).toContain(`"a" as an entry of kind "${type}"`);
  });

  it.each<[string, Record<string, string>, string]>([
    ['a sparse file by pax', { 'GNU.sparse.name': '/etc/passwd' }, '"GNU.sparse.name"'],
    ['another character set', { hdrcharset: 'ISO-IR 8859 1 1998' }, 'character set'],
    ['a size that is none', { size: '12x' }, 'gives the size "12x"'],
    ['a negative size', { size: '-1' }, 'gives the size "-1"'],
    ['an absolute name by pax', { path: '/etc/passwd' }, '"/etc/passwd" has an absolute name'],
  ])('%s', async (_name, pax, sentence) => {
    expect((await refusal(await tar({ ...file('a'), pax }))).message).toContain(sentence);
  });

  it('a name for all entries at once, but not a comment as git writes it', async () => {
    expect((await refusal(await withGlobalPax('9 path=x\n'))).message).toContain('sets the path of all its entries');
    await expect(prepare(await withGlobalPax('18 comment=a1b2c3\n'))).resolves.toMatchObject({ topLevel: ['a'] });
  });

  it('a folder or a link with a content', async () => {
    for (const type of ['5', '2', '1']) {
      const archive = patchHeader(await tar(file('a', 'x')), 0, (header) => header.write(type, 156));
      expect((await refusal(archive)).message).toContain('"a" a content');
    }
  });

  it('data behind the end mark', async () => {
    const two = Buffer.concat([await tar(file('a')), await tar(symlink('a', '/etc'))]);
    expect((await refusal(two)).message).toContain('more data behind its end mark');
    expect((await refusal(Buffer.concat([await tar(file('a')), Buffer.from('tail')]))).message).toContain(
      'behind its end',
    );
  });

  it('but padding behind the end mark is usual', async () => {
    await expect(prepare(Buffer.concat([await tar(file('a')), Buffer.alloc(10240)]))).resolves.toMatchObject({
      entries: 1,
    });
  });

  it('an extended header that fills the memory', async () => {
    const archive = patchHeader(await tar({ ...file('a'), pax: { x: 'y' } }), 0, (header) =>
      header.write('77777777777 ', 124),
    );
    expect((await refusal(archive)).message).toContain('more than 1 MiB');
  });

  it('an extended header without its entry', async () => {
    const archive = await tar({ ...file('a'), pax: { path: 'b' } });
    const cut = Buffer.concat([archive.subarray(0, 1024), Buffer.alloc(1024)]);
    expect((await refusal(cut)).message).toContain('extended header without its entry');
  });
});

describe('damage', () => {
  const many = () =>
    tar(...Array.from({ length: 30 }, (_, index) => file(`d/file-${index}`, Buffer.alloc(700, index + 1))));

  it('is found at every place where a tar is cut off', async () => {
    const archive = await many();
    for (let length = 1; length < archive.length; length += 239) {
      const error = await refusal(archive.subarray(0, length));
      expect(['artifact-damaged', 'artifact-format']).toContain(error.code);
      if (length > 512) expect(error.message).toContain('is cut off at the entry "d/file-');
    }
    expect((await refusal(archive.subarray(0, archive.length - 512))).message).toContain('cut off');
  });

  it('is found at every place where a tar.gz is cut off', async () => {
    const archive = gzipSync(await many());
    for (let length = 18; length < archive.length; length += 7) {
      expect((await refusal(archive.subarray(0, length))).message).toContain('is cut off: its compressed data');
    }
  });

  it('is found wherever a bit of a tar.gz flips', async () => {
    const content = await many();
    const archive = gzipSync(content);
    const unpacked = (bytes: Buffer) => {
      try {
        return gunzipSync(bytes);
      } catch {
        return null;
      }
    };
    for (let offset = 10; offset < archive.length; offset += 5) {
      const flipped = Buffer.from(archive);
      flipped[offset] = (flipped[offset] as number) ^ 0x10;
      // The last bits before the checksum may be filling that means nothing.
      if (unpacked(flipped)?.equals(content)) continue;
      const error = await refusal(flipped);
      expect(['artifact-damaged', 'artifact-unsafe', 'artifact-format']).toContain(error.code);
    }
  });

  it('names the entry where the compressed data breaks', async () => {
    const noise = createHash('sha512').update('seed').digest();
    const content = Buffer.concat(
      Array.from({ length: 40_000 }, (_, index) => createHash('md5').update(noise).update(String(index)).digest()),
    );
    const archive = await tarGz(file('first', content), file('second', content), file('third', content));
    expect((await refusal(archive.subarray(0, archive.length - 700_000))).message).toContain('at the entry "second"');
  });

  it('is found in a header', async () => {
    const archive = Buffer.from(await tar(file('a', Buffer.alloc(512)), file('b')));
    archive[1024 + 5] = 7;
    expect((await refusal(archive)).message).toContain('a header has a wrong checksum (behind the entry "a")');
  });

  it.each([1, 2, 100, 70_000])('%i bytes behind the end of a tar.gz are found', async (count) => {
    const archive = await tarGz(file('a', Buffer.alloc(300_000)));
    expect((await refusal(Buffer.concat([archive, Buffer.alloc(count)]))).message).toContain('something else behind');
    expect((await refusal(Buffer.concat([archive, Buffer.alloc(count, 'x')]))).message).toMatch(
      /something else behind|cut off/,
    );
  });

  it('is not what a tar.gz of several members has', async () => {
    const archive = await tar(file('a', Buffer.alloc(5000)));
    const parts = [gzipSync(archive.subarray(0, 700)), gzipSync(archive.subarray(700))];
    await expect(prepare(Buffer.concat(parts))).resolves.toMatchObject({ entries: 1, unpackedBytes: 5000 });
  });
});

describe('a wrong format', () => {
  it.each<[string, Buffer, string, string]>([
    ['an empty file', Buffer.alloc(0), 'artifact-empty', 'is empty (0 bytes)'],
    [
      'a zip archive',
      Buffer.from('PK\u0003\u0004rest of it'),
      'artifact-format',
      'is a zip archive, not a tar archive',
    ],
    ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), 'artifact-format', 'is compressed with xz'],
    ['bzip2', Buffer.from('BZh91AY'), 'artifact-format', 'is compressed with bzip2'],
    [
      'an error page',
      Buffer.from('\n<!DOCTYPE html><title>404</title>'),
      'artifact-format',
      'text that begins with "<!DOCTYPE html>',
    ],
    ['noise', createHash('sha512').update('x').digest(), 'artifact-format', 'is not a tar archive'],
    ['compressed text', gzipSync('hello'), 'artifact-format', 'holds no tar archive'],
    ['compressed long text', gzipSync('hello'.repeat(500)), 'artifact-format', 'holds no tar archive'],
    ['compressed nothing', gzipSync(''), 'artifact-empty', 'contains no file'],
    ['an archive of nothing', Buffer.alloc(10240), 'artifact-empty', 'contains no file'],
  ])('%s', async (_name, content, code, sentence) => {
    const error = await refusal(content);
    expect(error.message).toContain(sentence);
    expect(error.code).toBe(code);
  });

  it('is also an archive that holds only folders', async () => {
    expect((await refusal(await tarGz(folder('./'), folder('a/b')))).message).toContain('contains no file');
  });
});
