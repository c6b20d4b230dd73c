import { describe, expect, it } from '@jest/globals';
import type { DeploymentUnderCheck, HostProbe } from '../../../shared/checks/context';
import type { ServiceMoment } from '../../../shared/manifest/environment';
import { answering, refused } from '../answers';
import {
  askOnce,
  checkOf,
  component,
  context,
  deployment as deploymentDouble,
  environment,
  host,
  sample,
} from '../doubles';

interface Row {
  link?: string;
  release?: string;
  complete?: string;
  version?: string;
  sha?: string;
  file?: string;
}

function backend(row: Row = {}): string {
  const { link = 'release', release = 'r2', complete = 'yes', version = '1.4.2', sha = 's2', file = '1.4.2' } = row;
  return ['component', 'backend', link, release, complete, version, sha, file].join('\t');
}

const facts = (...lines: string[]) => [...lines, 'end'].join('\n');
const running = (release: string) => `running\tbackend\t100\t${release}`;
const well = facts(backend(), running('r2'));

async function observe(
  answers: [string, string],
  options: { expectVersion?: string | null; deployment?: DeploymentUnderCheck; when?: ServiceMoment } = {},
) {
  const { when = 'restart', ...rest } = options;
  const service = { manager: 'systemd' as const, units: ['app-backend'], when, timeoutSeconds: 60 };
  const site = environment({ components: [component({ service, versionFile: 'version.txt' })] });
  const names = ['web-01', 'web-02'];
  const hosts: HostProbe[] = answers.map((answer, index) => answering([answer], { host: names[index] ?? '' }));
  const where = context({ environment: site, hosts, expectVersion: '1.4.2', ...rest });
  return await askOnce(checkOf({ type: 'consistency' }, site), where);
}

const deployment = deploymentDouble({ transaction: 't9' });

it('passes when all hosts have and run one version, and nothing is left', async () => {
  expect(await observe([well, well])).toEqual({
    verdict: 'pass',
    found: 'backend 1.4.2 on 2 hosts, the same in 2 processes that could be traced to a release',
  });
  expect(await observe([well, facts(backend())])).toMatchObject({
    found: expect.stringContaining('in 1 process that'),
  });
});

describe('fails', () => {
  it.each([
    [
      'several versions',
      facts(backend({ version: '1.4.1', file: '1.4.1' })),
      'backend in several versions: 1.4.2 on web-01 and 1.4.1 on web-02',
    ],
    [
      'another content',
      facts(backend({ sha: 's1' })),
      'backend 1.4.2 with another content on some hosts than on others',
    ],
    [
      'an old process',
      facts(backend(), running('r1')),
      'backend on web-02 running from r1 (process 100) while current leads to r2',
    ],
    ['no link', facts(backend({ link: 'none' })), 'no release of backend on web-02'],
    [
      'a foreign link',
      facts(backend({ link: 'foreign', release: '/opt/x' })),
      'current of backend on web-02 leading to /opt/x, which is no release',
    ],
    ['half a release', facts(backend({ complete: 'no' })), 'the release r2 of backend on web-02 incomplete'],
    [
      'another version file',
      facts(backend({ file: '1.4.1' })),
      'the version file of backend on web-02 saying 1.4.1 instead of 1.4.2',
    ],
    ['a transaction', facts('active\tt9', 'lease\tt9', backend()), 'the unfinished transaction t9 on web-02'],
    ['a lock', facts('lease\tt9', backend()), 'the lock of t9 on web-02'],
    ['a cry for help', facts('CRITICAL\trevert failed', backend()), 'web-02 marked critical (revert failed)'],
    [
      'a leftover',
      facts('left\t/opt/app/backend/.current.t1', backend()),
      '/opt/app/backend/.current.t1 left on web-02',
    ],
  ])('with %s on one host', async (_name, answer, found) => {
    const seen = await observe([well, answer], { expectVersion: null });
    expect(seen).toMatchObject({ verdict: 'fail', found, remedy: expect.any(String) });
  });

  it('when all hosts agree on another version than the wanted one', async () => {
    const old = facts(backend({ version: '1.4.1', file: '1.4.1' }));
    expect(await observe([old, old])).toMatchObject({
      verdict: 'fail',
      found: 'backend 1.4.1 on web-01 instead of 1.4.2; backend 1.4.1 on web-02 instead of 1.4.2',
    });
  });
});

describe('while a deployment is being verified', () => {
  it('takes its own transaction, its unwritten version file and what others left for what they are', async () => {
    const own = ['active\tt9', 'lease\tt9'];
    const left = ['left\t/x/.partial.t1', 'CRITICAL\tthe version before 1.4.2 is back, but its health checks are red'];
    const during = facts(...own, ...left, backend({ file: '1.4.1' }), running('r2'));
    expect(await observe([during, during], { deployment })).toMatchObject({ verdict: 'pass' });
  });

  it('fails with the transaction of another', async () => {
    const foreign = facts('active\tt8', 'lease\tt8', backend());
    expect(await observe([well, foreign], { deployment })).toMatchObject({
      verdict: 'fail',
      found: 'the unfinished transaction t8 on web-02',
    });
  });
});

it('expects the old process of a service that is only reloaded', async () => {
  const reloaded = facts(backend(), running('r1'));
  expect(await observe([reloaded, reloaded], { when: 'reload' })).toMatchObject({ verdict: 'pass' });
});

describe('is inconclusive', () => {
  it.each([
    ['cut off', 'component\tbackend\trelease'],
    ['without a component', facts()],
  ])('when the answer is %s', async (_name, answer) => {
    await expect(observe([well, answer])).rejects.toThrow(
      'no data from web-02: the answer about its releases is cut off',
    );
  });

  it('when a host is not asked in this run', async () => {
    const where = context({ hosts: [answering([well])] });
    await expect(askOnce(checkOf({ type: 'consistency' }), where)).rejects.toThrow('no data from web-02');
  });
});

describe('in a suite file', () => {
  it('is asked once, about the hosts that have components, and looks at the processes of their services', async () => {
    const site = environment({ hosts: [host(), host({ name: 'db-01', roles: ['db'] })] });
    const one = checkOf({ type: 'consistency' }, site);
    expect(one.hosts).toBeNull();
    expect(one.prepare(null, context({ environment: site }))).toMatchObject({
      target: 'web-01',
      reproduce: 'ls -l /opt/app/backend/current',
    });
    const services = async () => [sample({ pid: 4711 }), sample({ component: 'other', pid: 1 })];
    const asked = answering([well], { services });
    await askOnce(one, context({ environment: site, hosts: [asked] }));
    expect(asked.asked[0]).toContain('running backend /opt/app/backend 4711\n');
    expect(asked.asked[0]).not.toContain('other');
    expect(asked.asked[0]).toContain('root=/var/lib/deploy-safeguard/app\n');
  });

  it('refuses an environment without components', () => {
    expect(refused({ type: 'consistency' }, environment({ components: [] }))).toThrow(
      'of which the environment staging has none',
    );
  });
});
