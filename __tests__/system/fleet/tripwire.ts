import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { FleetHost } from './host';
import { until } from './shop';

/** Programs that the agent calls between any two of its lasting effects. */
const watched = ['flock', 'date', 'sync', 'mv', 'ln', 'rm', 'systemctl', 'mkdir', 'cat', 'tar'];
const transactions = '/var/lib/deploy-safeguard/shop/txn';

/** Stands in front of a program, see Tripwire. */
const gate = `#!/bin/sh
if [ -e /trip/journal ]; then
  lines=0
  for file in ${transactions}/*/journal; do
    id=\${file%/journal}
    if [ -e "$file" ] && [ ! -e "/trip/known/\${id##*/}" ]; then
      while IFS= read -r line; do
        lines=$((lines + 1))
        case $line in *"$(/bin/cat /trip/journal)"*) seen=yes ;; esac
      done <"$file"
    fi
  done
  if [ "\${seen:-}" = yes ] || [ "$lines" -ge "$(/bin/cat /trip/line)" ]; then
    : >/trip/hit
    while [ -e /trip/hit ]; do sleep 0.05; done
  fi
fi
exec /bin/"\${0##*/}" "$@"
`;

/** After which line of its next transaction's journal a host stands still: the n-th, or the first that holds a text. */
export type Place = { line: number } | { text: string };

/**
 * Lets a host stand still at a chosen point of the agent's work: after a line of the journal and before the next program
 * that the agent calls. There its power can be cut, or something else be done to it before it goes on.
 */
export class Tripwire {
  readonly #host: FleetHost;

  constructor(host: FleetHost, place: Place) {
    this.#host = host;
    const gates = host.path('usr/local/sbin');
    if (!existsSync(`${gates}/gate`)) {
      writeFileSync(`${gates}/gate`, gate, { mode: 0o755 });
      // What bends the host's clock may stand in the place of one of them.
      const free = watched.filter((program) => !existsSync(`${gates}/${program}`));
      for (const program of free) symlinkSync('gate', `${gates}/${program}`);
    }
    this.remove();
    mkdirSync(host.path('trip/known'), { recursive: true });
    for (const id of transactionIds(host)) writeFileSync(host.path(`trip/known/${id}`), '');
    writeFileSync(host.path('trip/line'), `${'line' in place ? place.line : 1_000_000}\n`);
    writeFileSync(host.path('trip/journal'), 'text' in place ? `${place.text}\n` : '\0no such text\n');
  }

  get isHit(): boolean {
    return existsSync(this.#host.path('trip/hit'));
  }

  hit(): Promise<boolean> {
    return until(`${this.#host.name} at its tripwire`, () => this.isHit);
  }

  /** The host goes on, or never stands still if it has not come by yet. */
  remove(): void {
    rmSync(this.#host.path('trip'), { recursive: true, force: true });
  }
}

export function transactionIds(host: FleetHost): string[] {
  const folder = host.path(transactions);
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** The lines of a host's journals as `verb what detail`, without those of the `known` transactions. */
export function journalLines(host: FleetHost, known: readonly string[] = []): string[] {
  return transactionIds(host)
    .filter((id) => !known.includes(id))
    .map((id) => host.path(`${transactions}/${id}/journal`))
    .filter((file) => existsSync(file))
    .flatMap((file) => readFileSync(file, 'utf8').split('\n').filter(Boolean))
    .map((line) => line.split('\t').slice(2).join(' ').trim());
}
