import type { DrillResult } from '../../drill/result-files';
import type { Fact, PlayedScenario } from '../../drill/scenario';

const hour = Date.UTC(2026, 10, 21, 3, 4, 0);
const hosts = ['web-01', 'web-02'];

/** A played scenario in which both hosts go from `before` to `after`; overrides replace whole fields. */
export function played(overrides: Partial<PlayedScenario> = {}): PlayedScenario {
  return { ...switching('good-deployment', '1.0.0', '1.1.0', hour, 4000), ...overrides };
}

/** The drill as it looks when all is well, with a rollback, an incident and a killed runner. */
export function playedDrill(overrides: Partial<DrillResult> = {}): DrillResult {
  return {
    ok: true,
    startedAt: hour,
    endedAt: hour + 26_400,
    node: 'v24.0.0',
    scenarios: [
      played({ name: 'first-deployment', title: 'First deployment' }),
      played(),
      failing(),
      killed(),
      played({
        name: 'two-deployers',
        title: 'Two deployments at once',
        expected: 'deployed + refused',
        outcome: 'deployed + refused',
      }),
    ],
    ...overrides,
  };
}

function switching(name: string, before: string, after: string, at: number, length: number): PlayedScenario {
  return {
    name,
    title: 'A good deployment',
    story: 'The state of both hosts is captured, then the next version is deployed over the running one.',
    claim: 'Live only once it is proved healthy',
    proves: 'The everyday case: new version on every host, verified over HTTP, the previous one kept as the way back.',
    expected: 'deployed',
    outcome: 'deployed',
    ok: true,
    seconds: length / 1000,
    startedAt: at,
    endedAt: at + length,
    facts: [
      held('deploy exits with 0'),
      held(`4 services on 2 hosts run ${after}, on disk and over HTTP`),
      held('nothing temporary is left on the hosts'),
    ],
    moments: [],
    steps: [],
    spans: hosts.flatMap((host) =>
      ['backend', 'frontend'].flatMap((component, row) => [
        { host, component, from: at, to: at + 1200 + row * 150, version: before, healthy: true },
        { host, component, from: at + 1200 + row * 150, to: at + 1350 + row * 150, version: null, healthy: false },
        { host, component, from: at + 1350 + row * 150, to: at + length, version: after, healthy: true },
      ]),
    ),
    journals: hosts.map((host) => ({
      host,
      entries: [
        ...command(1, 'preflight', at + 300, 120),
        ...command(2, 'open', at + 500, 90),
        ...command(3, 'receive', at + 620, 160),
        ...command(4, 'stage', at + 800, 300),
        ...command(5, 'switch', at + 1150, 420),
        ...command(6, 'confirm', at + 3200, 90),
        ...command(7, 'close', at + 3350, 200),
      ],
    })),
    incident: null,
  };
}

function failing(): PlayedScenario {
  const at = hour;
  const base = switching('failing-version', '1.1.0', '1.2.0', at, 6000);
  return {
    ...base,
    title: 'A version that fails its health checks',
    story: 'The new version starts, looks well for a moment and then reports itself unhealthy. Nobody is watching.',
    expected: 'rolled-back',
    outcome: 'rolled-back',
    facts: [
      held('deploy exits with 1'),
      held('4 services on 2 hosts run 1.1.0, on disk and over HTTP'),
      held('exactly one incident is open'),
    ],
    moments: hosts.map((host) => ({ at: at + 3600, kind: 'reverted' as const, text: 'back on 1.1.0', host })),
    spans: hosts.flatMap((host) =>
      ['backend', 'frontend'].flatMap((component) => {
        const sick = component === 'backend';
        return [
          { host, component, from: at, to: at + 1200, version: '1.1.0', healthy: true },
          { host, component, from: at + 1200, to: at + 1350, version: null, healthy: false },
          { host, component, from: at + 1350, to: at + 1750, version: '1.2.0', healthy: true },
          { host, component, from: at + 1750, to: at + 3400, version: '1.2.0', healthy: !sick },
          { host, component, from: at + 3400, to: at + 3550, version: null, healthy: false },
          { host, component, from: at + 3550, to: at + 6000, version: '1.1.0', healthy: true },
        ];
      }),
    ),
    journals: base.journals.map(({ host, entries }) => ({
      host,
      entries: [
        ...entries.slice(0, 10),
        ...command(8, 'revert', at + 3300, 320),
        ...command(9, 'close', at + 4800, 160),
      ],
    })),
    incident: {
      id: 1,
      node_id: 'x',
      url: 'http://127.0.0.1/1',
      repository_url: '',
      labels_url: '',
      comments_url: '',
      events_url: '',
      html_url: '',
      number: 1,
      state: 'open',
      title: '[Production Rollback] 1.2.0 → 1.1.0',
      body: incidentBody,
      user: null,
      labels: [{ name: 'production-rollback' }, { name: 'incident' }, { name: 'high-priority' }],
      assignee: null,
      milestone: null,
      locked: false,
      comments: 1,
      closed_at: null,
      created_at: '2026-11-21T03:04:05Z',
      updated_at: '2026-11-21T03:04:05Z',
      author_association: 'NONE',
    },
  };
}

function killed(): PlayedScenario {
  const at = hour;
  const base = switching('killed-runner', '1.1.0', '1.3.0', at, 9000);
  return {
    ...base,
    title: 'The runner dies in the middle',
    expected: 'rolled-back',
    outcome: 'rolled-back',
    moments: [
      { at: at + 1900, kind: 'killed', text: 'runner killed' },
      ...hosts.map((host) => ({
        at: at + 5100,
        kind: 'reverted' as const,
        text: 'back on 1.1.0 after 3.2 s, alone',
        host,
      })),
    ],
    spans: hosts.flatMap((host) =>
      ['backend', 'frontend'].flatMap((component) => [
        { host, component, from: at, to: at + 1200, version: '1.1.0', healthy: true },
        { host, component, from: at + 1350, to: at + 4800, version: '1.3.0', healthy: true },
        { host, component, from: at + 4800, to: at + 5000, version: null, healthy: false },
        { host, component, from: at + 5000, to: at + 9000, version: '1.1.0', healthy: true },
      ]),
    ),
    journals: base.journals.map(({ host, entries }) => ({
      host,
      entries: [
        ...entries.slice(0, 10),
        ...command(8, 'status', at + 5600, 130),
        ...command(9, 'fence', at + 5800, 130),
      ],
    })),
  };
}

function held(text: string): Fact {
  return { text, ok: true };
}

function command(id: number, verb: string, at: number, length: number) {
  const text = `/bin/sh -c 'run' agent.sh /state/agent.sh --root /state ${verb} txn=t epoch=1`;
  return [
    { at, kind: 'started' as const, id, command: text },
    { at: at + length, kind: 'ended' as const, id, command: text, code: 0, signal: null },
  ];
}

const incidentBody = `<!-- deploy-safeguard key=1 -->

## \`production\` was rolled back and is healthy on the previous version

**Verified: yes.** Every host is back on the previous version, which passed its health checks.

|           |     |
| --------- | --- |
| Application | \`shop\` |
| Failed version | \`1.2.0\` |
| Rollback took | 1.4 s |
| Run | <http://127.0.0.1:4000/example/shop/actions/runs/9000004>, runner \`runner-primary\` |

### Why

\`\`\`text
backend on web-01 is healthy: expected status 200, found status 500
\`\`\`

- Phase: \`health\`
- Check: \`backend on web-01 is healthy\`

### Required actions

- [ ] Find out why \`1.2.0\` failed; the evidence is below.
- [ ] Write the post-mortem before 2026-11-23 03:04 UTC.

### Hosts

| Host | State | Version |
| --- | --- | --- |
| \`web-01\` | \`idle\` | \`1.1.0\` |
| \`web-02\` | \`idle\` | \`1.1.0\` |
`;
