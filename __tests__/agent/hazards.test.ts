import { statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { secretsInput } from '../../shared/host/wire';
import { Box, bootId, must, noting, payload, type Transaction, until, uptime } from './box';
import { describeInShells } from './shells';

describeInShells('what could keep the agent from its work', (shell) => {
  let box: Box;
  beforeEach(async () => {
    box = await Box.create(shell);
  });
  afterEach(() => box.dispose());

  const withCommands = (overrides: Parameters<typeof noting>[1] = {}, version = '1.0.0') => {
    const service = noting(path.join(box.folder, 'noted'), overrides);
    const components = [box.component({ artifact: payload.planned, service })];
    return box.transaction({ version, components });
  };

  async function staged(transaction: Transaction): Promise<void> {
    must(await transaction.open());
    must(await transaction.receive());
    must(await transaction.stage());
  }

  it('does not wait for the daemon that a start command leaves behind with its output open', async () => {
    const transaction = withCommands({ start: 'sleep 30 & echo started' });
    await staged(transaction);
    const begun = performance.now();
    must(await transaction.switch());
    expect(performance.now() - begun).toBeLessThan(5_000);
    // The lock is free: the next verb is not `busy`.
    expect((await transaction.revert()).status).toBe('ok');
  });

  it('says what a failing start command printed, and keeps it in a log that others cannot read', async () => {
    const transaction = withCommands({ start: 'echo no licence >&2; exit 9' });
    await staged(transaction);
    const answer = await transaction.switch();
    expect(answer.code).toBe('start-failed');
    expect(answer.message).toContain('exit code 9: no licence');
    const log = path.join(box.root, 'log', 'web.log');
    expect(box.read('log/web.log')).toBe('no licence\n');
    expect(statSync(log).mode & 0o077).toBe(0);
  });

  it('keeps its lock files closed to other users, who could hold them for ever', async () => {
    must(await withCommands().open());
    for (const name of ['lock', 'lease.lock']) expect(statSync(path.join(box.root, name)).mode & 0o077).toBe(0);
  });

  it('takes secrets of any name that the manifest allows, to the last newline', async () => {
    const secrets = { db_password: 'one', names: 'two', KEY: 'begin\nend\n' };
    const transaction = withCommands({
      start: 'printf "%s-%s-%s." "$db_password" "$names" "$KEY" >seen',
      secrets: Object.keys(secrets),
    });
    await staged(transaction);
    must(await transaction.switch('web', secrets));
    expect(box.read('../srv/web/current/seen')).toBe('one-two-begin\nend\n.');
    must(await transaction.revert({}, secrets));
  });

  it('saves the evidence of a version with build metadata', async () => {
    const transaction = withCommands({}, '1.4.2+build.7');
    await staged(transaction);
    const answer = must(await transaction.call('forensics', { reason: 'test' }));
    expect(answer.fields['path']).toContain('1.4.2+build.7-');
  });

  it('gives a vote again whose answer was lost, without lengthening the lease', async () => {
    const transaction = withCommands();
    await staged(transaction);
    must(await transaction.switch());
    must(await transaction.call('renew', { seq: 1, vote: 'yes' }));
    const lease = box.read('lease');
    expect(must(await transaction.call('renew', { seq: 1, vote: 'yes' })).fields['already']).toBe('yes');
    expect(box.read('lease')).toBe(lease);
    expect(must(await transaction.call('decide', { decision: 'commit', seq: 1 })).fields['decision']).toBe('commit');
  });

  it('does not believe a lease with more left than its length: the clock began anew', async () => {
    const transaction = withCommands();
    await staged(transaction);
    const fields = (box.read('lease') ?? '').trim().split('\t');
    fields[2] = String(uptime() + 6_001 + 5_000);
    fields[3] = bootId;
    box.write('lease', `${fields.join('\t')}\n`);
    expect((await transaction.switch()).code).toBe('lease-ended');
  });

  it('runs no migration once its lease has ended, but still undoes one', async () => {
    const transaction = withCommands();
    await staged(transaction);
    const fields = (box.read('lease') ?? '').trim().split('\t');
    fields[2] = '1';
    box.write('lease', `${fields.join('\t')}\n`);
    const step = (name: string) =>
      transaction.call(
        'migrate',
        { name: 'db', step: name, timeout: 5 },
        { stdin: `${secretsInput({})}echo ${name} >>"${box.folder}/ran"\n` },
      );
    expect((await step('up')).code).toBe('lease-ended');
    expect((await step('backup')).code).toBe('lease-ended');
    must(await step('down'));
    expect(box.read('../ran')).toBe('down\n');
  });

  it('runs no migration that comes after everybody went back, as one that waited for the lock does, but undoes one', async () => {
    const transaction = withCommands();
    await staged(transaction);
    const step = (name: string) =>
      transaction.call(
        'migrate',
        { name: 'db', step: name, timeout: 5 },
        { stdin: `${secretsInput({})}echo ${name} >>"${box.folder}/ran"\n` },
      );
    must(await step('version'));
    must(await transaction.revert());
    expect((await step('up')).code).toBe('wrong-state');
    expect((await step('backup')).code).toBe('wrong-state');
    must(await step('down'));
    expect(box.read('../ran')).toBe('version\ndown\n');
  });

  it('takes no mark of a way forward after that of the undo, however late it comes', async () => {
    const transaction = withCommands();
    await staged(transaction);
    const mark = (value: string) => transaction.call('mark', { key: 'migration.db', value });
    must(await mark('backed-up:1'));
    // By a lease that ended while the migration ran: that it got through has to be known all the same.
    must(await transaction.revert());
    must(await mark('applied:1'));
    must(await mark('undoing:1'));
    expect((await mark('applied:1')).code).toBe('late');
    must(await mark('undone:1'));
    for (const value of ['started:1', 'backed-up:1', 'applied:1', 'applied']) {
      expect((await mark(value)).code).toBe('late');
    }
    expect(box.read(`txn/${transaction.id}/migration.db`)).toBe('undone:1\n');
  });

  it('is watched again once a confirmed host is told to go back', async () => {
    const transaction = withCommands({ stop: 'sleep 1' });
    await staged(transaction);
    must(await transaction.switch());
    must(await transaction.call('confirm'));
    await until('the first watcher has gone', () => box.watchers().length === 0);
    const going = transaction.revert({ override: 'yes' });
    await until('a watcher runs while it goes back', () => box.watchers().length > 0);
    must(await going);
    expect(transaction.state()).toBe('reverted');
  });

  it('goes on trying after a restart when it could not go back at once', async () => {
    const first = withCommands();
    await staged(first);
    must(await first.switch());
    must(await first.commit());
    must(await first.close());
    const second = withCommands({ start: `test -f "${box.folder}/ready"` }, '2.0.0');
    // The new version started once; after the restart its disk is not there yet.
    box.write('../ready', '');
    await staged(second);
    must(await second.switch());
    for (const pid of box.watchers()) process.kill(pid, 'SIGKILL');
    const fields = (box.read('lease') ?? '').trim().split('\t');
    fields[3] = 'another-boot';
    box.write('lease', `${fields.join('\t')}\n`);
    must(
      await box
        .run(['mv', `${box.folder}/ready`, `${box.folder}/away`])
        .then((answer) => ({ ...answer, status: 'ok' })),
    );
    const boot = must(await box.verb('boot'));
    expect(boot.fields['state']).toBe('revert-failed');
    await until('somebody tries again', () => box.watchers().length > 0);
  });
});
