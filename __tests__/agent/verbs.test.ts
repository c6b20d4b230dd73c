import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { renderPlan } from '../../shared/transaction/host-plan';
import { file, tar } from '../artifacts/archive';
import { artifactOf, Box, complete, kill, must, noting, payload, sleeper, type Transaction, until } from './box';
import { describeInShells, whereIs } from './shells';

describeInShells(
  'the verbs of the agent',
  (shell) => {
    let box: Box;
    beforeEach(async () => {
      box = await Box.create(shell);
    });
    afterEach(() => box.dispose());

    const web = (overrides: Parameters<Box['component']>[0] = {}) =>
      box.component({ artifact: payload.planned, ...overrides });

    async function staged(transaction: Transaction): Promise<Transaction> {
      must(await transaction.open());
      must(await transaction.receive());
      must(await transaction.stage());
      return transaction;
    }

    /** What is in the agent's own folder and in the releases, file by file with its content. */
    function everyFile(): Record<string, string> {
      const found: Record<string, string> = {};
      for (const top of [box.root, path.join(box.folder, 'srv')]) {
        if (!existsSync(top)) continue;
        for (const entry of readdirSync(top, { recursive: true, withFileTypes: true })) {
          const at = path.join(entry.parentPath, entry.name);
          if (entry.isFile()) found[at] = readFileSync(at, 'utf8');
          if (entry.isSymbolicLink()) found[at] = 'link';
        }
      }
      return found;
    }

    describe('open', () => {
      it('is repeated without harm, once', async () => {
        const transaction = box.transaction({ components: [web()] });
        expect(must(await transaction.open()).fields).toMatchObject({ state: 'open', 'boot-hook': 'cron' });
        expect(must(await transaction.open()).fields['already']).toBe('yes');
        expect(
          box
            .read('../var/crontab')
            ?.split('\n')
            .filter((line) => line.startsWith('@reboot')),
        ).toHaveLength(1);
      });

      it('is refused to another while the lease lives, and names the owner', async () => {
        const first = box.transaction({ components: [web()] });
        must(await first.open());
        const answer = await box.transaction({ components: [web()] }).open({ owner: 'somebody else' });
        expect(answer).toMatchObject({ status: 'refused', code: 'locked', exit: 3 });
        expect(answer.fields).toMatchObject({
          transaction: first.id,
          owner: 'https://github.example/runs/77',
          runner: 'runner-1',
        });
        expect(Date.parse(answer.fields['ends'] ?? '')).toBeGreaterThan(Date.parse(answer.fields['since'] ?? ''));
      });

      it('is refused a second time under the same id, whatever its epoch', async () => {
        const transaction = box.transaction({ components: [web()] });
        must(await transaction.open());
        must(await transaction.close());
        expect((await transaction.open({ epoch: 9 })).code).toBe('replayed');
        expect((await transaction.open()).code).toBe('fenced');
        expect(box.read('active')).toBeNull();
      });

      it.each([
        ['a real folder', (at: string) => mkdirSync(at)],
        ['a file', (at: string) => writeFileSync(at, 'x')],
        ['a link to somewhere else', (at: string) => symlinkSync('/srv/elsewhere', at)],
        ['a link out of releases/', (at: string) => symlinkSync('releases/../../x', at)],
        ['a link to a hidden release', (at: string) => symlinkSync('releases/.partial', at)],
      ])('touches no current that is %s', async (_, make) => {
        mkdirSync(box.place(), { recursive: true });
        make(path.join(box.place(), 'current'));
        const before = everyFile();
        const answer = await box.transaction({ components: [web()] }).open();
        expect(answer).toMatchObject({ status: 'failed', code: 'current-not-ours', exit: 1 });
        expect(box.read('active')).toBeNull();
        expect(box.read('lease')).toBeNull();
        for (const [at, text] of Object.entries(before)) expect(everyFile()[at]).toBe(text);
      });

      it('takes no plan that was cut off, or that says something unknown', async () => {
        const transaction = box.transaction({ components: [web()] });
        const plan = renderPlan(transaction.plan);
        for (const text of [plan.slice(0, -4), plan.slice(0, 40), '', `${plan}surprise\n`]) {
          expect(await transaction.open({}, { stdin: text })).toMatchObject({ status: 'failed', code: 'plan-invalid' });
        }
        expect(box.read('active')).toBeNull();
        expect(readdirSync(path.join(box.folder, 'tmp'))).toEqual([]);
        must(await transaction.open());
      });

      it('says when it may not write', async () => {
        const answer = await box.run(
          [
            path.join(box.folder, 'sh'),
            box.agent,
            '--root',
            '/proc/nowhere/state',
            'open',
            'txn=a',
            'epoch=1',
            'lease=60',
          ],
          { stdin: renderPlan(box.plan()) },
        );
        expect(answer).toMatchObject({ status: 'failed', code: 'no-rights', exit: 1 });
        expect(answer.message).toContain('/proc/nowhere/state');
      });
    });

    describe('receive', () => {
      const blobs = () => (existsSync(path.join(box.root, 'blobs')) ? readdirSync(path.join(box.root, 'blobs')) : []);

      it('keeps what arrived whole, and reads a second upload to its end', async () => {
        const transaction = box.transaction();
        expect(must(await transaction.receive()).fields['already']).toBeUndefined();
        expect(must(await transaction.receive()).fields['already']).toBe('yes');
        expect(blobs()).toEqual([payload.planned.sha256]);
      });

      it.each([
        ['damaged', Buffer.from(payload.content).fill('?', 600, 601)],
        ['cut off', payload.content.subarray(0, 1000)],
        ['empty', Buffer.alloc(0)],
        ['too long', Buffer.concat([payload.content, Buffer.from('x')])],
      ])('keeps nothing of an upload that is %s', async (_, content) => {
        const answer = await box.transaction().receive(payload, { stdin: content });
        expect(answer).toMatchObject({ status: 'failed', code: 'upload-damaged', exit: 1 });
        expect(answer.message).toContain(`of ${payload.content.length} bytes`);
        expect(blobs()).toEqual([]);
      });

      it('says that the disk is full, and keeps nothing', async () => {
        // Files may have 512 bytes only; a write beyond is an error, as on a full disk.
        const answer = await box.transaction().receive(payload, { before: 'trap "" XFSZ; ulimit -f 1; exec "$@"' });
        expect(answer).toMatchObject({ status: 'failed', code: 'no-space' });
        expect(blobs()).toEqual([]);
      });

      it('lets two uploads of the same artifact run at once', async () => {
        const transaction = box.transaction();
        const answers = await Promise.all([1, 2, 3, 4].map(() => transaction.receive()));
        for (const answer of answers) must(answer);
        expect(blobs()).toEqual([payload.planned.sha256]);
      });

      /** Asks one agent for all of it, each time once it has answered. */
      async function served(content: Buffer, script = ''): Promise<string[]> {
        const file = path.join(box.folder, 'sent');
        writeFileSync(file, content);
        const { sha256 } = payload.planned;
        const program = `cd "$1"; mkfifo in out; ${script}
          "$1/sh" "$2" --root "$3" serve <in >out &
          exec 3>in 4<out
          answer() { while read -r line <&4; do case $line in *done*) echo "$line"; return ;; esac; done; echo over; }
          trap : PIPE
          printf 'ds1\\tcall\\t1\\treceive\\tsha=%s\\tbytes=%s\\nds1\\trun\\n' ${sha256} ${payload.content.length} >&3
          cat "$4" >&3
          answer
          printf 'ds1\\tcall\\t2\\tstatus\\nds1\\trun\\n' >&3
          answer
          exec 3>&-
          wait`;
        const { stdout } = await box.run(['/bin/sh', '-c', program, 'sh', box.folder, box.agent, box.root, file]);
        return stdout.replaceAll('\t', ' ').trim().split('\n');
      }

      it('takes exactly its bytes as a request among others', async () => {
        expect(await served(payload.content)).toEqual(['ds1 done 1 0', 'ds1 done 2 0']);
        expect(blobs()).toEqual([payload.planned.sha256]);
        expect(await served(payload.content, 'rm -f in out; mkfifo in out;')).toEqual(['ds1 done 1 0', 'ds1 done 2 0']);
      });

      it.each([
        ['that is damaged', Buffer.from(payload.content).fill('?', 600, 601), ''],
        ['for which there is no space', payload.content, `trap '' XFSZ; ulimit -f 1;`],
      ])('ends the requests with an upload %s', async (_what, content, script) => {
        expect(await served(content, script)).toEqual(['ds1 done 1 1', 'over']);
        expect(blobs()).toEqual([]);
      });

      it.each(['../../etc/passwd', 'ABC', 'g0', ''])('takes no name such as %p', async (sha) => {
        expect(await box.verb('receive', { sha, bytes: 3 }, { stdin: 'abc' })).toMatchObject({ code: 'bad-call' });
      });
    });

    describe('stage', () => {
      const content = tar(
        file('a.txt', 'first'),
        file('bin/run', '#!/bin/sh\n', 0o755),
        file('z-last.txt', 'complete'),
      );
      const formats = [
        ['tar', (plain: Buffer) => plain],
        ['tar.gz', (plain: Buffer) => gzipSync(plain)],
        ['tar.zst', (plain: Buffer) => execFileSync(whereIs('zstd') ?? 'zstd', ['-q', '-c'], { input: plain })],
      ] as const;

      it.each(formats.filter(([format]) => format !== 'tar.zst' || whereIs('zstd') !== null))(
        'unpacks %s with its modes, under a name of its own',
        async (format, pack) => {
          const artifact = artifactOf(pack(await content), format);
          const transaction = box.transaction({ version: '1.2.3', components: [web({ artifact: artifact.planned })] });
          must(await transaction.open());
          must(await transaction.receive(artifact));
          must(await transaction.stage());
          expect(must(await transaction.stage()).fields['already']).toBe('yes');
          const release = path.join(box.place(), 'releases', transaction.id);
          expect(readdirSync(release).sort()).toEqual(['a.txt', 'bin', 'z-last.txt']);
          expect(statSync(path.join(release, 'bin/run')).mode & 0o777).toBe(0o755);
          expect(box.current()).toBeNull();
          const meta = readFileSync(path.join(box.place(), 'releases/.meta', transaction.id), 'utf8');
          expect(meta.split('\t').slice(0, 2)).toEqual(['1.2.3', artifact.planned.sha256]);
        },
      );

      it('leaves no half release of something that is no archive', async () => {
        const artifact = artifactOf(Buffer.from('no archive at all'.repeat(100)));
        const transaction = box.transaction({ components: [web({ artifact: artifact.planned })] });
        must(await transaction.open());
        must(await transaction.receive(artifact));
        expect(await transaction.stage()).toMatchObject({ status: 'failed', code: 'unpack-failed' });
        expect(transaction.state()).toBe('open');
        expect(readdirSync(path.join(box.place(), 'releases'))).toEqual(['.meta']);
      });

      it('takes nothing over from a half-made release', async () => {
        const transaction = box.transaction({ components: [web()] });
        must(await transaction.open());
        must(await transaction.receive());
        const partial = path.join(box.place(), 'releases', `.partial.${transaction.id}`);
        mkdirSync(partial, { recursive: true });
        writeFileSync(path.join(partial, 'stray'), 'x');
        must(await transaction.stage());
        expect(readdirSync(path.join(box.place(), 'releases', transaction.id))).not.toContain('stray');
      });

      it('refuses a release that was damaged since it was staged', async () => {
        const first = await box.deploy('1.0.0', [web()]);
        writeFileSync(path.join(box.place(), 'releases', first.id, 'a.txt'), 'touched');
        const back = box.transaction({ action: 'rollback', components: [web({ artifact: null, release: first.id })] });
        must(await back.open());
        expect(await back.stage()).toMatchObject({ status: 'failed', code: 'release-damaged' });
      });

      it('needs the artifact, or the release, to be there', async () => {
        const transaction = box.transaction({ components: [web()] });
        must(await transaction.open());
        expect((await transaction.stage()).code).toBe('blob-missing');
        must(await transaction.close());
        const back = box.transaction({ components: [web({ artifact: null, release: 'gone' })] });
        must(await back.open());
        expect((await back.stage()).code).toBe('release-missing');
      });

      it('says that the disk is full, leaves no half release, and succeeds once there is space', async () => {
        const big = artifactOf(await tar(file('big', 'x'.repeat(100_000))));
        const transaction = box.transaction({ components: [web({ artifact: big.planned })] });
        must(await transaction.open());
        must(await transaction.receive(big));
        const full = await transaction.stage({ before: 'trap "" XFSZ; ulimit -f 20; exec "$@"' });
        expect(full).toMatchObject({ status: 'failed', code: 'unpack-failed' });
        expect(readdirSync(path.join(box.place(), 'releases'))).toEqual(['.meta']);
        must(await transaction.stage());
      });
    });

    describe('switch', () => {
      it('stops the old process and starts the new one in its release', async () => {
        const old = await box.deploy('1.0.0', [web({ service: sleeper })]);
        expect(await box.settled(1)).toEqual([old.id]);
        const transaction = await staged(
          box.transaction({ version: '2.0.0', components: [web({ service: sleeper })] }),
        );
        expect(must(await transaction.switch()).fields['state']).toBe('switched');
        expect(must(await transaction.switch()).fields['already']).toBe('yes');
        expect(await box.settled(1)).toEqual([transaction.id]);
        expect(box.current()).toBe(`releases/${transaction.id}`);
        expect(complete(box.place())).toBe(true);
      });

      it('switches several components one by one, and is switched with the last', async () => {
        const components = [web({ name: 'back' }), web({ name: 'front' })];
        const transaction = await staged(box.transaction({ components }));
        expect(must(await transaction.switch('back')).fields['state']).toBe('switching');
        expect(box.current('front')).toBeNull();
        expect(must(await transaction.switch('back')).fields['state']).toBe('switching');
        expect((await transaction.switch('other')).code).toBe('bad-call');
        expect(must(await transaction.switch('front')).fields['state']).toBe('switched');
      });

      it('says why a process did not start, with what it printed', async () => {
        const service = { ...sleeper, command: 'echo no licence found >&2; exit 4' };
        const transaction = await staged(box.transaction({ components: [web({ service })] }));
        // It is gone at once: whether the agent or only a health check sees that is a matter of milliseconds.
        const answer = await transaction.switch();
        if (answer.status !== 'ok') expect(answer).toMatchObject({ code: 'start-failed' });
        await until('it has printed', () => (box.read('log/web.log') ?? '').includes('no licence found'));
        const logs = must(
          await box.verb('logs', { component: 'web', lines: 5 }, { stdin: renderPlan(transaction.plan) }),
        );
        expect(logs.records[0]?.fields['text']).toContain('no licence found');
        must(await transaction.revert());
        expect(box.current()).toBeNull();
      });

      it('gives secrets to commands, and to nothing else', async () => {
        const secret = 'S3cret\\value "with" $everything\nand a second line';
        const notes = path.join(box.folder, 'notes');
        const service = noting(notes, {
          start: `printf '%s' "$TOKEN" | sha256sum >"${box.folder}/hash"; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >"${box.folder}/cmdlines"`,
          secrets: ['TOKEN'],
        });
        const transaction = await staged(box.transaction({ components: [web({ service })] }));
        const without = await transaction.switch('web', {});
        expect(without).toMatchObject({ status: 'refused', code: 'secret-missing' });
        expect(without.message).toContain('TOKEN');
        must(await transaction.switch('web', { TOKEN: secret }));
        const { createHash } = await import('node:crypto');
        expect(readFileSync(`${box.folder}/hash`, 'utf8')).toContain(createHash('sha256').update(secret).digest('hex'));
        expect(readFileSync(`${box.folder}/cmdlines`, 'utf8')).not.toContain('S3cret');
        // Its own lease cannot undo this without the secret, and says so instead of failing half-way.
        must(await transaction.revert({}, { TOKEN: secret }));
        must(await transaction.close());
        for (const [at, text] of Object.entries(everyFile())) {
          expect({ at, secret: text.includes('S3cret') }).toEqual({ at, secret: false });
        }
        expect(readdirSync(path.join(box.folder, 'tmp'))).toEqual([]);
      });

      it('tells commands the version and release that current leads to, also on the way back', async () => {
        const notes = path.join(box.folder, 'notes');
        const note = (word: string) =>
          `echo "${word} $SAFEGUARD_COMPONENT $SAFEGUARD_VERSION $SAFEGUARD_RELEASE" >>"${notes}"`;
        const components = [web({ service: noting(notes, { start: note('start'), stop: note('stop') }) })];
        const old = await box.deploy('1.0.0', components);
        const transaction = await staged(box.transaction({ version: '2.0.0', components }));
        must(await transaction.switch());
        must(await transaction.revert());
        const [before, after] = [`web 1.0.0 ${old.id}`, `web 2.0.0 ${transaction.id}`];
        expect(readFileSync(notes, 'utf8').trim().split('\n')).toEqual([
          `start ${before}`,
          `stop ${before}`,
          `start ${after}`,
          `stop ${after}`,
          `start ${before}`,
        ]);
      });

      it('says that a command needs secrets which only the workflow has, when it goes back without them', async () => {
        const notes = path.join(box.folder, 'notes');
        const service = noting(notes, { secrets: ['TOKEN'] });
        const transaction = await staged(box.transaction({ components: [web({ service })] }));
        must(await transaction.switch('web', { TOKEN: 'x' }));
        const answer = await transaction.revert();
        expect(answer).toMatchObject({ status: 'failed', code: 'revert-failed' });
        expect(answer.message).toContain('secrets that only the workflow has');
        expect(transaction.state()).toBe('revert-failed');
        must(await transaction.revert({}, { TOKEN: 'x' }));
      });
    });

    describe('revert', () => {
      it('goes back in reverse order, and starts in order', async () => {
        const notes = path.join(box.folder, 'notes');
        const components = ['back', 'front'].map((name) =>
          web({
            name,
            service: noting(notes, { start: `echo start ${name} >>${notes}`, stop: `echo stop ${name} >>${notes}` }),
          }),
        );
        await box.deploy('1.0.0', components);
        const transaction = await staged(box.transaction({ version: '2.0.0', components }));
        must(await transaction.switch('back'));
        must(await transaction.switch('front'));
        writeFileSync(notes, '');
        must(await transaction.revert());
        expect(readFileSync(notes, 'utf8')).toBe('stop front\nstop back\nstart back\nstart front\n');
        expect(must(await transaction.revert()).fields['already']).toBe('yes');
        expect(readFileSync(notes, 'utf8').split('\n')).toHaveLength(5);
      });

      it('touches only what the switch had begun', async () => {
        const notes = path.join(box.folder, 'notes');
        const components = ['back', 'front'].map((name) =>
          web({
            name,
            service: noting(notes, { start: `echo start ${name} >>${notes}`, stop: `echo stop ${name} >>${notes}` }),
          }),
        );
        const old = await box.deploy('1.0.0', components);
        const transaction = await staged(box.transaction({ version: '2.0.0', components }));
        must(await transaction.switch('back'));
        writeFileSync(notes, '');
        must(await transaction.revert());
        expect(readFileSync(notes, 'utf8')).toBe('stop back\nstart back\n');
        expect(box.current('front')).toBe(`releases/${old.id}`);
      });

      it('undoes a first deployment: no current, no process, no release', async () => {
        const transaction = await staged(box.transaction({ components: [web({ service: sleeper })] }));
        must(await transaction.switch());
        expect(await box.settled(1)).toEqual([transaction.id]);
        must(await transaction.revert());
        expect({ current: box.current(), running: await box.settled(0) }).toEqual({ current: null, running: [] });
        must(await transaction.close());
        expect(readdirSync(path.join(box.place(), 'releases'))).toEqual(['.meta']);
      });

      it('holds before the start, so that a migration can be undone in between', async () => {
        const old = await box.deploy('1.0.0', [web({ service: sleeper })]);
        const transaction = await staged(
          box.transaction({ version: '2.0.0', components: [web({ service: sleeper })] }),
        );
        must(await transaction.switch());
        expect(must(await transaction.revert({ hold: 'yes' })).fields['state']).toBe('reverting');
        expect({ current: box.current(), running: await box.settled(0) }).toEqual({
          current: `releases/${old.id}`,
          running: [],
        });
        must(await transaction.revert());
        expect(await box.settled(1)).toEqual([old.id]);
      });

      it('goes back on a full disk, and says that it could not note it', async () => {
        const old = await box.deploy('1.0.0', [web()]);
        const transaction = await staged(box.transaction({ version: '2.0.0', components: [web()] }));
        must(await transaction.switch());
        const full = await transaction.revert({}, {}, { before: 'trap "" XFSZ; ulimit -f 0; exec "$@"' });
        expect(full).toMatchObject({ status: 'failed', code: 'revert-failed' });
        expect(full.message).toContain('disk full');
        expect(box.current()).toBe(`releases/${old.id}`);
        must(await transaction.revert());
        expect(transaction.state()).toBe('reverted');
      });

      it('is done by hand with nothing but the script', async () => {
        const old = await box.deploy('1.0.0', [web({ service: sleeper })]);
        const transaction = await staged(
          box.transaction({ version: '2.0.0', components: [web({ service: sleeper })] }),
        );
        must(await transaction.switch());
        const byHand = () => box.run([path.join(box.folder, 'sh'), path.join(box.root, 'agent.sh'), 'revert']);
        expect(must(await byHand()).fields['state']).toBe('reverted');
        expect(await box.settled(1)).toEqual([old.id]);
        expect(must(await byHand()).fields['already']).toBe('yes');
        // The coordinator is out of it from now on.
        expect((await transaction.call('renew', { seq: 5 })).code).toBe('fenced');
        expect((await transaction.call('decide', { decision: 'commit', seq: 5 })).code).toBe('fenced');
      });

      it.each(['the process', 'its parent only'])(
        'brings the old version back when somebody killed %s',
        async (who) => {
          // The parent shell waits for its child, which holds what the next one needs.
          const service = { ...sleeper, command: who === 'the process' ? sleeper.command : 'sleep 300; true' };
          const old = await box.deploy('1.0.0', [web({ service })]);
          const transaction = await staged(box.transaction({ version: '2.0.0', components: [web({ service })] }));
          must(await transaction.switch());
          const leader = Number((box.read('run/web.pid') ?? '').split(' ')[0]);
          if (who !== 'the process') await until('the child runs', () => box.running().length === 2);
          kill(leader);
          must(await transaction.revert());
          await until('the old one runs', () => box.running().includes(old.id));
          expect(new Set(box.running())).toEqual(new Set([old.id]));
        },
      );
    });

    describe('resume', () => {
      it('goes forward again on a host that had gone back by itself', async () => {
        const old = await box.deploy('1.0.0', [web({ service: sleeper })]);
        const transaction = await staged(
          box.transaction({ version: '2.0.0', components: [web({ service: sleeper })] }),
        );
        must(await transaction.switch());
        must(await transaction.revert());
        expect(await box.settled(1)).toEqual([old.id]);
        must(await transaction.call('resume'));
        must(await transaction.switch());
        must(await transaction.call('confirm'));
        expect(await box.settled(1)).toEqual([transaction.id]);
      });

      it('is refused when the new release is no longer whole', async () => {
        const transaction = await staged(box.transaction({ components: [web()] }));
        must(await transaction.revert());
        writeFileSync(path.join(box.place(), 'releases', transaction.id, 'a.txt'), 'touched');
        expect((await transaction.call('resume')).code).toBe('release-missing');
        expect(transaction.state()).toBe('reverted');
      });
    });

    describe('fence', () => {
      it('makes the old coordinator powerless in every verb', async () => {
        const transaction = await staged(box.transaction({ components: [web()] }));
        must(await transaction.switch());
        const taken = { epoch: transaction.epoch + 1, lease: 60, owner: 'recovery', runner: 'runner-2' };
        expect((await transaction.call('fence', taken)).code).toBe('locked');
        const answer = must(await transaction.call('fence', { ...taken, evidence: 'run-finished' }));
        expect(answer.fields).toMatchObject({ state: 'switched', active: transaction.id });
        for (const [verb, args] of [
          ['stage', {}],
          ['switch', { component: 'web' }],
          ['renew', { seq: 7 }],
          ['renew', { seq: 7, vote: 'yes' }],
          ['decide', { decision: 'commit', seq: 0 }],
          ['decide', { decision: 'abort' }],
          ['confirm', {}],
          ['revert', {}],
          ['close', {}],
          ['mark', { key: 'no-return', value: 'x' }],
          ['migrate', { timeout: 1 }],
        ] as const) {
          expect({ verb, code: (await transaction.call(verb, args)).code }).toEqual({ verb, code: 'fenced' });
        }
        must(await transaction.revert({ epoch: taken.epoch }));
      });
    });

    describe('close', () => {
      it('writes the version file and the history, and gives the lock back', async () => {
        const transaction = await box.deploy('1.0.0', [web({ versionFile: 'version.txt' })]);
        expect(readFileSync(path.join(box.place(), 'version.txt'), 'utf8')).toBe('1.0.0\n');
        expect(box.read('history.jsonl')).toBe(`{"transaction":"${transaction.id}","version":"1.0.0"}\n`);
        expect({ lease: box.read('lease'), active: box.read('active') }).toEqual({ lease: null, active: null });
        const next = box.transaction({ components: [web()] });
        must(await next.open());
      });

      it('writes no version file after going back', async () => {
        await box.deploy('1.0.0', [web({ versionFile: 'version.txt' })]);
        const components = [web({ versionFile: 'version.txt' })];
        const transaction = await staged(box.transaction({ version: '2.0.0', components }));
        must(await transaction.switch());
        must(await transaction.revert());
        must(await transaction.close());
        expect(readFileSync(path.join(box.place(), 'version.txt'), 'utf8')).toBe('1.0.0\n');
      });

      it.each([
        ['rollback-failed', 'look at it\n'],
        ['rolled-back', null],
      ])('of a recovery with outcome %s leaves as marker where it was closed before: %j', async (outcome, marker) => {
        const transaction = await staged(box.transaction({ components: [web()] }));
        must(await transaction.close());
        box.write('CRITICAL', 'look at it\n');
        const epoch = transaction.epoch + 1;
        must(await transaction.call('fence', { epoch, lease: 60, owner: 'recovery', runner: 'runner-2' }));
        must(await transaction.call('close', { epoch, outcome }));
        expect({ marker: box.read('CRITICAL'), lease: box.read('lease') }).toEqual({ marker, lease: null });
      });

      it('starts a new line after one that a power cut tore', async () => {
        box.write('history.jsonl', '{"transaction":"old"}\n{"transaction":"to');
        const transaction = await box.deploy('1.0.0', [web()]);
        expect(box.read('history.jsonl')).toBe(
          `{"transaction":"old"}\n{"transaction":"to\n{"transaction":"${transaction.id}","version":"1.0.0"}\n`,
        );
      });

      it('keeps the newest releases, the one in use and the way back, and their artifacts', async () => {
        const ids: string[] = [];
        const releases = () => readdirSync(path.join(box.place(), 'releases')).filter((name) => name !== '.meta');
        const go = async (transaction: Transaction) => {
          must(await transaction.stage());
          must(await transaction.switch());
          must(await transaction.commit());
          must(await transaction.close());
        };
        for (const version of ['1', '2', '3', '4', '5']) {
          const artifact = artifactOf(await tar(file('a.txt', version)));
          const components = [web({ artifact: artifact.planned })];
          const transaction = box.transaction({ version, keepReleases: 3, components });
          must(await transaction.open());
          must(await transaction.receive(artifact));
          await go(transaction);
          ids.push(transaction.id);
        }
        expect(releases()).toEqual(ids.slice(2));
        expect(readdirSync(path.join(box.root, 'blobs'))).toHaveLength(3);
        // Back to the middle one, then to the oldest: by then neither it nor the way back is the one newest to be kept.
        for (const [release, keepReleases] of [
          [ids[3], 3],
          [ids[2], 1],
        ] as const) {
          const components = [web({ artifact: null, release: release ?? '' })];
          const back = box.transaction({ action: 'rollback', keepReleases, components });
          must(await back.open());
          await go(back);
          expect(box.current()).toBe(`releases/${release}`);
          expect(releases()).toEqual(ids.slice(2));
        }
      });

      it('clears away what killed transactions left', async () => {
        mkdirSync(path.join(box.place(), 'releases/.partial.dead'), { recursive: true });
        symlinkSync('releases/x', path.join(box.place(), '.current.dead'));
        for (const name of ['lease.7.tmp', 'epoch.7.tmp', 'agent.sh.7']) box.write(name, 'x\n');
        await box.deploy('1.0.0', [web()]);
        expect(readdirSync(box.root).filter((name) => name.includes('.7'))).toEqual([]);
        expect(existsSync(path.join(box.place(), 'releases/.partial.dead'))).toBe(false);
        expect(readdirSync(box.place()).sort()).toEqual(['current', 'releases']);
      });

      it('puts a version into quarantine once, and takes it out when it is deployed after all', async () => {
        await box.deploy('1.0.0', [web()]);
        for (const _ of [1, 2]) {
          const bad = await staged(box.transaction({ version: '2.0.0', components: [web()] }));
          must(await bad.switch());
          must(await bad.revert());
          must(await bad.close({ quarantine: 'yes' }));
        }
        expect(box.read('quarantine')).toBe('2.0.0\n');
        await box.deploy('2.0.0', [web()]);
        expect(box.read('quarantine')).toBeNull();
      });
    });

    describe('a corrupt file', () => {
      const reported = async () =>
        must(await box.verb('status'))
          .records.filter(({ kind }) => kind === 'broken')
          .map(({ fields }) => fields['file']);

      it.each([
        ['epoch', 'not a number'],
        ['epoch', '1234567890123456789'],
        ['lease', 'torn\t3'],
        ['lease', 'a\t1\t2\tb\t5\tx\t-\t-\t-\t-\t.'],
        ['active', '../../etc'],
        ['active', 'unknown-transaction'],
      ])('%s with %p is moved aside and reported, and the next deployment works', async (name, text) => {
        await box.deploy('1.0.0', [web()]);
        box.write(name, `${text}\n`);
        expect(await reported()).toContain(path.join(box.root, `${name}.broken`));
        expect(box.read(`${name}.broken`)).toBe(`${text}\n`);
        await box.deploy('2.0.0', [web()]);
        expect(await reported()).toContain(path.join(box.root, `${name}.broken`));
      });

      it('state is believed to need a way back', async () => {
        const old = await box.deploy('1.0.0', [web({ service: sleeper })]);
        const transaction = await staged(
          box.transaction({ version: '2.0.0', components: [web({ service: sleeper })] }),
        );
        must(await transaction.switch());
        box.write(`txn/${transaction.id}/state`, 'swi\n');
        const status = must(await box.verb('status'));
        expect(status.records.find(({ kind }) => kind === 'host')?.fields['state']).toBe('switching');
        expect(await reported()).toContain(path.join(box.root, `txn/${transaction.id}/state.broken`));
        expect((await transaction.call('confirm')).code).toBe('wrong-state');
        must(await transaction.revert());
        expect(await box.settled(1)).toEqual([old.id]);
      });

      it('epoch never falls below that of the lease', async () => {
        const transaction = box.transaction({ components: [web()] });
        must(await transaction.open());
        box.write('epoch', 'x\n');
        must(await transaction.call('renew', { seq: 1 }));
        expect((await transaction.call('renew', { seq: 2, epoch: 0 })).code).toBe('fenced');
      });
    });

    describe('status', () => {
      it('changes nothing and says the same twice', async () => {
        const transaction = await staged(box.transaction({ components: [web({ service: sleeper })] }));
        must(await transaction.switch());
        const before = everyFile();
        const plan = { stdin: renderPlan(transaction.plan) };
        const answer = must(await box.verb('status', { plan: 'yes' }, plan));
        must(await box.verb('probe', {}, { stdin: `end\n${renderPlan(transaction.plan)}` }));
        must(await box.verb('capture', {}, { stdin: `end\n${renderPlan(transaction.plan)}` }));
        must(await box.verb('preflight', {}, plan));
        expect(everyFile()).toEqual(before);
        expect(answer.records.find(({ kind }) => kind === 'host')?.fields).toMatchObject({
          epoch: '1',
          state: 'switched',
          active: transaction.id,
          busy: 'no',
        });
        expect(answer.records.find(({ kind }) => kind === 'component')?.fields).toMatchObject({
          name: 'web',
          kind: 'release',
          release: transaction.id,
          version: '1.0.0',
        });
      });

      it('leaves no folder on a host that was never deployed to', async () => {
        const root = path.join(box.folder, 'nothing/here');
        must(await box.run([path.join(box.folder, 'sh'), box.agent, '--root', root, 'status']));
        expect(existsSync(path.dirname(root))).toBe(false);
      });
    });
  },
  'long',
);
