import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { boxPath } from '../../drill/box';
import { type AgentRecord, parseAnswer, secretsInput } from '../../shared/host/wire';
import type { CommandService, ProcessService, Service } from '../../shared/manifest/environment';
import { type HostPlan, type PlannedComponent, renderPlan } from '../../shared/transaction/host-plan';
import { file, folder, tar } from '../artifacts/archive';
import { busyboxApplets, type Shell, whereIs } from './shells';

const agentFile = path.join(process.cwd(), 'shared/host/agent.sh');

/** What the agent said, and how it ended. */
export interface Answer {
  status: string;
  code: string;
  message: string;
  fields: Readonly<Record<string, string>>;
  records: AgentRecord[];
  exit: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface VerbOptions {
  stdin?: string | Buffer;
  environment?: Record<string, string>;
  /** Shell text that ends in `exec "$@"` and sets the agent's world up: limits, signals. */
  before?: string;
}

export type Arguments = Readonly<Record<string, string | number>>;

/** A host in a folder: the real agent under one shell, with everything that it starts. */
export class Box {
  readonly folder: string;
  readonly shell: Shell;
  readonly root: string;
  readonly agent: string;
  readonly #environment: Record<string, string>;
  #count = 0;

  private constructor(at: string, shell: Shell) {
    this.folder = at;
    this.shell = shell;
    this.root = path.join(at, 'state');
    const sh = path.join(at, 'sh');
    symlinkSync(shell.program, sh);
    mkdirSync(this.root);
    mkdirSync(path.join(at, 'var'));
    mkdirSync(path.join(at, 'tmp'));
    // The watcher, services and commands of the agent run under the shell that is tested, and not under this machine's.
    const text = readFileSync(agentFile, 'utf8').replaceAll('/bin/sh', sh);
    this.agent = path.join(this.root, `agent-${createHash('sha256').update(text).digest('hex')}.sh`);
    writeFileSync(this.agent, text);
    const programs = boxPath(path.join(at, 'programs'));
    if (shell.applets) {
      const applets = path.join(at, 'applets');
      mkdirSync(applets);
      for (const name of busyboxApplets(shell.program)) symlinkSync(shell.program, path.join(applets, name));
      const [own = '', ...others] = programs.split(':');
      this.#environment = this.#world([own, applets, ...others].join(':'));
    } else {
      this.#environment = this.#world(programs);
    }
  }

  #world(programs: string): Record<string, string> {
    return { PATH: programs, HOME: this.folder, USER: 'deploy', TMPDIR: path.join(this.folder, 'tmp') };
  }

  /** Nothing waits for a disk any more: killing processes shows nothing about what is durable. */
  forgetDisks(): void {
    symlinkSync(whereIs('true') ?? '/bin/true', path.join(this.folder, 'programs', 'sync'));
  }

  static async create(shell: Shell): Promise<Box> {
    return new Box(await mkdtemp(path.join(tmpdir(), 'agent-test-')), shell);
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }

  /** Ends what still runs in this box, and only that, and removes it. */
  async dispose(): Promise<void> {
    for (let round = 0; round < 100; round += 1) {
      const left = this.processes();
      if (left.length === 0) break;
      for (const pid of left) kill(pid);
      await sleep(10);
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Processes that were started in this box: its folder is their HOME. */
  processes(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((pid) => readProc(pid, 'environ').split('\0').includes(`HOME=${this.folder}`))
      .map(Number);
  }

  /** Releases of a component whose processes are running, one entry a process. */
  running(component = 'web'): string[] {
    const releases = `${this.place(component)}/releases/`;
    return this.processes()
      .filter((pid) => !readProc(String(pid), 'cmdline').includes(this.agent))
      .map((pid) => cwdOf(pid))
      .filter((cwd) => cwd.startsWith(releases))
      .map((cwd) => cwd.slice(releases.length));
  }

  /** What runs, as soon as it is as many processes as that, or after two seconds: a start's own commands end after it. */
  async settled(count: number, component?: string): Promise<string[]> {
    const end = performance.now() + 2000;
    while (this.running(component).length !== count && performance.now() < end) await sleep(20);
    return this.running(component);
  }

  watchers(): number[] {
    return this.processes().filter((pid) => {
      const words = readProc(String(pid), 'cmdline').split('\0');
      return words.includes(this.agent) && words.includes('watch');
    });
  }

  place(component = 'web'): string {
    return path.join(this.folder, 'srv', component);
  }

  /** What `current` of a component names, or null. */
  current(component = 'web'): string | null {
    try {
      return readlinkSync(path.join(this.place(component), 'current'));
    } catch {
      return null;
    }
  }

  /** A file below the agent's root, or null. */
  read(name: string): string | null {
    const at = path.join(this.root, name);
    return existsSync(at) ? readFileSync(at, 'utf8') : null;
  }

  remove(name: string): void {
    rmSync(path.join(this.root, name));
  }

  write(name: string, text: string): void {
    const at = path.join(this.root, name);
    mkdirSync(path.dirname(at), { recursive: true });
    // In place at once, as the agent does it: its watcher, which reads all the while, sees no half of a file.
    const whole = path.join(this.folder, 'written');
    writeFileSync(whole, text);
    renameSync(whole, at);
  }

  verb(verb: string, args: Arguments = {}, options: VerbOptions = {}): Promise<Answer> {
    const words = Object.entries(args).map(([key, value]) => `${key}=${value}`);
    const argv = [path.join(this.folder, 'sh'), this.agent, '--root', this.root, verb, ...words];
    return this.run(options.before === undefined ? argv : ['/bin/sh', '-c', options.before, 'sh', ...argv], options);
  }

  /** Runs any program in the box's world; resolves when it has ended, whoever still holds its output. */
  run(argv: readonly string[], { stdin = '', environment = {} }: VerbOptions = {}): Promise<Answer> {
    const [program = '', ...words] = argv;
    return new Promise((resolve, reject) => {
      const child = spawn(program, words, { env: { ...this.#environment, ...environment }, cwd: '/' });
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
      // A killed agent reads no more.
      child.stdin.on('error', () => undefined);
      child.on('error', reject);
      child.on('close', (exit, signal) => {
        const stdout = Buffer.concat(out).toString('utf8');
        const { records } = parseAnswer(stdout);
        const fields = records.at(-1)?.kind === 'end' ? (records.at(-1)?.fields ?? {}) : {};
        const { status = 'none', code = '', message = '' } = fields;
        resolve({
          status,
          code,
          message,
          fields,
          records,
          exit,
          signal,
          stdout,
          stderr: Buffer.concat(err).toString(),
        });
      });
      child.stdin.end(stdin);
    });
  }

  component(overrides: Partial<PlannedComponent> = {}): PlannedComponent {
    const name = overrides.name ?? 'web';
    return {
      name,
      root: this.place(name),
      artifact: null,
      release: null,
      owner: null,
      versionFile: null,
      service: null,
      ...overrides,
    };
  }

  plan(overrides: Partial<HostPlan> = {}): HostPlan {
    return {
      app: 'shop',
      environment: 'staging',
      transaction: 'none',
      version: '1.0.0',
      action: 'deploy',
      host: 'web-01',
      ledger: 'web-01',
      hosts: ['web-01'],
      local: [],
      leaseSeconds: 60,
      keepReleases: 3,
      captures: path.join(this.folder, 'captures'),
      forensics: path.join(this.folder, 'forensics'),
      components: [],
      ...overrides,
    };
  }

  /** The next transaction, with an id and an epoch of its own. */
  transaction(overrides: Partial<HostPlan> = {}): Transaction {
    this.#count += 1;
    const id = overrides.transaction ?? `20261121T03${String(this.#count).padStart(4, '0')}Z-77-1-ab`;
    return new Transaction(this, this.plan({ transaction: id, ...overrides }), this.#count);
  }

  /** Brings a version of every component all the way to `confirmed` and closes. @returns its transaction */
  async deploy(version: string, components: readonly PlannedComponent[], artifact?: Artifact): Promise<Transaction> {
    const transaction = this.transaction({
      version,
      components: components.map((component) => ({ ...component, artifact: (artifact ?? payload).planned })),
    });
    must(await transaction.open());
    must(await transaction.receive(artifact ?? payload));
    must(await transaction.stage());
    for (const { name } of components) must(await transaction.switch(name));
    must(await transaction.commit());
    must(await transaction.close());
    return transaction;
  }
}

/** One transaction as its coordinator drives it. */
export class Transaction {
  readonly box: Box;
  readonly id: string;
  readonly epoch: number;
  readonly plan: HostPlan;

  constructor(box: Box, plan: HostPlan, epoch: number) {
    this.box = box;
    this.plan = plan;
    this.id = plan.transaction;
    this.epoch = epoch;
  }

  call(verb: string, args: Arguments = {}, options: VerbOptions = {}): Promise<Answer> {
    return this.box.verb(verb, { txn: this.id, epoch: this.epoch, ...args }, options);
  }

  open(args: Arguments = {}, options: VerbOptions = {}): Promise<Answer> {
    return this.call(
      'open',
      { lease: 60, owner: 'https://github.example/runs/77', runner: 'runner-1', ...args },
      { stdin: renderPlan(this.plan), ...options },
    );
  }

  receive(artifact: Artifact = payload, options: VerbOptions = {}): Promise<Answer> {
    const args = { sha: artifact.planned.sha256, bytes: artifact.content.length };
    return this.box.verb('receive', args, { stdin: artifact.content, ...options });
  }

  stage(options: VerbOptions = {}): Promise<Answer> {
    return this.call('stage', {}, options);
  }

  switch(component = 'web', secrets: Record<string, string> = {}, options: VerbOptions = {}): Promise<Answer> {
    return this.call('switch', { component }, { stdin: secretsInput(secrets), ...options });
  }

  revert(args: Arguments = {}, secrets: Record<string, string> = {}, options: VerbOptions = {}): Promise<Answer> {
    return this.call('revert', args, { stdin: secretsInput(secrets), ...options });
  }

  async commit(seq = 1): Promise<Answer> {
    must(await this.call('renew', { seq, vote: 'yes' }));
    return this.call('decide', { decision: 'commit', seq });
  }

  close(
    args: Arguments = {},
    history = `{"transaction":"${this.id}","version":"${this.plan.version}"}`,
    options: VerbOptions = {},
  ): Promise<Answer> {
    return this.call('close', args, { stdin: `${history}\n`, ...options });
  }

  state(): string | null {
    return this.box.read(`txn/${this.id}/state`)?.trim() ?? null;
  }

  journal(): string {
    return this.box.read(`txn/${this.id}/journal`) ?? '';
  }
}

export interface Artifact {
  content: Buffer;
  planned: NonNullable<PlannedComponent['artifact']>;
}

export function artifactOf(content: Buffer, format: 'tar' | 'tar.gz' | 'tar.zst' = 'tar'): Artifact {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { content, planned: { sha256, format, unpackedBytes: content.length * 2, entries: 4 } };
}

/** A release whose last file shows that it is complete. */
export const payload = artifactOf(
  await tar(file('a.txt', 'first'), folder('sub'), file('sub/with space.txt', 'b'), file('z-last.txt', 'complete')),
);

/** Whether what `current` leads to has everything that the artifact held. */
export function complete(place: string): boolean {
  return ['a.txt', 'sub/with space.txt', 'z-last.txt'].every((name) => existsSync(path.join(place, 'current', name)));
}

export const sleeper: ProcessService = {
  manager: 'process',
  when: 'stop-start',
  timeoutSeconds: 5,
  command: 'exec sleep 300',
};

/** A service whose commands note what they did in the release that they found. */
export function noting(at: string, overrides: Partial<CommandService> = {}): Service {
  const note = (word: string) => `echo "${word} $(readlink "$PWD/../../current")" >>"${at}"`;
  return {
    manager: 'command',
    when: 'stop-start',
    timeoutSeconds: 5,
    start: note('start'),
    stop: note('stop'),
    status: 'true',
    secrets: [],
    ...overrides,
  };
}

/** The answer, when it was ok; for steps that only lead to what a test is about. */
export function must(answer: Answer): Answer {
  if (answer.status === 'ok' && answer.exit === 0) return answer;
  throw new Error(`the agent said ${answer.stdout}${answer.stderr} and ended with ${answer.exit ?? answer.signal}`);
}

/** Waits until it is true, asking every few milliseconds. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, limitMs = 8000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await sleep(20);
  }
}

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function readProc(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

function cwdOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

/** Centiseconds since the machine started: the clock that leases run on. */
export function uptime(): number {
  return Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 100);
}

export const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
