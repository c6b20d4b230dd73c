import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { UnreachableError } from '../../shared/errors';
import { HostAgent } from '../../shared/host/agent';
import { AgentSession, fitsRequest } from '../../shared/host/agent-session';
import { parseKnownHosts } from '../../shared/host/known-hosts';
import { connectLocal } from '../../shared/host/local';
import { connectSsh } from '../../shared/host/ssh';
import type { HostLink } from '../../shared/ports';
import { type EmbeddedOptions, type EmbeddedServer, startEmbedded } from '../support/ssh-server';

const source = { text: readFileSync('shared/host/agent.sh', 'utf8'), sha256: 'a'.repeat(64) };
let folder: string;
let server: EmbeddedServer;
let link: HostLink;
let agent: HostAgent;
/** Every command that the server was given, shortened to the agent's arguments. */
let commands: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'session-'));
  writeFileSync(join(folder, `agent-${source.sha256}.sh`), source.text);
});

afterEach(async () => {
  agent.close();
  await link.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: EmbeddedOptions & { quickMs?: number } = {}): Promise<void> {
  server = await startEmbedded(options);
  const ssh = connectSsh(server.host(), { privateKey: server.privateKey, knownHosts: parseKnownHosts('') });
  commands = [];
  const note = (command: string) => commands.push(/--root \S+ (\w+)/.exec(command)?.[1] ?? command);
  link = {
    host: ssh.host,
    exec: (command, how) => {
      note(command);
      return ssh.exec(command, how);
    },
    start: (command, ...how) => {
      note(command);
      return ssh.start?.(command, ...how) ?? Promise.reject(new Error('no start'));
    },
    close: () => ssh.close(),
  };
  const { quickMs = 60_000 } = options;
  agent = new HostAgent(link, { root: folder, sudo: false, source }, { quickMs });
}

/** Runs shell text on the host through the agent, and gives what it printed. */
async function run(text: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<string> {
  const answer = await agent.ask('run', { timeout: 30 }, { stdin: `end\n${text}\n`, ...options });
  return answer.records.find(({ kind }) => kind === 'ran')?.fields['stdout'] ?? `${answer.code}: ${answer.message}`;
}

/** Process id of the agent that serves. */
const serving = () => Number(execFileSync('pgrep', ['-fo', '--', `--root ${folder} serve`]));

describe('requests to one agent', () => {
  it('take one command for all of them', async () => {
    await start();
    expect((await agent.ask('status', {})).status).toBe('ok');
    expect(await run('echo one')).toBe('one');
    expect(await run('printf "%s" two; echo " "')).toBe('two ');
    expect(commands).toEqual(['serve']);
  });

  it('carry any text, both ways', async () => {
    await start();
    const odd = 'tab\there  \\t \\\\ "quoted" \'single\' $HOME `id` * ünïcödé \u2028 end ';
    expect(await run(`cat <<'EOF'\n${odd}\nds1\trun\n ds1\tdone\t1\t0\n\nlast\nEOF`)).toBe(
      `${odd}\nds1\trun\n ds1\tdone\t1\t0\n\nlast`,
    );
    const told = await agent.ask(
      'run',
      { timeout: 5, note: odd },
      { stdin: 'secret\tS\ta\\tb\\\\\nend\nprintf %s "$S"\n' },
    );
    expect(told.records[0]?.fields['stdout']).toBe('a\tb\\');
    expect(commands).toEqual(['serve']);
  });

  it('do not share what one of them has set', async () => {
    await start();
    await agent.ask('run', { timeout: 5 }, { stdin: 'secret\tS\tshh\nend\n:\n' });
    expect(await run('echo "[$S]"')).toBe('[]');
    expect(await agent.ask('run', {}, { stdin: 'end\n:\n' })).toMatchObject({ status: 'refused', code: 'bad-call' });
  });

  it('give refusals and their exit codes as before', async () => {
    await start();
    expect(await agent.call('decide', { txn: 'none', epoch: 1, decision: 'commit', seq: 1 })).toMatchObject({
      status: 'refused',
      code: 'not-open',
    });
    expect((await agent.ask('nonsense', {})).message).toMatch(/unknown verb 'nonsense'/);
    expect((await agent.ask('serve', {})).message).toMatch(/'serve' is no verb of a request/);
  });

  it('leave long inputs and those that are no lines to a command of their own', async () => {
    expect(fitsRequest('')).toBe(true);
    expect(fitsRequest('a\nb\n')).toBe(true);
    expect(fitsRequest('a\nb')).toBe(false);
    expect(fitsRequest('a\0\n')).toBe(false);
    expect(fitsRequest(`${'a'.repeat(20_000)}\n`)).toBe(false);
    await start();
    const text = `# ${'x'.repeat(20_000)}\necho long`;
    expect(await run(text)).toBe('long');
    expect(commands).toEqual(['run']);
  });

  it('that come while others are under way never wait for them', async () => {
    await start();
    const gate = join(folder, 'gate');
    const slow = () => run(`while [ ! -e '${gate}' ]; do sleep 0.01; done; echo slow`);
    const waiting = [slow(), slow()];
    expect(await run('echo quick')).toBe('quick');
    writeFileSync(gate, '');
    expect(await Promise.all(waiting)).toEqual(['slow', 'slow']);
    expect(await run('echo again')).toBe('again');
    expect(commands).toEqual(['serve', 'serve', 'run']);
  });

  it('that can wait start no second agent', async () => {
    await start();
    const gate = join(folder, 'gate');
    const order: string[] = [];
    const slow = run(`while [ ! -e '${gate}' ]; do sleep 0.01; done`).then(() => order.push('slow'));
    const waits = agent.ask('status', {}, { queue: true }).then(() => order.push('waited'));
    const stop = new AbortController();
    const given = agent.ask('status', {}, { queue: true, signal: stop.signal });
    stop.abort(new Error('cancelled by a person'));
    await expect(given).rejects.toThrow('cancelled by a person');
    writeFileSync(gate, '');
    await Promise.all([slow, waits]);
    expect(order).toEqual(['slow', 'waited']);
    expect(commands).toEqual(['serve']);
  });

  it('that can wait and come at once go one after the other', async () => {
    await start();
    await run(':');
    const all = await Promise.all([1, 2, 3, 4].map(() => agent.ask('status', {}, { queue: true })));
    expect(all.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(commands).toEqual(['serve']);
  });

  it('are cut at four megabytes, and the next one is answered', async () => {
    await start();
    const session = new AgentSession(
      link,
      `head -c 6000000 /dev/zero | tr '\\0' x; printf '\\nds1\\tdone\\t1\\t0\\n'; cat >/dev/null`,
    );
    const request = { verb: 'x', words: [], stdin: '', timeoutMs: 20_000 };
    expect((await session.call(request)).stdout).toHaveLength(4 * 1024 * 1024);
    expect(session.isIdle).toBe(true);
    session.close();
  });
});

function* pieces(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536));
}

describe('an upload', () => {
  const content = randomBytes(3_000_000);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const arrived = () => readFileSync(join(folder, 'blobs', sha256)).equals(content);

  it('goes through a session that waits', async () => {
    await start();
    await run(':');
    expect((await agent.upload(sha256, content.length, () => Readable.from([content]))).status).toBe('ok');
    expect(arrived()).toBe(true);
    expect((await agent.upload(sha256, content.length, () => Readable.from([content]))).fields['already']).toBe('yes');
    expect(await run('echo after')).toBe('after');
    expect(commands).toEqual(['serve']);
    expect(server.accepted()).toBe(1);
  });

  it('over a line that is slow goes on once what requests beside it need is there', async () => {
    await start({ quickMs: 0 });
    await run(':');
    const stream = new Readable({ read: () => undefined });
    stream.push(content.subarray(0, 65_536));
    stream.push(content.subarray(65_536, 100_000));
    const sending = agent.upload(sha256, content.length, () => stream);
    while (commands.length < 2) await new Promise((resolve) => setImmediate(resolve));
    stream.push(content.subarray(100_000));
    stream.push(null);
    expect((await sending).status).toBe('ok');
    expect(arrived()).toBe(true);
    expect(await run('echo after')).toBe('after');
    expect(commands).toEqual(['serve', 'serve']);
    expect(server.accepted()).toBe(2);
  });

  it('of less than tells anything about the line is simply sent', async () => {
    await start({ quickMs: 0 });
    await run(':');
    const little = content.subarray(0, 65_536);
    const name = createHash('sha256').update(little).digest('hex');
    expect((await agent.upload(name, little.length, () => Readable.from([little]))).status).toBe('ok');
    expect(readFileSync(join(folder, 'blobs', name)).equals(little)).toBe(true);
    expect(commands).toEqual(['serve']);
  });

  it('takes a command of its own where no session waits', async () => {
    await start();
    expect((await agent.upload(sha256, content.length, () => Readable.from([content]))).status).toBe('ok');
    expect(arrived()).toBe(true);
    expect(commands).toEqual(['receive']);
  });

  it('that is damaged is refused, and the next one goes through', async () => {
    await start();
    await run(':');
    const other = Buffer.from(content).fill('?', 1000, 1001);
    const refused = await agent.upload(sha256, content.length, () => Readable.from([other]));
    expect(refused).toMatchObject({ status: 'failed', code: 'upload-damaged' });
    await run(':');
    expect((await agent.upload(sha256, content.length, () => Readable.from([content]))).status).toBe('ok');
    expect(arrived()).toBe(true);
  });

  it.each([
    ['longer', Buffer.concat([content, Buffer.from('ds1\tcall\t9\tstatus\nds1\trun\n')])],
    ['shorter', content.subarray(1)],
  ])('of a file that has become %s is given up, and nothing of it is taken for a request', async (_how, other) => {
    await start();
    await run(':');
    const sending = agent.upload(sha256, content.length, () => Readable.from([other]));
    await expect(sending).rejects.toMatchObject({ code: 'artifact-changed' });
    expect(await run('echo after')).toBe('after');
    expect(readdirSync(join(folder, 'blobs'))).not.toContain(sha256);
  });

  it('holds up no request: others get a connection of their own', async () => {
    await start();
    const gate = join(folder, 'gate');
    const slow = run(`while [ ! -e '${gate}' ]; do sleep 0.01; done; echo slow`);
    await run(':');
    const stream = new Readable({ read: () => undefined });
    stream.push(content.subarray(0, 1_000_000));
    const sending = agent.upload(sha256, content.length, () => stream);
    expect(await run('echo meanwhile')).toBe('meanwhile');
    expect(server.accepted()).toBe(2);
    writeFileSync(gate, '');
    expect(await slow).toBe('slow');
    expect(await run('echo still')).toBe('still');
    stream.push(content.subarray(1_000_000));
    stream.push(null);
    expect((await sending).status).toBe('ok');
    expect(arrived()).toBe(true);
    expect(await run('echo after')).toBe('after');
    expect(server.accepted()).toBe(2);
  });

  it.each([
    ['refuses it', () => writeFileSync(join(folder, 'blobs'), 'in the way'), { code: 'no-rights' }],
    ['is killed', () => setImmediate(() => process.kill(serving(), 'SIGKILL')), { code: 'agent-killed' }],
  ])('to the runner itself is no error of the process when the agent %s', async (_what, prepare, expected) => {
    await start();
    const host = { ...server.host(), connection: 'local' as const };
    const local = new HostAgent(connectLocal(host), { root: folder, sudo: false, source });
    await local.ask('status', {});
    prepare();
    const endless = Readable.from(pieces(50_000_000));
    const ended = await local.upload(sha256, 50_000_000, () => endless).catch((error: unknown) => error);
    expect(ended).toMatchObject(expected);
    expect((await local.ask('status', {})).status).toBe('ok');
    local.close();
  });

  it('that is given up takes those with it that were behind it', async () => {
    await start();
    const gate = join(folder, 'gate');
    const slow = run(`while [ ! -e '${gate}' ]; do sleep 0.01; done`);
    await run(':');
    writeFileSync(gate, '');
    await slow;
    const stop = new AbortController();
    const stream = new Readable({ read: () => undefined });
    stream.push(content);
    const sending = agent.upload(sha256, content.length, () => stream, stop.signal);
    stop.abort(new Error('cancelled by a person'));
    await expect(sending).rejects.toThrow('cancelled by a person');
    expect(await run('echo after')).toBe('after');
    expect(commands).toEqual(['serve', 'serve', 'serve']);
  });
});

describe('an agent that serves and', () => {
  it('is killed while nobody asks, is started again', async () => {
    await start();
    await run(':');
    process.kill(serving(), 'SIGKILL');
    const again = await agent.ask('status', {}).catch((error: unknown) => error);
    // Whether the end is noticed before the next request is sent is up to the network.
    if (again instanceof Error) expect(again).toBeInstanceOf(UnreachableError);
    expect(await run('echo back')).toBe('back');
    expect(commands).toEqual(['serve', 'serve']);
  });

  it('is killed at work, is unreachable, and started again', async () => {
    await start();
    await run(':');
    await expect(run(`kill -9 ${serving()}; sleep 0.2`)).rejects.toMatchObject({
      code: 'agent-killed',
      host: 'web-01',
    });
    expect(await run('echo back')).toBe('back');
  });

  it('is killed beside another one at work, keeps nobody from waiting for that one', async () => {
    await start();
    const gate = join(folder, 'gate');
    const begin = async (name: string) => {
      const ended = run(`: >'${gate}.${name}'; while [ ! -e '${gate}.${name}.go' ]; do sleep 0.01; done; echo ${name}`);
      ended.catch(() => undefined);
      while (!readdirSync(folder).includes(`gate.${name}`)) await new Promise((resolve) => setImmediate(resolve));
      return { ended };
    };
    const { ended: killed } = await begin('killed');
    const { ended: other } = await begin('other');
    process.kill(serving(), 'SIGKILL');
    writeFileSync(`${gate}.killed.go`, ''); // what it has started holds the channel open
    // What was asked may still have answered; its agent is gone in either case.
    await killed.catch(() => undefined);
    const queued = agent.ask('status', {}, { queue: true });
    // Whoever waits must let others run: these timers, and the answer that ends the wait.
    await sleep(20);
    writeFileSync(`${gate}.other.go`, '');
    expect(await other).toBe('other');
    expect((await queued).status).toBe('ok');
    expect(commands).toEqual(['serve', 'serve']);
  });

  it('does not answer in time, is left behind with its answer', async () => {
    await start();
    const gate = join(folder, 'gate');
    const late = run(`while [ ! -e '${gate}' ]; do sleep 0.01; done; : >'${gate}.passed'; echo late`, {
      timeoutMs: 300,
    });
    await expect(late).rejects.toMatchObject({ code: 'timed-out' });
    expect(await run('echo next')).toBe('next');
    writeFileSync(gate, '');
    while (!readdirSync(folder).includes('gate.passed')) await new Promise((resolve) => setImmediate(resolve));
    expect(await run('echo after')).toBe('after');
  });

  it('is given up because the run is cancelled, answers no other request with that', async () => {
    await start();
    const stop = new AbortController();
    const began = join(folder, 'began');
    const cancelled = run(`: >'${began}'; sleep 0.3; echo cancelled`, { signal: stop.signal });
    while (!readdirSync(folder).includes('began')) await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error('cancelled by a person'));
    await expect(cancelled).rejects.toThrow('cancelled by a person');
    expect(await run('echo next')).toBe('next');
  });

  it('loses its connection, is unreachable, and reached again', async () => {
    await start();
    expect(await run('echo here')).toBe('here');
    const waiting = run('sleep 5');
    waiting.catch(() => undefined);
    server.cut();
    await expect(waiting).rejects.toBeInstanceOf(UnreachableError);
    expect(await run('echo here')).toBe('here');
  });

  it('is not there yet, is asked with its own text and installed by the first verb that changes something', async () => {
    await start();
    rmSync(join(folder, `agent-${source.sha256}.sh`));
    expect((await agent.ask('status', {})).status).toBe('ok');
    expect(readdirSync(folder)).toEqual([]);
    expect(commands).toEqual(['serve', 'status']);
  });

  it('takes the one session that the server allows, gives it up for a request that needs it', async () => {
    await start({ maxSessions: 1 });
    const gate = join(folder, 'gate');
    const slow = run(`while [ ! -e '${gate}' ]; do sleep 0.01; done; echo slow`);
    const other = run('echo other');
    writeFileSync(gate, '');
    expect(await Promise.all([slow, other])).toEqual(['slow', 'other']);
    expect(await run(`# ${'x'.repeat(20_000)}\necho third`)).toBe('third');
    expect(await run('echo fourth')).toBe('fourth');
    expect(commands).toEqual(['serve', 'serve', 'run', 'run']);
  });

  it('ends with its link', async () => {
    await start();
    await run(':');
    const pid = serving();
    agent.close();
    await link.close();
    const alive = () => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    while (alive()) await new Promise((resolve) => setImmediate(resolve));
    await expect(agent.ask('status', {})).rejects.toMatchObject({ code: 'link-closed' });
  });
});

describe('a request that is cut off', () => {
  it('does nothing', async () => {
    await start();
    const file = join(folder, 'touched');
    const half = `ds1\tcall\t1\trun\ttimeout=5\n end\n : >'${file}'\nds1\tru`;
    const { code, stdout } = await link.exec(`sh '${folder}/agent-${source.sha256}.sh' --root '${folder}' serve`, {
      stdin: half,
      timeoutMs: 10_000,
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(readdirSync(folder)).not.toContain('touched');
  });
});
