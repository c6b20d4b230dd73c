import { chmodSync, existsSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { secretsInput } from '../../shared/host/wire';
import { type Answer, Box, must, noting, payload, sleeper, type Transaction, until, uptime } from './box';
import { describeInShells, whereIs } from './shells';

describeInShells(
  'the lease and the lock',
  (shell) => {
    let box: Box;
    beforeEach(async () => {
      box = await Box.create(shell);
      box.forgetDisks();
    });
    afterEach(() => box.dispose());

    const web = (overrides: Parameters<Box['component']>[0] = {}) =>
      box.component({ artifact: payload.planned, service: sleeper, ...overrides });

    async function staged(
      transaction: Transaction,
      args: Parameters<Transaction['open']>[0] = {},
    ): Promise<Transaction> {
      must(await transaction.open(args));
      must(await transaction.receive());
      must(await transaction.stage());
      return transaction;
    }

    /** A command that comes first in the box's PATH. */
    function program(name: string, text: string): void {
      const at = path.join(box.folder, 'programs', name);
      writeFileSync(at, `#!/bin/sh\n${text}\n`);
      chmodSync(at, 0o755);
    }

    /** When the lease ends, in centiseconds since the machine started. */
    const leaseEnd = () => Number((box.read('lease') ?? '').split('\t')[2]);

    /** Lets the lease be over, without waiting for it. */
    function endLease(): void {
      const fields = (box.read('lease') ?? '').split('\t');
      fields[2] = String(uptime() - 1);
      box.write('lease', fields.join('\t'));
    }

    describe('a host that nobody confirms', () => {
      it('stays while its lease is renewed, and goes back by itself within two seconds of its end', async () => {
        const old = await box.deploy('1.0.0', [web()]);
        const transaction = box.transaction({ version: '2.0.0', components: [web()] });
        must(await transaction.open({ lease: 2 }));
        const begun = uptime();
        let seq = 0;
        let renewing = true;
        const heartbeat = (async () => {
          while (renewing) {
            seq += 1;
            must(await transaction.call('renew', { seq }));
            await sleep(200);
          }
        })();
        must(await transaction.receive());
        must(await transaction.stage());
        must(await transaction.switch());
        await until('it is older than its first lease', () => uptime() > begun + 250);
        expect(transaction.state()).toBe('switched');
        renewing = false;
        await heartbeat;
        const end = leaseEnd();
        await until('it went back', () => transaction.state() === 'reverted');
        expect(uptime()).toBeLessThan(end + 200);
        expect(uptime()).toBeGreaterThanOrEqual(end);
        expect({ current: box.current(), running: await box.settled(1) }).toEqual({
          current: `releases/${old.id}`,
          running: [old.id],
        });
        expect(box.read(`txn/${transaction.id}/reverted-by`)).toContain('lease ended');
        await until('the watcher has gone', () => box.watchers().length === 0);
      });

      it('goes back once, however many watchers there are', async () => {
        const old = await box.deploy('1.0.0', [web()]);
        const transaction = await staged(box.transaction({ version: '2.0.0', components: [web()] }));
        must(await transaction.switch());
        const more = [1, 2].map(() => box.verb('watch', { txn: transaction.id }));
        endLease();
        await until('it went back', () => transaction.state() === 'reverted');
        await Promise.all(more);
        expect(await box.settled(1)).toEqual([old.id]);
        expect(transaction.journal().match(/\tbegin\trevert/g)).toHaveLength(1);
      });

      it('is halted instead, and marked, where a migration cannot be undone', async () => {
        await box.deploy('1.0.0', [web()]);
        const transaction = await staged(box.transaction({ version: '2.0.0', components: [web()] }));
        must(await transaction.call('mark', { key: 'no-return', value: 'database' }));
        must(await transaction.switch());
        endLease();
        await until('it is halted', () => transaction.state() === 'halted');
        expect(await box.settled(1)).toEqual([transaction.id]);
        const status = must(await box.verb('status'));
        expect(status.records.find(({ kind }) => kind === 'critical')?.fields['message']).toContain(transaction.id);
      });

      it('is halted in the middle of a switch, and completes it when a recovery says so, under watch', async () => {
        await box.deploy('1.0.0', [web()]);
        const transaction = await staged(box.transaction({ version: '2.0.0', components: [web()] }));
        must(await transaction.call('mark', { key: 'no-return', value: 'database' }));
        must(await transaction.switch());
        // As the end of a login leaves it between the stop of the service and its start.
        for (const pid of box.processes()) process.kill(pid, 'SIGKILL');
        box.remove(`txn/${transaction.id}/done.web`);
        box.write(`txn/${transaction.id}/state`, 'switching');
        endLease();
        await box.verb('watch', { txn: transaction.id });
        expect(transaction.state()).toBe('halted');
        expect(box.running()).toEqual([]);
        const epoch = transaction.epoch + 1;
        const ask = (args: Record<string, string | number>) =>
          box.verb('switch', { txn: transaction.id, epoch, component: 'web', ...args }, { stdin: secretsInput({}) });
        must(await box.verb('fence', { txn: transaction.id, epoch, lease: 60, owner: 'run', runner: 'runner' }));
        expect(await ask({})).toMatchObject({ status: 'refused', code: 'wrong-state' });
        expect(must(await ask({ override: 'yes' })).fields['state']).toBe('switched');
        expect(await box.settled(1)).toEqual([transaction.id]);
        endLease();
        await until('it is halted', () => transaction.state() === 'halted');
        expect(
          must(await box.verb('fence', { txn: transaction.id, epoch: epoch + 1, lease: 60 })).fields['state'],
        ).toBe('halted');
        const pids = box.processes();
        const again = await box.verb(
          'switch',
          { txn: transaction.id, epoch: epoch + 1, component: 'web', override: 'yes' },
          { stdin: secretsInput({}) },
        );
        expect(must(again).fields).toMatchObject({ state: 'halted', already: 'yes' });
        expect(box.processes()).toEqual(pids);
      });

      it('is no longer watched once it is confirmed and closed, and stays', async () => {
        const transaction = await staged(box.transaction({ components: [web()] }));
        must(await transaction.switch());
        expect(box.watchers().length).toBeGreaterThan(0);
        must(await transaction.commit());
        must(await transaction.close());
        await until('the watcher has gone', () => box.watchers().length === 0);
        expect(await box.settled(1)).toEqual([transaction.id]);
      });
    });

    describe('a restart of the host', () => {
      /** Nothing of before runs any more, and the lease is of another boot. */
      async function restart(): Promise<Answer> {
        for (const pid of box.processes()) process.kill(pid, 'SIGKILL');
        await until('everything has ended', () => box.running().length === 0 && box.watchers().length === 0);
        const fields = (box.read('lease') ?? '').split('\t');
        if (fields.length > 3) {
          fields[3] = '00000000-0000-0000-0000-000000000000';
          box.write('lease', fields.join('\t'));
        }
        return box.run([path.join(box.folder, 'sh'), path.join(box.root, 'agent.sh'), '--root', box.root, 'boot']);
      }

      it('brings the old version back where the new one was not confirmed', async () => {
        const old = await box.deploy('1.0.0', [web()]);
        const transaction = await staged(box.transaction({ version: '2.0.0', components: [web()] }));
        must(await transaction.switch());
        expect(must(await restart()).fields['state']).toBe('reverted');
        expect({ current: box.current(), running: await box.settled(1) }).toEqual({
          current: `releases/${old.id}`,
          running: [old.id],
        });
        expect((await transaction.call('confirm')).code).toBe('wrong-state');
        must(await transaction.close());
      });

      it('changes nothing where it was confirmed, or where nothing was open', async () => {
        const transaction = await staged(box.transaction({ components: [web()] }));
        must(await transaction.switch());
        must(await transaction.commit());
        expect(must(await restart()).fields['state']).toBe('confirmed');
        expect(box.current()).toBe(`releases/${transaction.id}`);
        must(await transaction.close());
        expect(must(await restart()).fields['state']).toBe('idle');
        expect(box.current()).toBe(`releases/${transaction.id}`);
      });
    });

    describe('renewals', () => {
      it('get through while a slow start holds the lock, and a vote does not', async () => {
        const flag = path.join(box.folder, 'go');
        const service = noting('/dev/null', {
          start: `while [ ! -e "${flag}" ]; do sleep 0.05; done`,
          timeoutSeconds: 30,
        });
        const transaction = await staged(box.transaction({ components: [web({ service })] }));
        const switching = transaction.switch();
        await until('it is being started', () => transaction.journal().includes('\tlinked\t'));
        const before = leaseEnd();
        expect(must(await transaction.call('renew', { seq: 1 })).fields['state']).toBe('switching');
        expect(leaseEnd()).toBeGreaterThan(before);
        expect(await transaction.call('renew', { seq: 2, vote: 'yes', wait: 0 })).toMatchObject({
          code: 'busy',
          exit: 3,
        });
        expect((await transaction.revert({ wait: 0 })).code).toBe('busy');
        expect(must(await box.verb('status')).records[0]?.fields['busy']).toBe('yes');
        writeFileSync(flag, '');
        must(await switching);
        must(await transaction.call('renew', { seq: 2, vote: 'yes' }));
      });

      it('that arrive late lengthen nothing, and the vote before them is not the last', async () => {
        const transaction = await staged(box.transaction({ components: [web()] }));
        must(await transaction.switch());
        must(await transaction.call('renew', { seq: 5, vote: 'yes' }));
        const end = leaseEnd();
        expect((await transaction.call('renew', { seq: 4 })).code).toBe('late');
        expect(leaseEnd()).toBe(end);
        must(await transaction.call('renew', { seq: 6 }));
        expect((await transaction.call('decide', { decision: 'commit', seq: 5 })).code).toBe('late');
        must(await transaction.call('decide', { decision: 'commit', seq: 6 }));
      });

      it('never bring back the lease of a transaction that is being closed', async () => {
        // A renewal that has been checked and not yet written, for as long as the file is there: it asks for the time.
        const hold = path.join(box.folder, 'hold');
        const date = shell.applets ? `${shell.program} date` : (whereIs('date') ?? '/bin/date');
        program(
          'date',
          `if [ -e "${hold}" ] && [ ! -e "${hold}.reached" ]; then : >"${hold}.reached"; while [ -e "${hold}" ]; do sleep 0.02; done; fi\nexec ${date} "$@"`,
        );
        const transaction = await staged(box.transaction({ components: [web()] }));
        must(await transaction.switch());
        must(await transaction.commit());
        writeFileSync(hold, '');
        const renewal = transaction.call('renew', { seq: 9 });
        await until('the renewal is under way', () => existsSync(`${hold}.reached`));
        const closing = transaction.close();
        await Promise.race([closing, sleep(400)]);
        rmSync(hold);
        await renewal;
        must(await closing);
        expect(box.read('lease')).toBeNull();
        must(await box.transaction({ components: [web()] }).open());
      });

      it('do not look at the wall clock', async () => {
        program('date', 'case "$*" in *%s*) echo 17 ;; *) echo 1999-12-31T23:59:59Z ;; esac');
        const transaction = await staged(box.transaction({ components: [web()] }), { lease: 30 });
        const opened = leaseEnd();
        expect(opened - uptime()).toBeLessThanOrEqual(3000);
        expect(opened - uptime()).toBeGreaterThan(0);
        program('date', 'case "$*" in *%s*) echo 99999999999 ;; *) echo 9999-12-31T23:59:59Z ;; esac');
        must(await transaction.call('renew', { seq: 1 }));
        expect(leaseEnd() - uptime()).toBeLessThanOrEqual(3000);
        must(await transaction.switch());
        must(await transaction.commit(2));
      });
    });

    describe('several at once', () => {
      it('open: one wins, the others are told who', async () => {
        for (let round = 0; round < 3; round += 1) {
          const all = [1, 2, 3].map((who) => ({ who, transaction: box.transaction({ components: [web()] }) }));
          const answers = await Promise.all(
            all.map(({ who, transaction }) => transaction.open({ owner: `run-${who}` })),
          );
          const winners = all.filter((_, index) => answers[index]?.status === 'ok');
          expect(winners).toHaveLength(1);
          for (const answer of answers.filter(({ status }) => status !== 'ok')) {
            expect(answer.code).toBe('locked');
            expect(answer.fields['owner']).toBe(`run-${winners[0]?.who}`);
          }
          must((await winners[0]?.transaction.close()) as Answer);
          expect(readdirSync(path.join(box.root, 'txn'))).toHaveLength(round + 1);
        }
      });

      it('the same switch twice: one service', async () => {
        const transaction = await staged(box.transaction({ components: [web()] }));
        const answers = await Promise.all([transaction.switch(), transaction.switch(), transaction.switch()]);
        for (const answer of answers) must(answer);
        expect(await box.settled(1)).toEqual([transaction.id]);
      });

      it('a switch and a revert: whoever is second finds the other done', async () => {
        const old = await box.deploy('1.0.0', [web()]);
        for (let round = 0; round < 2; round += 1) {
          const transaction = await staged(box.transaction({ version: '2.0.0', components: [web()] }));
          const [switched, reverted] = await Promise.all([transaction.switch(), transaction.revert()]);
          must(reverted);
          expect(['', 'wrong-state']).toContain(switched.code);
          expect({ state: transaction.state(), running: await box.settled(1) }).toEqual({
            state: 'reverted',
            running: [old.id],
          });
          must(await transaction.close());
        }
      });

      it('nothing that the agent started keeps a lock', async () => {
        const service = noting('/dev/null', { start: 'sleep 300 & sleep 0' });
        const components = [web({ name: 'process' }), web({ name: 'command', service })];
        const transaction = await staged(box.transaction({ components }));
        must(await transaction.switch('process'));
        must(await transaction.switch('command'));
        const left = box.processes();
        // The watcher, the process, and what the start command left behind.
        expect(left.length).toBeGreaterThanOrEqual(3);
        const locks = left.flatMap((pid) => openFiles(pid)).filter((file) => /\/(lease\.)?lock$/.test(file));
        expect(locks).toEqual([]);
        expect(must(await box.verb('status')).records[0]?.fields['busy']).toBe('no');
      });
    });

    describe('systemd units', () => {
      const units = ['shop-back', 'shop@1.service'];
      const calls = () => (box.read('../calls') ?? '').trim().split('\n');

      beforeEach(() => {
        program(
          'systemctl',
          `echo "$*" >>"${box.folder}/calls"\ncase $1 in is-active) cat "${box.folder}/active" 2>/dev/null || echo active ;; esac\n[ ! -e "${box.folder}/fails" ]`,
        );
      });

      const unit = (when: 'stop-start' | 'restart' | 'reload') =>
        web({ service: { manager: 'systemd', units, when, timeoutSeconds: 5 } });

      it.each([
        ['stop-start', ['stop', 'reset-failed', 'start']],
        ['restart', ['reset-failed', 'restart']],
        ['reload', ['reset-failed', 'reload-or-restart']],
      ] as const)('are switched and brought back with %s', async (when, verbs) => {
        await box.deploy('1.0.0', [unit(when)]);
        const transaction = await staged(box.transaction({ version: '2.0.0', components: [unit(when)] }));
        const both = units.join(' ');
        const expected = [...verbs.map((verb) => `${verb} -- ${both}`), ...units.map((one) => `is-active -- ${one}`)];
        box.write('../calls', '');
        must(await transaction.switch());
        expect(calls()).toEqual(expected);
        box.write('../calls', '');
        must(await transaction.revert());
        expect(calls()).toEqual(expected);
      });

      it.each([
        ['stop-start', ['stop', 'reset-failed', 'start']],
        ['restart', ['reset-failed', 'restart']],
        ['reload', ['reset-failed', 'restart']],
      ] as const)(
        'that run before there is a release are in a new run with the first one, with %s',
        async (when, verbs) => {
          const transaction = await staged(box.transaction({ version: '1.0.0', components: [unit(when)] }));
          box.write('../calls', '');
          must(await transaction.switch());
          expect(calls().slice(0, verbs.length)).toEqual(verbs.map((verb) => `${verb} -- ${units.join(' ')}`));
        },
      );

      it('that do not come up are said to be what they are', async () => {
        const transaction = await staged(box.transaction({ components: [unit('restart')] }));
        box.write('../fails', '');
        const answer = await transaction.switch();
        expect(answer).toMatchObject({ status: 'failed', code: 'start-failed' });
        expect(answer.message).toContain(`systemctl restart ${units.join(' ')}`);
      });

      it('are not waited for while the host starts', async () => {
        await box.deploy('1.0.0', [unit('restart')]);
        const transaction = await staged(box.transaction({ version: '2.0.0', components: [unit('restart')] }));
        must(await transaction.switch());
        box.write('../calls', '');
        must(await box.verb('boot'));
        expect(calls()).toEqual([`reset-failed -- ${units.join(' ')}`, `--no-block start -- ${units.join(' ')}`]);
        expect(transaction.state()).toBe('reverted');
      });
    });
  },
  'long',
);

/** What a process has open. */
function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).map((name) => {
      try {
        return readlinkSync(path.join(folder, name));
      } catch {
        return '';
      }
    });
  } catch {
    return [];
  }
}
