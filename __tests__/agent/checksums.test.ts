import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { renderPlan } from '../../shared/transaction/host-plan';
import { file, folder, tar } from '../artifacts/archive';
import { artifactOf, Box, must, payload } from './box';
import { describeInShells, whereIs } from './shells';

/** Control characters in names are refused on the runner already. */
const odd = artifactOf(await tar(file('back\\slash', 'one'), folder('sub'), file('sub/ *.', 'three')));

function replace(name: string): void {
  rmSync(name);
  writeFileSync(name, 'other');
}

/** Does something to a file and gives it back the times that it had. */
function backdated(name: string, change: () => void): void {
  const { atime, mtime } = statSync(name);
  change();
  utimesSync(name, atime, mtime);
}

describeInShells('whether a release is undamaged', (shell) => {
  let box: Box;
  beforeEach(async () => {
    box = await Box.create(shell);
  });
  afterEach(() => box.dispose());

  const deploy = (artifact = payload) => box.deploy('1.0.0', [box.component()], artifact);

  async function problems(): Promise<string[]> {
    const plan = renderPlan(box.plan({ components: [box.component({ artifact: payload.planned })] }));
    const answer = must(await box.verb('preflight', {}, { stdin: plan }));
    return answer.records.filter(({ kind }) => kind === 'problem').map(({ fields }) => fields['code'] ?? '');
  }

  const damage = (name: string) => writeFileSync(path.join(box.place(), 'current', name), 'changed');

  function sums(): string {
    const release = path.basename(box.current() ?? '');
    return readFileSync(path.join(box.place(), 'releases/.meta', `${release}.sums`), 'utf8');
  }

  /** What a host without a usable openssl has in its place. */
  function breakOpenssl(): void {
    const program = path.join(box.folder, 'programs/openssl');
    if (existsSync(program)) rmSync(program);
    symlinkSync(whereIs('false') ?? '/bin/false', program);
  }

  /** Of the release in use: another file of it than its contents. */
  const noted = (kind: 'sums' | 'seal') =>
    path.join(box.place(), 'releases/.meta', `${path.basename(box.current() ?? '')}.${kind}`);
  /** From now on only its files can tell. */
  const breakSeal = () => rmSync(noted('seal'));

  it('is seen with and without openssl', async () => {
    await deploy();
    breakSeal();
    expect(/ \*\.\//.test(sums())).toBe(whereIs('openssl') !== null);
    expect(await problems()).toEqual([]);
    breakOpenssl();
    expect(await problems()).toEqual([]);
    damage('sub/with space.txt');
    expect(await problems()).toEqual(['way-back-damaged']);
  });

  it('is seen where openssl is there and a file was changed', async () => {
    await deploy();
    damage('sub/with space.txt');
    expect(await problems()).toEqual(['way-back-damaged']);
  });

  it('is seen in a release that was unpacked without openssl', async () => {
    breakOpenssl();
    await deploy();
    breakSeal();
    expect(sums()).not.toMatch(/ \*\.\//);
    expect(await problems()).toEqual([]);
    damage('z-last.txt');
    expect(await problems()).toEqual(['way-back-damaged']);
  });

  it.each(['back\\slash', 'sub/ *.'])('is seen with odd names, such as %j', async (name) => {
    await deploy(odd);
    breakSeal();
    expect(await problems()).toEqual([]);
    damage(name);
    expect(await problems()).toEqual(['way-back-damaged']);
  });

  it('is known without reading it where nothing of it was touched since', async () => {
    await deploy();
    // Whoever reads the files finds that none of them is as it is written here.
    writeFileSync(noted('sums'), sums().replaceAll(/^[0-9a-f]{64}/gm, 'a'.repeat(64)));
    // The find of busybox does not know the time of a change.
    expect(await problems()).toEqual(shell.applets ? ['way-back-damaged'] : []);
    breakSeal();
    expect(await problems()).toEqual(['way-back-damaged']);
  });

  it.each<[string, (file: string) => void]>([
    ['written to, and dated back', (name) => backdated(name, () => appendFileSync(name, 'more'))],
    ['removed', (name) => rmSync(name)],
    ['replaced by another with its date', (name) => backdated(name, () => replace(name))],
    ['renamed', (name) => renameSync(name, `${name}.old`)],
  ])('is seen where a file was %s', async (_what, change) => {
    await deploy();
    change(path.join(box.place(), 'current/sub/with space.txt'));
    expect(await problems()).toEqual(['way-back-damaged']);
  });

  it('is not told of what the application adds to its folder', async () => {
    await deploy();
    writeFileSync(path.join(box.place(), 'current/sub/cache'), 'made at run time');
    expect(await problems()).toEqual([]);
  });
});
