import { describe, expect, it } from '@jest/globals';
import type { Outcome } from '../../shared/transaction/outcome';
import type { Evidence } from './evidence';
import type { HostFacts } from './facts';
import { judge } from './oracle';
import type { Run } from './runs';
import { makeSchedule } from './schedule';

const [old, transaction] = ['20261121T040000Z-100002-1-aaaaaa', '20261121T050000Z-100003-1-bbbbbb'];
const hosts = ['web-01', 'web-02', 'web-03'];

function factsOf(host: string): HostFacts {
  const version = '2.0.0-well';
  return {
    host,
    running: true,
    active: null,
    state: null,
    critical: null,
    epoch: 3,
    transactions: {
      [old]: about({ version: '1.1.0-well' }),
      [transaction]: about({ version, previous: { backend: old, frontend: old } }),
    },
    releases: { backend: { release: transaction, version }, frontend: { release: transaction, version } },
    schema: null,
    answers: { backend: version, frontend: version },
  };
}

function about(more: Partial<HostFacts['transactions'][string]>): HostFacts['transactions'][string] {
  return {
    state: 'confirmed',
    decision: 'commit',
    version: null,
    action: 'deploy',
    ledger: 'web-01',
    noReturn: false,
    previous: {},
    ...more,
  };
}

function runOf(outcome: Outcome, exitCode: number): Run {
  const report = { outcome, transactionId: transaction, version: '2.0.0-well', failure: null, phases: [] };
  return {
    id: 100_003,
    url: 'http://localhost/runs/100003',
    runner: 'runner-a',
    action: 'deploy',
    version: '2.0.0-well',
    startedAt: 1000,
    endedAt: 3000,
    shot: null,
    pauses: [],
    step: {} as Run['step'],
    result: { exitCode, lines: [] } as unknown as Run['result'],
    report: report as unknown as Run['report'],
    finished: Promise.resolve(),
  };
}

/** A deployment that went well. */
function clean(): Evidence {
  const run = runOf('deployed', 0);
  const sight = (at: number, release: string, version: string) =>
    hosts.flatMap((host) =>
      (['backend', 'frontend'] as const).map((component) => ({ at, host, component, release, version })),
    );
  return {
    schedule: { ...makeSchedule(1, 3), start: 'restored', database: 'none', actions: [] },
    hosts,
    startedAt: 0,
    endedAt: 9000,
    healedAt: 4000,
    runs: [run],
    moments: new Map([[run.id, { at: 3000, facts: hosts.map(factsOf), quiet: true }]]),
    entries: hosts.flatMap((host) => [
      entry(host, 10, 'open', 'opened'),
      entry(host, 20, 'switch', 'linked'),
      ...(host === 'web-01' ? [entry(host, 30, 'decide', 'decided', 'commit')] : []),
    ]),
    sights: [...sight(0, old, '1.1.0-well'), ...sight(2000, transaction, '2.0.0-well')],
    looks: 100,
    linkDamage: [],
    bootDamage: [],
    events: [],
    struck: [],
    cut: new Set(),
    boots: [],
    restless: [],
    settled: [{ at: 4000, facts: hosts.map(factsOf) }],
    final: hosts.map(factsOf),
    inspections: hosts.map((host) => ({ host, processes: [], leftovers: [], damage: [], secrets: [] })),
    runnerSecrets: [],
  };
}

function entry(host: string, look: number, verb: string, what: string, detail = '', id = transaction, epoch = 3) {
  return { at: 1000 + look, look, host, transaction: id, epoch, verb, what, detail, raw: '' };
}

type Change = (evidence: Evidence, second: HostFacts) => void;

/** Ways to break a promise, each of which the oracle has to find under its number. */
const broken: [number, string, Change][] = [
  [1, 'a link to nothing', ({ linkDamage }) => linkDamage.push({ at: 1, host: 'web-02', text: 'backend: gone' })],
  [1, 'a file that differs', ({ inspections }) => inspections[1]?.damage.push('version: FAILED')],
  [
    1,
    'a link that vanishes',
    ({ sights }) => sights.push({ at: 2500, host: 'web-02', component: 'backend', release: null, version: null }),
  ],
  [2, 'a host that does not go back', ({ restless }) => restless.push({ at: 1, host: 'web-02', text: 'switched' })],
  [
    2,
    'a host that went back to something else',
    ({ settled }) => {
      const facts = settled[0]?.facts[1];
      if (facts) Object.assign(facts, { active: transaction, state: 'reverted' });
    },
  ],
  [
    2,
    'a release that stays without being confirmed',
    ({ settled }) => {
      const facts = settled[0]?.facts[1];
      if (facts) facts.transactions[transaction] = about({ state: 'switched' });
    },
  ],
  [
    2,
    'a start of what was not confirmed before the power went',
    ({ boots }) => {
      const before = { ...factsOf('web-02'), active: transaction, state: 'switched' };
      boots.push({ at: 1500, before, started: ['1.1.0-well', '2.0.0-well'] });
    },
  ],
  [3, 'two versions', (_, second) => Object.assign(second.releases.backend, { version: '1.1.0-well' })],
  [3, 'a service of another version', (_, second) => Object.assign(second.answers ?? {}, { backend: '1.1.0-well' })],
  [3, 'a service that is silent', (_, second) => Object.assign(second.answers ?? {}, { frontend: null })],
  [3, 'an open transaction', (_, second) => Object.assign(second, { active: transaction, state: 'confirmed' })],
  [
    3,
    'a bad version that was committed',
    ({ final }) => {
      for (const host of final) {
        host.transactions[transaction] = about({ version: '2.0.0-dies' });
        for (const release of Object.values(host.releases)) release.version = '2.0.0-dies';
      }
    },
  ],
  [
    3,
    'a version that nobody committed',
    ({ final }) => Object.assign(final[0]?.transactions[transaction] ?? {}, { decision: 'abort' }),
  ],
  [
    3,
    'a schema of another version',
    ({ schedule, final }) => {
      Object.assign(schedule, { database: 'down', databaseHost: 0 });
      Object.assign(final[0] ?? {}, { schema: '3.0.0-well' });
    },
  ],
  [4, 'an epoch that falls', ({ entries }) => entries.push(entry('web-02', 40, 'switch', 'begin', '', transaction, 2))],
  [
    4,
    'two transactions that mix',
    ({ entries }) =>
      entries.push(
        entry('web-02', 15, 'open', 'opened', '', 'other'),
        entry('web-01', 1, 'open', 'opened', '', 'other'),
      ),
  ],
  [
    4,
    'a host that was opened without the ledger host',
    ({ entries }) => entries.push(entry('web-02', 50, 'open', 'opened', '', 'other', 4)),
  ],
  [
    4,
    'a refusal that names nobody',
    ({ runs }) =>
      Object.assign(runs[0]?.report ?? {}, {
        outcome: 'aborted',
        failure: { phase: 'plan', message: 'web-01 is held by another run: a run without a URL' },
      }),
  ],
  [5, 'exit code 0 for a red outcome', ({ runs }) => Object.assign(runs[0]?.report ?? {}, { outcome: 'in-doubt' })],
  [5, 'no outcome', ({ runs }) => Object.assign(runs[0] ?? {}, { report: null, result: { exitCode: 1, lines: [] } })],
  [
    5,
    'deployed, and a host is not confirmed',
    ({ moments }) => {
      const facts = moments.get(100_003)?.facts[1];
      if (facts) facts.transactions[transaction] = about({ state: 'reverted' });
    },
  ],
  [
    5,
    'deployed, and a host was never on the version',
    (evidence) => {
      evidence.sights = evidence.sights.filter(({ at, host }) => at === 0 || host !== 'web-02');
    },
  ],
  [
    5,
    'deployed, and a host was away',
    ({ events }) => events.push({ at: 500, kind: 'fault', host: 'web-02', text: 'power cut' }),
  ],
  [
    5,
    'aborted, and a host was switched',
    ({ runs }) => {
      Object.assign(runs[0]?.report ?? {}, { outcome: 'aborted' });
      Object.assign(runs[0]?.result ?? {}, { exitCode: 1 });
    },
  ],
  [
    6,
    'rolled back, and still there',
    ({ runs }) => {
      Object.assign(runs[0]?.report ?? {}, { outcome: 'rolled-back' });
      Object.assign(runs[0]?.result ?? {}, { exitCode: 1 });
    },
  ],
  [
    6,
    'a failed rollback without a marker',
    ({ runs }) => {
      Object.assign(runs[0]?.report ?? {}, { outcome: 'rollback-failed' });
      Object.assign(runs[0]?.result ?? {}, { exitCode: 1 });
    },
  ],
  [7, 'a secret on a host', ({ inspections }) => inspections[1]?.secrets.push('/var/log/x')],
  [7, 'a secret on the runner', ({ runnerSecrets }) => runnerSecrets.push('report.json')],
  [7, 'an agent that still runs', ({ inspections }) => inspections[1]?.processes.push('/bin/sh agent.sh watch')],
  [7, 'a file that stays', ({ inspections }) => inspections[1]?.leftovers.push('/tmp/deploy-safeguard.x')],
];

describe('the oracle', () => {
  it('finds nothing in a deployment that went well, and has asked about every promise', () => {
    const { breaches, asked } = judge(clean());
    expect(breaches).toEqual([]);
    for (const promise of [1, 2, 3, 4, 5, 7] as const) expect(asked[promise]).toBeGreaterThan(0);
  });

  it.each(broken)('finds promise %i broken by %s', (promise, _name, change) => {
    const evidence = clean();
    const second = evidence.final[1];
    if (second === undefined) throw new Error('no second host');
    change(evidence, second);
    expect(judge(evidence).breaches.map((breach) => breach.promise)).toContain(promise);
  });

  it('excuses a line that the full disk of the ledger host did not take, and no other', () => {
    for (const [full, what, promises] of [
      [true, 'state', []],
      [true, 'opened', [4]],
      [false, 'state', [4]],
    ] as const) {
      const evidence = clean();
      evidence.entries.push(entry('web-02', 50, 'open', 'opened', '', 'other', 4));
      evidence.entries.push(entry('web-01', 60, 'open', what, '', 'other', 4));
      if (full) {
        const strike = { kind: 'disk' as const, hosts: [0], leaveKilobytes: 0, untilMs: null };
        evidence.struck.push({ ...strike, moment: { at: 'time', ms: 0 } });
      }
      expect(judge(evidence).breaches.map((breach) => breach.promise)).toEqual(promises);
    }
  });

  it.each([
    ['web-02', 'was not told to stay', []],
    ['web-02', 'was told to stay', [1]],
    ['web-01', 'decided to stay', [1]],
  ])('sees the first release of %s go, which %s', (host, how, promises) => {
    const evidence = clean();
    for (const sight of evidence.sights) {
      if (sight.at === 0 && sight.host === host) Object.assign(sight, { release: null, version: null });
    }
    if (how === 'was told to stay') evidence.entries.push(entry(host, 40, 'confirm', 'state', 'confirmed'));
    const back = { host, component: 'backend' as const };
    evidence.sights.push(
      { ...back, at: 2500, release: null, version: null },
      { ...back, at: 2700, release: transaction, version: '2.0.0-well' },
    );
    expect(judge(evidence).breaches.map((breach) => breach.promise)).toEqual(promises);
  });

  it('excuses a version that could not go back only if that was told', () => {
    for (const told of [true, false]) {
      const evidence = clean();
      Object.assign(evidence.schedule, { database: 'no-undo', databaseHost: 0 });
      const facts = evidence.final.map((host) => ({
        ...host,
        critical: 'look at it',
        schema: host.host === 'web-01' ? '2.0.0-dies' : null,
        transactions: {
          [transaction]: about({ version: '2.0.0-dies', noReturn: true, decision: null, state: 'halted' }),
        },
        releases: {
          backend: { release: transaction, version: '2.0.0-dies' },
          frontend: { release: transaction, version: '2.0.0-dies' },
        },
      }));
      const run = runOf('rollback-failed', 1);
      Object.assign(run.report ?? {}, { version: told ? '2.0.0-dies' : '9.9.9-well' });
      Object.assign(evidence, { final: facts, settled: [], runs: [run], moments: new Map() });
      expect(judge(evidence).breaches.filter(({ promise }) => promise === 3).length > 0).toBe(!told);
    }
  });
});
