import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { renderPlan } from '../../shared/transaction/host-plan';
import { file, folder, tar } from '../artifacts/archive';
import { artifactOf, Box, must, payload } from './box';
import { describeInShells, whereIs } from './shells';

/** Control characters in names are refused on the runner already. */
const odd = artifactOf(await tar(file('back\\slash', 'one'), folder('sub'), file('sub/ *.', 'three')));

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

  it('is seen with and without openssl', async () => {
    await deploy();
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
    expect(sums()).not.toMatch(/ \*\.\//);
    expect(await problems()).toEqual([]);
    damage('z-last.txt');
    expect(await problems()).toEqual(['way-back-damaged']);
  });

  it.each(['back\\slash', 'sub/ *.'])('is seen with odd names, such as %j', async (name) => {
    await deploy(odd);
    expect(await problems()).toEqual([]);
    damage(name);
    expect(await problems()).toEqual(['way-back-damaged']);
  });
});
