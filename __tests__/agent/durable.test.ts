import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Box, must, payload, type Transaction, until } from './box';
import { describeInShells, whereIs } from './shells';

/** What one call of `sync` was given, and the state of the transaction at that time. */
interface Call {
  state: string;
  files: string[];
}

describeInShells('what a state stands for is on the disk before the state', (shell) => {
  let box: Box;
  let transaction: Transaction;

  beforeEach(async () => {
    box = await Box.create(shell);
    transaction = box.transaction({ components: [box.component({ artifact: payload.planned })] });
    const sync = shell.applets ? `${shell.program} sync` : (whereIs('sync') ?? '/bin/sync');
    const program = path.join(box.folder, 'programs', 'sync');
    writeFileSync(
      program,
      [
        '#!/bin/sh',
        `{ cat "${box.root}/txn/${transaction.id}/state" || echo none; } 2>/dev/null >>"${box.folder}/synced"`,
        `for file; do printf '\\t%s\\n' "$file"; done >>"${box.folder}/synced"`,
        `exec ${sync} "$@"`,
      ].join('\n'),
    );
    chmodSync(program, 0o755);
  });
  afterEach(() => box.dispose());

  /** All calls since this was last asked. */
  function calls(): Call[] {
    const log = path.join(box.folder, 'synced');
    const text = readFileSync(log, 'utf8');
    writeFileSync(log, '');
    return text
      .split(/^(?=\S)/m)
      .map((part) => part.trim().split('\n\t'))
      .map(([state = '', ...files]) => ({ state, files }));
  }

  /** Files that reached the disk while the transaction was in that state. */
  const during = (state: string) => calls().flatMap((call) => (call.state === state ? call.files : []));

  const below = (...names: string[]) => names.map((name) => path.join(box.root, name));
  const releases = () => path.join(box.place(), 'releases');

  it('open: the plan, the way back and the folder they are in, before `active` names them', async () => {
    must(await transaction.open());
    const [first] = calls();
    const id = `txn/${transaction.id}`;
    expect(first?.files).toEqual(
      expect.arrayContaining(below(`${id}/plan`, `${id}/previous`, `${id}/state`, id, 'txn')),
    );
  });

  it('staged: the release, its checksums and its notes', async () => {
    must(await transaction.open());
    must(await transaction.receive());
    calls();
    must(await transaction.stage());
    const meta = path.join(releases(), '.meta');
    const notes = [`${meta}/${transaction.id}`, `${meta}/${transaction.id}.sums`, meta, releases()];
    expect(during('open')).toEqual(expect.arrayContaining(notes));
    // Killed after the release had its name: the next try does not rely on what the first one did.
    box.write(`txn/${transaction.id}/state`, 'open\n');
    must(await transaction.stage());
    expect(during('open')).toEqual(expect.arrayContaining(notes));
  });

  it('switched: the link, also after a try that was killed right after it', async () => {
    must(await transaction.open());
    must(await transaction.receive());
    must(await transaction.stage());
    calls();
    must(await transaction.switch());
    expect(during('switching')).toContain(box.place());
    box.write(`txn/${transaction.id}/state`, 'switching\n');
    must(await transaction.switch());
    expect(during('switching')).toContain(box.place());
  });

  it('the decision, before anything that follows it', async () => {
    must(await transaction.open());
    must(await transaction.receive());
    must(await transaction.stage());
    must(await transaction.switch());
    must(await transaction.call('renew', { seq: 1, vote: 'yes' }));
    calls();
    must(await transaction.call('decide', { decision: 'commit', seq: 1 }));
    expect(during('switched').filter((file) => /\/decision\.\d+\.tmp$/.test(file))).toHaveLength(1);
    // Killed between the two renames.
    box.write(`txn/${transaction.id}/state`, 'switched\n');
    expect(must(await box.verb('status')).records[0]?.fields['state']).toBe('confirmed');
  });

  it('a lease that a power cut left empty is none, and nothing to report', async () => {
    must(await transaction.open());
    box.write('lease', '');
    const { records } = must(await box.verb('status'));
    expect(records.filter(({ kind }) => kind === 'broken' || kind === 'lease')).toEqual([]);
    await until('the watcher goes back', () => transaction.state() === 'reverted');
    expect((await transaction.call('renew', { seq: 1 })).code).toBe('not-open');
  });
});
