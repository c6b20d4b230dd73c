import { describe, expect, it } from '@jest/globals';
import { drawDeployments } from '../../scripts/bench/fleet/picture';
import { type FleetReport, FleetSamples, type Key, renderFleetTables } from '../../scripts/bench/fleet/results';
import { fleetTargets } from '../../scripts/bench/fleet/targets';

const samples = new FleetSamples();
const add = (operation: Key['operation'], contestant: Key['contestant'], hosts: number, ...milliseconds: number[]) => {
  for (const one of milliseconds) samples.add({ operation, megabytes: 20, hosts, contestant }, one);
};
add('deploy', 'bare', 1, 500, 400, 600);
add('deploy', 'safeguard', 1, 700, 750, 800);
add('deploy', 'bare', 4, 1000);
add('deploy', 'safeguard', 4, 1600);
add('deploy', 'ansible', 4, 9600);
add('deploy', 'safeguard', 16, 4000);
add('rollback', 'safeguard', 1, 600);
add('restart', 'safeguard', 1, 50);
add('restored', 'safeguard', 1, 1051);
samples.addMemory(200, 16, 200);
samples.addMemory(200, 16, 251);
samples.addMemory(200, 16, 100);

const measured = { measurements: samples.measurements(), memory: samples.memory() };
const report: FleetReport = {
  schema: 2,
  startedAt: '2026-11-21T01:02:03.000Z',
  command: 'npm run bench -- --sizes 20',
  machine: {
    cpus: 2,
    memoryGigabytes: 8,
    kernel: '6.1',
    sshd: 'OpenSSH_9.2',
    node: '24.0.0',
    load: 1.25,
    ansible: null,
  },
  durationSeconds: 61,
  ...measured,
  starts: [],
  targets: fleetTargets(measured),
  phases: [
    { operation: 'deploy', megabytes: 20, hosts: 1, milliseconds: { plan: 5, upload: 9 } },
    { operation: 'rollback', megabytes: 20, hosts: 1, milliseconds: { plan: 6 } },
  ],
};

describe('the promises', () => {
  const verdicts = Object.fromEntries(report.targets.map(({ name, value, met }) => [name, [value, met]]));

  it('compare medians of one run', () => {
    expect(verdicts).toMatchObject({
      '20 MB to 1 host ÷ bare SSH': [1.5, true],
      '20 MB to 4 hosts ÷ bare SSH': [1.6, false],
      'Ansible ÷ 20 MB to 4 hosts': [6, true],
      '20 MB to 16 hosts ÷ 1 host': [5.33, false],
    });
  });

  it('take the restart of the service off what is promised without it', () => {
    expect(verdicts).toMatchObject({
      'rollback, 1 host, less the restart': [550, false],
      'red verdict to restored, 1 host, less the restart': [1001, false],
    });
  });

  it('count the most memory of any round', () => {
    expect(verdicts).toMatchObject({ 'memory of the runner, 200 MB to 16 hosts': [251, false] });
  });

  it('are silent about what was not measured', () => {
    expect(Object.keys(verdicts)).not.toContain('Ansible ÷ 20 MB to 16 hosts');
    expect(fleetTargets({ measurements: [], memory: [] })).toEqual([]);
  });
});

describe('the tables', () => {
  const text = renderFleetTables(report);

  it('begin with the command and the machine', () => {
    expect(text).toMatch(/^`npm run bench -- --sizes 20` on 2026-11-21, 61 s; 2 CPUs, 8 GB/);
  });

  it('put contestants side by side, with median and fastest, and leave a place empty where one did not take part', () => {
    expect(text).toMatch(/\| Whole deployment +\| 20 MB +\| 1 +\| 0\.50 \(0\.40\) +\| 0\.75 \(0\.70\) +\| +\| 3 +\|/);
    expect(text).toMatch(
      /\| Whole deployment +\| 20 MB +\| 4 +\| 1\.00 \(1\.00\) +\| 1\.60 \(1\.60\) +\| 9\.60 \(9\.60\) +\| 1 +\|/,
    );
  });

  it('have the phases of each thing that was done', () => {
    expect(text).toMatch(/\| Whole deployment, by phase +\| 20 MB, 1 host +\|/);
    expect(text).toMatch(/\| upload +\| 9 ms +\|/);
    expect(text).toMatch(/\| Rollback, by phase +\| 20 MB, 1 host +\|/);
  });
});

describe('the picture', () => {
  it('shows whole deployments by number of hosts', () => {
    const svg = drawDeployments(report) ?? '';
    expect(svg).toContain('Deploying 20 MB to 1, 4 and 16 hosts');
    expect(svg).toMatch(/4: bare SSH, nothing checked 1\.0, deploy-safeguard 1\.6, Ansible 9\.6;/);
    expect(svg).toContain('npm run bench -- --sizes 20');
  });

  it('is not drawn without deployments', () => {
    expect(drawDeployments({ ...report, measurements: [] })).toBeNull();
  });
});
