import { chmodSync } from 'node:fs';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ask, expectedOf, Folder } from '../control-plane/asking';
import { checkOf, environment, host } from '../doubles';

const folder = new Folder();
afterAll(() => folder.remove());

const changed = `Terraform used the selected providers to generate the following execution plan.

  # terraform_data.web will be created
  + resource "terraform_data" "web" {

Plan: 1 to add, 0 to change, 2 to destroy.
`;

/** A program that answers as Terraform would; what it was asked stands in a file. */
function program({
  plan = 0,
  out = '',
  err = '',
  output = '{}',
}: {
  plan?: number;
  out?: string;
  err?: string;
  output?: string;
}): string {
  const [printed, failed, outputs] = [
    ['out', out],
    ['err', err],
    ['output', output],
  ].map(([name = '', text = '']) => folder.write(name, text));
  const script = `#!/bin/sh
echo "$*" >>'${folder.path}/asked'; env >'${folder.path}/env'
case $2 in
  plan) cat '${printed}'; cat '${failed}' >&2; exit ${plan} ;;
  output) cat '${outputs}' ;;
esac
`;
  const file = folder.write('terraform', script);
  chmodSync(file, 0o755);
  return file;
}

const check = (answers: Parameters<typeof program>[0], more: object = {}, overrides: object = {}) =>
  ask({ type: 'terraform', folder: '/infra', program: program(answers), ...more }, overrides);
const inventory = (value: unknown) => ({ output: JSON.stringify({ web: { sensitive: false, type: [], value } }) });
const only = { plan: false, inventory: 'web' };

const addresses = environment({
  hosts: [
    host({ name: 'web-01', ssh: { address: '10.0.50.21', port: 22, user: 'deploy', hostKeys: [] } }),
    host({ name: 'web-02', ssh: { address: '10.0.50.22', port: 22, user: 'deploy', hostKeys: [] } }),
    host({ name: 'control', connection: 'local', ssh: null }),
  ],
});

describe('a plan', () => {
  it('passes when it is empty, asks without a lock, and hands over named secrets only', async () => {
    const answer = await check({}, { secrets: ['CLOUD_TOKEN'] }, { variables: { CLOUD_TOKEN: 'x', OTHER: 'y' } });
    expect(answer).toEqual({ verdict: 'pass', found: 'no changes' });
    const read = async (name: string) => (await import('node:fs')).readFileSync(`${folder.path}/${name}`, 'utf8');
    expect(await read('asked')).toBe('-chdir=/infra plan -detailed-exitcode -input=false -lock=false -no-color\n');
    expect(await read('env')).toContain('CLOUD_TOKEN=x');
    expect(await read('env')).not.toContain('OTHER');
  });

  it('fails when it is not, with what it would do', async () => {
    expect(await check({ plan: 2, out: changed })).toEqual({
      verdict: 'fail',
      found: 'a plan that is not empty: Plan: 1 to add, 0 to change, 2 to destroy',
      remedy: expect.stringContaining('apply it, or undo the change'),
      diagnostics: { text: expect.stringMatching(/^ {2}# terraform_data.web will be created/), keep: 'start' },
    });
    expect(await check({ plan: 2, out: 'Changes to Outputs:\n' })).toMatchObject({
      found: 'a plan that is not empty: changes to outputs only',
    });
  });

  it('is no data when it cannot be made', async () => {
    const err = 'Error: Backend initialization required, please run "terraform init"\n';
    expect(await check({ plan: 1, err })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('Backend initialization required'),
      remedy: expect.stringContaining('init in that folder'),
    });
    expect(await check({ plan: 1, err: 'Error: No valid credential sources found\n' })).toMatchObject({
      verdict: 'inconclusive',
      remedy: expect.stringContaining('secrets'),
    });
    expect(await ask({ type: 'terraform', folder: '/infra', program: 'no-such-terraform' })).toMatchObject({
      verdict: 'inconclusive',
      found: 'no data: no-such-terraform is not installed on the runner or not in PATH',
    });
  });

  it('is no data when it does not end', async () => {
    const slow = folder.write('slow', '#!/bin/sh\nsleep 60\n');
    chmodSync(slow, 0o755);
    await expect(ask({ type: 'terraform', folder: '/infra', program: slow }, {}, 300)).rejects.toThrow(
      'no data: the command did not end within 0.3 s',
    );
  });
});

describe('the inventory', () => {
  const where = { type: 'terraform', folder: '/infra', program: 'tofu', ...only };
  const compare = (value: unknown, more: object = {}) => {
    const entry = { ...where, program: program(inventory(value)), ...more };
    const check = checkOf(entry, addresses);
    const context = { environment: addresses, variables: {}, clock: { now: () => new Date() } };
    const attempt = { signal: AbortSignal.timeout(5000), timeoutMs: 5000, pause: async () => undefined };
    return check.prepare(null, context as never).attempt(attempt);
  };

  it('passes with the addresses of the manifest, in any order or by name', async () => {
    expect(await compare(['10.0.50.22', '10.0.50.21'])).toEqual({
      verdict: 'pass',
      found: '2 addresses as in the manifest',
    });
    expect(await compare({ 'web-01': '10.0.50.21', 'web-02': '10.0.50.22' })).toMatchObject({ verdict: 'pass' });
    expect(await compare(['10.0.50.22'], { hosts: ['web-02'] })).toMatchObject({ verdict: 'pass' });
    expect(expectedOf({ ...where, plan: true })).toBe(
      'a plan without changes, the output web with web-01 10.0.50.21, web-02 10.0.50.22',
    );
  });

  it('fails with a host that is missing, one too many, or swapped', async () => {
    expect(await compare(['10.0.50.21', '10.0.50.29'])).toMatchObject({
      verdict: 'fail',
      found: 'web without web-02 10.0.50.22, web with 10.0.50.29',
      remedy: expect.stringContaining('other machines'),
    });
    expect(await compare({ 'web-01': '10.0.50.22', 'web-02': '10.0.50.21' })).toMatchObject({
      found:
        'web without web-01 10.0.50.21, web without web-02 10.0.50.22, web with web-01 10.0.50.22, web with web-02 10.0.50.21',
    });
    expect(await compare([])).toMatchObject({ verdict: 'fail' });
  });

  it.each([
    ['10.0.50.21', 'an output web that is no list or map of addresses'],
    [[1, 2], 'an output web that is no list or map of addresses'],
    [undefined, 'no output web'],
  ])('is no data as %j', async (value, found) => {
    expect(await compare(value)).toMatchObject({
      verdict: 'inconclusive',
      found: `no data: ${found}`,
      remedy: expect.stringContaining('output "web"'),
    });
  });

  it('is not asked for when the plan is not empty', async () => {
    expect(await check({ plan: 2, out: changed, ...inventory([]) }, { inventory: 'web' })).toMatchObject({
      found: expect.stringContaining('1 to add'),
    });
    const fine = { ...inventory(['10.0.50.21', '10.0.50.22']) };
    expect(await check(fine, { inventory: 'web', hosts: ['web-01'] })).toMatchObject({ verdict: 'fail' });
  });
});

it.each([
  [{}, 'folder'],
  [{ folder: 'x', plan: false }, 'nothing would be asked'],
  [{ folder: 'x', hosts: ['web-01'] }, 'selects the hosts of the inventory'],
  [{ folder: 'x', program: 'tofu; reboot' }, 'without white space'],
  [{ folder: 'x', program: '-help' }, 'without white space'],
  [{ folder: 'x', inventory: 'a b' }, 'an output has a name'],
  [{ folder: '${secret.A}' }, 'not allowed here'],
])('refuses %j', (entry, message) => {
  expect(() => checkOf({ type: 'terraform', ...entry })).toThrow(message);
});
