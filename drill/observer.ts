import { readlink } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** One component on one host, as it can be seen from outside. */
export interface Watched {
  host: string;
  component: string;
  /** Absolute path of the folder with `releases/` and `current`. */
  root: string;
  /** Where it answers over HTTP. */
  address: string;
  port: number;
}

/** What was seen from `from` until `to`, in milliseconds since the epoch. */
export interface Span {
  host: string;
  component: string;
  from: number;
  to: number;
  /** Version that answered over HTTP, or null when nothing answered. */
  version: string | null;
  healthy: boolean;
}

export interface Sighting {
  host: string;
  component: string;
  /** Version that answers over HTTP, or null when nothing answers. */
  version: string | null;
  healthy: boolean;
  /** Name of the release folder that `current` points to, or null. */
  release: string | null;
  /** Version that the release folder's own release.json holds, or null. */
  releaseVersion: string | null;
}

const intervalMs = 60;
const answerWithinMs = 1000;

/**
 * Looks at every component on every host about sixteen times a second, over HTTP as a user would and at `current` on
 * disk, and remembers when what it saw changed.
 */
export class Observer {
  readonly spans: Span[] = [];
  private readonly watched: Watched[];
  private readonly readVersion: (release: string) => Promise<string | null>;
  private readonly agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  private readonly waiting = new Set<{ check(seen: Sighting[]): boolean; resolve(): void }>();
  private readonly stopping = new AbortController();
  private latest: Sighting[] = [];
  private loop: Promise<void> | null = null;

  constructor(watched: Watched[], readVersion: (release: string) => Promise<string | null>) {
    this.watched = watched;
    this.readVersion = readVersion;
  }

  start(): void {
    this.loop ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.loop;
    this.agent.destroy();
  }

  /** A fresh look. */
  look(): Promise<Sighting[]> {
    return Promise.all(this.watched.map((place) => this.lookAt(place)));
  }

  /** Resolves true as soon as a look satisfies `check`; false after `withinMs` or when `gone` settles first. */
  async until(check: (seen: Sighting[]) => boolean, withinMs: number, gone?: Promise<unknown>): Promise<boolean> {
    if (this.latest.length > 0 && check(this.latest)) return true;
    const limit = new AbortController();
    let entry: { check(seen: Sighting[]): boolean; resolve(): void } | undefined;
    const seen = new Promise<true>((resolve) => {
      entry = { check, resolve: () => resolve(true) };
      this.waiting.add(entry);
    });
    const late = sleep(withinMs, false as const, { signal: limit.signal }).catch(() => false as const);
    try {
      return await Promise.race([seen, late, ...(gone === undefined ? [] : [gone.then(() => false as const)])]);
    } finally {
      if (entry !== undefined) this.waiting.delete(entry);
      limit.abort();
    }
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.latest = await this.look();
      const at = Date.now();
      for (const sighting of this.latest) this.extend(sighting, at);
      for (const entry of this.waiting) if (entry.check(this.latest)) entry.resolve();
      await sleep(intervalMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }

  private extend(sighting: Sighting, at: number): void {
    const { host, component, version, healthy } = sighting;
    const last = this.spans.findLast((span) => span.host === host && span.component === component);
    if (last !== undefined) last.to = at;
    if (last !== undefined && last.version === version && last.healthy === healthy) return;
    this.spans.push({ host, component, from: at, to: at, version, healthy });
  }

  private async lookAt(place: Watched): Promise<Sighting> {
    const [answer, release] = await Promise.all([this.ask(place), currentRelease(place.root)]);
    const releaseVersion = release === null ? null : await this.readVersion(path.join(place.root, 'releases', release));
    return { host: place.host, component: place.component, ...answer, release, releaseVersion };
  }

  private ask(place: Watched): Promise<{ version: string | null; healthy: boolean }> {
    const silent = { version: null, healthy: false };
    return new Promise((resolve) => {
      const request = http.get(
        { host: place.address, port: place.port, path: '/health', agent: this.agent, timeout: answerWithinMs },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', () => resolve(silent));
          response.on('end', () => {
            const health = parseHealth(Buffer.concat(chunks).toString('utf8'));
            const ours = health?.component === place.component;
            resolve(ours ? { version: health.version, healthy: response.statusCode === 200 } : silent);
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', () => resolve(silent));
    });
  }
}

/** Every component on every host runs exactly this version, on disk and over HTTP, and says it is healthy. */
export function allRun(seen: Sighting[], version: string): boolean {
  return seen.every((place) => place.version === version && place.healthy && place.releaseVersion === version);
}

async function currentRelease(root: string): Promise<string | null> {
  try {
    return path.basename(await readlink(path.join(root, 'current')));
  } catch {
    // No release is current.
    return null;
  }
}

function parseHealth(text: string): { component: string; version: string } | null {
  try {
    const health: unknown = JSON.parse(text);
    if (typeof health !== 'object' || health === null) return null;
    const { component, version } = health as Record<string, unknown>;
    return typeof component === 'string' && typeof version === 'string' ? { component, version } : null;
  } catch {
    // Somebody else answers on the port.
    return null;
  }
}
