import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFleet } from './fleet/fleet';
import type { FleetHost } from './fleet/host';
import { type Behaviour, mustBe, Shop, until } from './fleet/shop';
import { journalLines, Tripwire, transactionIds } from './fleet/tripwire';

/*
 * The power of one host is cut after a line of its journal, in a deployment that would succeed and in one that goes
 * back; then it is switched on again and recover runs. FLEET_STRIDE=1 takes every line; else one of six, and always the
 * decision and the confirmation.
 */
const stride = Number(process.env['FLEET_STRIDE'] ?? 6);
const always = /^(decide|confirm) /;

let shop: Shop;
let serial = 0;

beforeAll(async () => {
  shop = new Shop(await startFleet(2));
  mustBe('deployed', await shop.deploy(next('first')));
}, 600_000);

afterAll(() => shop?.fleet.destroy());

/** No version is deployed twice: one that was rolled back would be refused. */
function next(kind: string): string {
  serial += 1;
  return `${serial}.0.0-${kind}`;
}

/** What a deployment writes to a host's journal when nothing disturbs it. */
async function linesOf(host: FleetHost, behaviour: Behaviour): Promise<string[]> {
  const known = transactionIds(host);
  const run = await shop.deploy(next(behaviour), { behaviour });
  mustBe(behaviour === 'well' ? 'deployed' : 'rolled-back', run);
  return journalLines(host, known);
}

/** The one version that all hosts have on disk and serve. */
async function common(): Promise<string | null> {
  const versions = await shop.versions();
  const [first] = Object.values(versions)[0] ?? [null];
  expect(versions).toEqual(shop.all(first));
  return first;
}

interface Cut {
  host: FleetHost;
  /** Counted from 1. */
  line: number;
  behaviour: Behaviour;
}

/** Returns the line after which the power went, or null when the deployment never came there. */
async function cutAfter({ host, line, behaviour }: Cut): Promise<string | null> {
  const old = await common();
  const version = next(behaviour);
  const known = transactionIds(host);
  const wire = new Tripwire(host, { line });
  const run = await shop.begin(version, { behaviour });
  let over = false;
  const finished = run.finished.finally(() => {
    over = true;
  });
  await until('the line or the end', () => wire.isHit || over, 60_000);
  const last = wire.isHit ? (journalLines(host, known).at(-1) ?? '') : null;
  if (last !== null) await host.powerCut();
  wire.remove();
  if (last !== null) await host.boot();
  const deployed = await finished;
  const damaged = await shop.damage();
  const recovered = await shop.recover();
  try {
    const found = await common();
    expect([damaged, await shop.damage()]).toEqual([[], []]);
    expect([old, version]).toContain(found);
    if (behaviour !== 'well') expect(found).toBe(old);
    if (deployed.exitCode === 0) expect(found).toBe(version);
    expect(['no-op', 'deployed', 'aborted', 'rolled-back']).toContain(recovered.report.outcome);
  } catch (error) {
    const where = `${host.name} lost power after line ${line}, "${last}", of a version that goes ${behaviour}`;
    const logs = `--- deploy\n${deployed.text}\n--- recover\n${recovered.text}`;
    throw new Error(`${where}: ${(error as Error).message}\n${logs}`);
  }
  return last;
}

describe.each(['well', 'dies'] as const)(
  'a power cut after a line of the journal, with a version that goes %s',
  (behaviour) => {
    it.each([0, 1])(
      'host %i',
      async (index) => {
        const host = shop.hosts[index];
        if (host === undefined) throw new Error('no such host');
        const lines = await linesOf(host, behaviour);
        expect(lines.length).toBeGreaterThan(10);
        const chosen = lines.flatMap((text, at) => (at % stride === index || always.test(text) ? [at + 1] : []));
        const seen: string[] = [];
        for (const line of chosen) {
          const last = await cutAfter({ host, line, behaviour });
          if (last !== null) seen.push(last);
        }
        // What the heartbeat does in between may move a cut by a line, but not away.
        expect(seen.length).toBeGreaterThanOrEqual(chosen.length - 2);
        if (behaviour === 'well')
          expect(seen.join('\n')).toMatch(index === 0 ? /^decide decided commit$/m : /^confirm /m);
      },
      600_000,
    );
  },
);
