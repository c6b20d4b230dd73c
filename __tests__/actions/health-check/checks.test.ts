import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chooseChecks } from '../../../actions/health-check/src/checks';
import type { Environment } from '../../../shared/manifest/environment';
import { environment } from '../../checks/doubles';

let workspace: string;

const suite = (...checks: { name: string; needs?: string[] }[]) =>
  JSON.stringify({ checks: checks.map((check) => ({ type: 'http', url: 'http://127.0.0.1/', ...check })) });

beforeAll(() => {
  workspace = mkdtempSync(join(tmpdir(), 'health-check-'));
  mkdirSync(join(workspace, '.github/more'), { recursive: true });
  writeFileSync(
    join(workspace, '.github/web.yml'),
    suite({ name: 'page' }, { name: 'login', needs: ['page', 'ping'] }),
  );
  writeFileSync(join(workspace, '.github/more/data.yml'), suite({ name: 'ping' }, { name: 'size', needs: ['ping'] }));
  writeFileSync(join(workspace, 'own.yml'), suite({ name: 'mine' }));
});
afterAll(() => rmSync(workspace, { recursive: true }));

const places = () => ({ workspace, manifest: '.github/safeguard.yml' });
const suites = (...files: string[]): Environment => environment({ health: { ...environment().health, suites: files } });
const choose = async (name: string | null, where = suites('web.yml', 'more/data.yml')) =>
  (await chooseChecks(where, name, places())).map((check) => check.name);

describe('what is asked', () => {
  it('is everything without a choice: the services and every suite', async () => {
    expect(await choose(null)).toEqual(['service backend', 'page', 'login', 'ping', 'size']);
  });

  it.each(['data', 'data.yml', 'more/data.yml'])('is one suite of the manifest, by %s', async (name) => {
    expect(await choose(name)).toEqual(['ping', 'size']);
  });

  it('is also what that suite needs of another', async () => {
    expect(await choose('web')).toEqual(['page', 'login', 'ping']);
  });

  it('is any file of the job', async () => {
    expect(await choose('own.yml')).toEqual(['mine']);
    expect(await choose(join(workspace, 'own.yml'))).toEqual(['mine']);
  });

  it('is never nothing', async () => {
    const empty = { ...suites(), components: [] };
    await expect(choose(null, empty)).rejects.toMatchObject({ code: 'suite-empty' });
  });
});

describe('what is refused', () => {
  it('a name that is neither a suite nor a file, with those that there are', async () => {
    await expect(choose('dta')).rejects.toMatchObject({
      code: 'suite-unknown',
      message: expect.stringContaining('`dta`, which is neither a suite of the environment staging nor a file'),
      remedy: expect.stringContaining('web.yml, more/data.yml'),
    });
    await expect(choose('dta')).rejects.toThrow('did you mean "data"');
    await expect(choose('x', suites())).rejects.toMatchObject({ remedy: expect.stringContaining('none') });
  });

  it('a name that two suites have', async () => {
    const twice = suites('more/data.yml', 'data.yaml');
    await expect(choose('data', twice)).rejects.toThrow('means several: more/data.yml, data.yaml');
  });
});
