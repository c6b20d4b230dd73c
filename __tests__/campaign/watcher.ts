import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs';
import type { FleetHost } from '../system/fleet/host';
import { type Component, components } from '../system/fleet/shop';

/** A line of a host's journal, with the moment at which it was seen. Milliseconds since the epoch. */
export interface Entry {
  at: number;
  /** Lines of one look came in an order that nobody knows. */
  look: number;
  host: string;
  transaction: string;
  epoch: number;
  verb: string;
  what: string;
  detail: string;
  raw: string;
}

/** `current` of a component was this from then on; `version` null: no such link. */
export interface Sight {
  at: number;
  host: string;
  component: Component;
  release: string | null;
  version: string | null;
}

const periodMs = 10;
const state = '/var/lib/deploy-safeguard/shop';

/** Looks at every host's files all the time, from outside: links, releases, journals. */
export class Watcher {
  readonly entries: Entry[] = [];
  readonly sights: Sight[] = [];
  /** What was wrong with a link, in words, with the moment. */
  readonly damage: { at: number; host: string; text: string }[] = [];
  looks = 0;
  readonly #hosts: readonly FleetHost[];
  readonly #last = new Map<string, Sight>();
  readonly #sizes = new Map<string, number>();
  readonly #listeners = new Set<(entry: Entry) => void>();
  readonly #timer: NodeJS.Timeout;

  /** Journals that are there already belong to the past. */
  constructor(hosts: readonly FleetHost[]) {
    this.#hosts = hosts;
    for (const host of hosts) for (const { file, size } of journalsOf(host)) this.#sizes.set(file, size);
    this.look();
    this.#timer = setInterval(() => this.look(), periodMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.look();
  }

  /** Resolves with the next line of the host that holds the text, or with null on abort. */
  whenLine(host: FleetHost, text: string, signal: AbortSignal): Promise<Entry | null> {
    return new Promise((resolve) => {
      const end = (entry: Entry | null) => {
        this.#listeners.delete(listener);
        signal.removeEventListener('abort', give);
        resolve(entry);
      };
      const give = () => end(null);
      const listener = (entry: Entry) => {
        if (entry.host === host.name && entry.raw.includes(text)) end(entry);
      };
      this.#listeners.add(listener);
      if (signal.aborted) give();
      else signal.addEventListener('abort', give, { once: true });
    });
  }

  look(): void {
    this.looks += 1;
    for (const host of this.#hosts) {
      for (const component of components) this.#lookAtLink(host, component);
      this.#readJournals(host);
    }
  }

  #lookAtLink(host: FleetHost, component: Component): void {
    const folder = host.path(`/srv/shop/${component}`);
    for (let tries = 0; tries < 3; tries += 1) {
      const link = readLink(`${folder}/current`);
      const seen = link === null ? null : releaseOf(folder, link);
      // Between the two looks the link may have moved on, and what it led to may be gone.
      if (readLink(`${folder}/current`) !== link) continue;
      if (seen?.problem) this.#complain(host.name, `${component}: ${seen.problem}`);
      this.#see({
        at: Date.now(),
        host: host.name,
        component,
        release: link === null ? null : link.replace(/^releases\//, ''),
        version: seen?.version ?? null,
      });
      return;
    }
  }

  #complain(host: string, text: string): void {
    if (this.damage.some((known) => known.host === host && known.text === text)) return;
    this.damage.push({ at: Date.now(), host, text });
  }

  #see(sight: Sight): void {
    const key = `${sight.host} ${sight.component}`;
    const last = this.#last.get(key);
    if (last !== undefined && last.release === sight.release && last.version === sight.version) return;
    this.#last.set(key, sight);
    this.sights.push(sight);
  }

  #readJournals(host: FleetHost): void {
    for (const { file, size, transaction } of journalsOf(host)) {
      const known = this.#sizes.get(file) ?? 0;
      if (size <= known) continue;
      const text = readPart(file, known, size);
      const whole = text.lastIndexOf('\n') + 1;
      this.#sizes.set(file, known + Buffer.byteLength(text.slice(0, whole)));
      for (const raw of text.slice(0, whole).split('\n').filter(Boolean)) this.#enter(host, transaction, raw);
    }
  }

  #enter(host: FleetHost, transaction: string, raw: string): void {
    const [, epoch = '', verb = '', what = '', detail = ''] = raw.split('\t');
    const entry: Entry = {
      at: Date.now(),
      look: this.looks,
      host: host.name,
      transaction,
      epoch: Number(epoch),
      verb,
      what,
      detail,
      raw,
    };
    this.entries.push(entry);
    for (const listener of [...this.#listeners]) listener(entry);
  }
}

function journalsOf(host: FleetHost): { file: string; size: number; transaction: string }[] {
  const folder = host.path(`${state}/txn`);
  return namesIn(folder).flatMap((transaction) => {
    const file = `${folder}/${transaction}/journal`;
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    return size === undefined ? [] : [{ file, size, transaction }];
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readPart(file: string, from: number, to: number): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch {
    // Pruned in the meantime.
    return '';
  }
  try {
    const content = Buffer.alloc(to - from);
    return content.toString('utf8', 0, readSync(descriptor, content, 0, content.length, from));
  } finally {
    closeSync(descriptor);
  }
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (existsSync(path)) return 'no link';
    throw error;
  }
}

function releaseOf(folder: string, link: string): { version: string | null; problem: string | null } {
  const id = link.replace(/^releases\//, '');
  if (link === id) return { version: null, problem: `current is ${link}, no link into releases/` };
  if (!existsSync(`${folder}/releases/${id}`))
    return { version: null, problem: `current leads to ${id}, which is not there` };
  if (!existsSync(`${folder}/releases/.meta/${id}`))
    return { version: null, problem: `current leads to ${id}, which was never finished` };
  try {
    return { version: readFileSync(`${folder}/releases/${id}/version`, 'utf8').trim(), problem: null };
  } catch {
    return { version: null, problem: `current leads to ${id}, which has no version` };
  }
}
