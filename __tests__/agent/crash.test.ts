import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { renderPlan } from '../../shared/transaction/host-plan';
import {
  type Answer,
  Box,
  complete,
  kill,
  must,
  payload,
  sleeper,
  type Transaction,
  until,
  uptime,
  type VerbOptions,
} from './box';
import { describeInShells, shellNames, thorough } from './shells';

/** Commands of the agent at which it can be killed; `setsid` is not one, since the agent does not wait for it. */
const steps = 'mv ln rm sync mkdir cat tar find chmod date timeout kill sha256sum mktemp'.split(' ');

/**
 * Puts commands into the box that count themselves and, at the chosen one, kill the agent and the rest of its work, as
 * the kernel does when memory runs out.
 */
function setTrap(box: Box): (step: number) => VerbOptions {
  const folder = path.join(box.folder, 'crash');
  mkdirSync(folder, { recursive: true });
  const counter = path.join(folder, 'count');
  const found = (box.environment['PATH'] ?? '').split(':');
  for (const step of steps) {
    const real = found.map((at) => path.join(at, step)).find((at) => existsSync(at));
    if (real === undefined) continue;
    const text = `#!/bin/sh
echo ${step} >>${counter}
count=0
while read -r _; do count=$((count + 1)); done <${counter}
if [ "$count" -eq "$CRASH_AT" ]; then
  kill -9 "$CRASH_AGENT"
  exit 137
fi
exec ${real} "$@"
`;
    writeFileSync(path.join(folder, step), text);
    chmodSync(path.join(folder, step), 0o755);
  }
  return (step) => {
    writeFileSync(counter, '');
    return {
      environment: { CRASH_AT: String(step), PATH: `${folder}:${box.environment['PATH']}` },
      before: 'export CRASH_AGENT=$$; exec "$@"',
    };
  };
}

/** Looks at `current` all the time while something runs, and notes whenever it is missing or leads to something incomplete. */
async function watching(box: Box, work: () => Promise<void>): Promise<string[]> {
  const wrong = new Set<string>();
  let done = false;
  const look = () => {
    const current = box.current();
    // Between two looks the link may have gone from one complete release to another.
    if (!complete(box.place()) && current === box.current() && !complete(box.place())) wrong.add(String(current));
    if (!done) setTimeout(look, 1);
  };
  look();
  try {
    await work();
  } finally {
    done = true;
  }
  return [...wrong];
}

/** The shells share the steps between them, so that together they take all of them, or every second. */
const stride = thorough ? 3 : 6;

describeInShells('the agent killed at every step', (shell) => {
  let box: Box;
  beforeEach(async () => {
    box = await Box.create(shell);
    box.forgetDisks();
  });
  afterEach(() => box.dispose());

  /** Calls `crash` for step after step until it says that the verb came to its end; without `by` the shells share the steps. */
  async function eachStep(
    crash: (step: number) => Promise<Answer>,
    after: (step: number) => Promise<void>,
    by = stride,
  ): Promise<number> {
    for (let step = 1 + Math.floor((shellNames.indexOf(shell.name) * by) / 3); ; step += by) {
      const answer = await crash(step);
      if (answer.signal === null) {
        must(answer);
        return step;
      }
      expect({ step, signal: answer.signal }).toEqual({ step, signal: 'SIGKILL' });
      await after(step);
    }
  }

  function next(when: 'stop-start' | 'restart' = 'stop-start'): Transaction {
    const component = box.component({ artifact: payload.planned, service: { ...sleeper, when } });
    return box.transaction({ version: '2.0.0', components: [component] });
  }

  async function staged(when?: 'stop-start' | 'restart'): Promise<Transaction> {
    const transaction = next(when);
    must(await transaction.open());
    must(await transaction.receive());
    must(await transaction.stage());
    return transaction;
  }

  it.each(['stop-start', 'restart'] as const)(
    'goes back from any step of a switch (%s)',
    async (when) => {
      const old = await box.deploy('1.0.0', [box.component({ service: { ...sleeper, when } })]);
      const trap = setTrap(box);
      const wrong = await watching(box, async () => {
        let transaction: Transaction;
        const steps = await eachStep(
          async (step) => {
            transaction = await staged(when);
            return transaction.switch('web', {}, trap(step));
          },
          async (step) => {
            must(await transaction.revert());
            expect({ step, ...(await seen(1)) }).toEqual({ step, current: `releases/${old.id}`, running: [old.id] });
            must(await transaction.close());
          },
        );
        expect(steps).toBeGreaterThan(10);
      });
      expect(wrong).toEqual([]);
    },
    60_000,
  );

  const seen = async (count: number) => ({ current: box.current(), running: await box.settled(count) });

  it('goes back from any step of going back', async () => {
    const old = await box.deploy('1.0.0', [box.component({ service: sleeper })]);
    const trap = setTrap(box);
    const wrong = await watching(box, async () => {
      let transaction: Transaction;
      await eachStep(
        async (step) => {
          transaction = await staged();
          must(await transaction.switch());
          return transaction.revert({}, {}, trap(step));
        },
        async (step) => {
          must(await transaction.revert());
          expect({ step, ...(await seen(1)) }).toEqual({ step, current: `releases/${old.id}`, running: [old.id] });
          must(await transaction.close());
        },
      );
    });
    expect(wrong).toEqual([]);
  }, 60_000);

  it('leaves nothing of a first deployment that was killed at any step of its switch', async () => {
    const trap = setTrap(box);
    let transaction: Transaction;
    await eachStep(
      async (step) => {
        transaction = await staged();
        return transaction.switch('web', {}, trap(step));
      },
      async (step) => {
        must(await transaction.revert());
        expect({ step, ...(await seen(0)) }).toEqual({ step, current: null, running: [] });
        must(await transaction.close());
      },
    );
  }, 60_000);

  it('stages again whatever a killed run left half-made', async () => {
    const trap = setTrap(box);
    let transaction: Transaction;
    await eachStep(
      async (step) => {
        transaction = next();
        must(await transaction.open());
        must(await transaction.receive());
        return transaction.stage(trap(step));
      },
      async (step) => {
        must(await transaction.stage());
        const files = await box.run([
          '/bin/sh',
          '-c',
          `cd "$1" && ls -A`,
          'sh',
          `${box.place()}/releases/${transaction.id}`,
        ]);
        expect({ step, files: files.stdout }).toEqual({ step, files: 'a.txt\nsub\nz-last.txt\n' });
        must(await transaction.revert());
        must(await transaction.close());
        expect(readdirSync(`${box.place()}/releases`)).toEqual(['.meta']);
      },
    );
  }, 60_000);

  it('finishes closing from any step, with one line of history', async () => {
    const trap = setTrap(box);
    let transaction: Transaction;
    await eachStep(
      async (step) => {
        transaction = await staged();
        must(await transaction.switch());
        must(await transaction.commit());
        return transaction.close({}, undefined, trap(step));
      },
      async (step) => {
        // Killed after its last write, it is closed already.
        const again = await transaction.close();
        expect({ step, code: again.code }).toEqual({ step, code: again.status === 'ok' ? '' : 'not-open' });
        const lines = (box.read('history.jsonl') ?? '').split('\n').filter((line) => line.includes(transaction.id));
        expect({ step, lines: lines.length, lease: box.read('lease'), active: box.read('active') }).toEqual({
          step,
          lines: 1,
          lease: null,
          active: null,
        });
      },
    );
  }, 60_000);

  it('never switches without a watcher, whenever opening was killed', async () => {
    const trap = setTrap(box);
    let transaction: Transaction;
    await eachStep(
      async (step) => {
        transaction = next();
        return transaction.open({ lease: 600 }, { stdin: renderPlan(transaction.plan), ...trap(step) });
      },
      async (step) => {
        const again = await transaction.open({ lease: 600 });
        if (again.status === 'ok') {
          await until('the watcher runs', () => box.watchers().length > 0, 3000).catch(() => undefined);
          expect({ step, watched: box.watchers().length > 0 }).toEqual({ step, watched: true });
        }
        // Whatever was refused can be closed, or was never begun.
        await transaction.close();
        expect({ step, lease: box.read('lease'), active: box.read('active') }).toEqual({
          step,
          lease: null,
          active: null,
        });
        for (const pid of box.watchers()) kill(pid);
      },
    );
  }, 60_000);

  describe('a host that nobody calls again', () => {
    const override = { override: 'yes' };

    /** The state that it comes to by itself once its lease is over; null where no transaction is open. */
    async function rests(transaction: Transaction): Promise<string | null> {
      const fields = (box.read('lease') ?? '').split('\t');
      fields[2] = String(uptime() - 1);
      if (fields.length > 1) box.write('lease', fields.join('\t'));
      const open = () => box.read('active') !== null;
      const isOver = () => !open() || ['reverted', 'confirmed', 'halted'].includes(transaction.state() ?? '');
      // In vain without a watcher: then the state tells.
      await until('it is at rest', isOver, 3000).catch(() => undefined);
      await until('nobody watches any more', () => box.watchers().length === 0);
      return open() ? transaction.state() : null;
    }

    /** The states that it comes to by itself after a verb was killed, whichever of its steps that was. */
    async function ends(
      prepare: () => Promise<Transaction>,
      crash: (transaction: Transaction, trapped: VerbOptions) => Promise<Answer>,
      by = 1,
    ): Promise<Set<string | null>> {
      const trap = setTrap(box);
      const found = new Set<string | null>();
      let transaction: Transaction;
      await eachStep(
        async (step) => {
          transaction = await prepare();
          for (const pid of box.watchers()) kill(pid);
          await until('nobody watches yet', () => box.watchers().length === 0);
          return crash(transaction, trap(step));
        },
        async () => {
          found.add(await rests(transaction));
          // A person's revert has moved it on.
          box.write('epoch', `${transaction.epoch}\n`);
          await transaction.revert(override);
          await transaction.close();
        },
        by,
      );
      return found;
    }

    it('is reverted after its lease, or was never opened', async () => {
      const found = await ends(
        async () => next(),
        (transaction, trapped) => transaction.open({ lease: 600 }, { stdin: renderPlan(transaction.plan), ...trapped }),
      );
      expect(found).toEqual(new Set([null, 'reverted']));
    }, 60_000);

    it('is reverted again when it was to be brought forward', async () => {
      const found = await ends(
        async () => {
          const transaction = await staged();
          must(await transaction.revert());
          return transaction;
        },
        (transaction, trapped) => transaction.call('resume', {}, trapped),
      );
      expect(found).toEqual(new Set(['reverted']));
    }, 60_000);

    it.each([
      ['confirmed', (transaction: Transaction, trapped: VerbOptions) => transaction.revert(override, {}, trapped)],
      ['halted', (_: Transaction, trapped: VerbOptions) => box.verb('revert', {}, trapped)],
    ])(
      'goes all the way back, or not at all, when it was %s',
      async (state, crash) => {
        const prepare = async () => {
          const transaction = await staged();
          must(await transaction.switch());
          box.write(`txn/${transaction.id}/state`, `${state}\n`);
          return transaction;
        };
        const found = await ends(prepare, crash, stride);
        found.delete(state);
        expect(found).toEqual(new Set(['reverted']));
      },
      60_000,
    );
  });

  it('decides once and for all at one rename', async () => {
    const trap = setTrap(box);
    let transaction: Transaction;
    await eachStep(
      async (step) => {
        transaction = await staged();
        must(await transaction.switch());
        must(await transaction.call('renew', { seq: 1, vote: 'yes' }));
        return transaction.call('decide', { decision: 'commit', seq: 1 }, trap(step));
      },
      async (step) => {
        const decided = box.read(`txn/${transaction.id}/decision`) !== null;
        const back = await transaction.revert();
        expect({ step, code: back.code, state: back.fields['state'] }).toEqual(
          decided ? { step, code: 'wrong-state', state: 'confirmed' } : { step, code: '', state: 'reverted' },
        );
        must(await transaction.close());
      },
    );
  }, 60_000);
});
