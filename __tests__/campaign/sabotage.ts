import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Cut {
  file: 'agent.sh' | 'index.js';
  /** Where the product is broken; the whole file is searched once. */
  search: RegExp;
  replace: string;
}

/** Ways to break the product on purpose. The campaign has to notice every one of them. */
const ways: Readonly<Record<string, readonly Cut[]>> = {
  /** The watcher gives up when the lease ends. */
  'no-revert-at-lease-end': [
    {
      file: 'agent.sh',
      search: /if \[ "\$active" = "\$txn" \] && \[ "\$lease_alive" = no \]; then lease_ended [^\n]*\n/,
      replace: 'exit 0\n',
    },
  ],
  /** The boot hook does nothing. */
  'no-revert-at-boot': [
    {
      file: 'agent.sh',
      search: /if \[ -n "\$active" \]; then lease_ended "the host was restarted[^\n]*\n/,
      replace: '',
    },
  ],
  /** `current` is removed and made anew. */
  'link-without-rename': [
    {
      file: 'agent.sh',
      search: /ln -s "\$2" "\$1\/\.current\.\$txn" && mv -T "\$1\/\.current\.\$txn" "\$1\/current"/,
      replace: 'rm -f "$1/current" && ln -s "$2" "$1/current"',
    },
  ],
  /** Whoever comes second gets the hosts as well. */
  'open-ignores-lease': [
    {
      file: 'agent.sh',
      search: /if \[ "\$lease_alive" = yes \] && \[ "\$own_lease" = no \]; then/,
      replace: 'if false; then',
    },
    { file: 'agent.sh', search: /if \[ -n "\$active" \]; then refuse unfinished [^\n]*\n/, replace: '' },
    {
      file: 'agent.sh',
      search: /if \[ "\$want_epoch" -le "\$epoch" \] && \[ "\$own_lease" = no \]; then refuse [^\n]*\n/,
      replace: '',
    },
    { file: 'index.js', search: /function refuseWhileLocked\(snapshots\) \{/, replace: '$& return;' },
    { file: 'index.js', search: /const unfinished = unfinishedOn\(snapshots\);/, replace: 'const unfinished = [];' },
  ],
  /** A host that could not be confirmed does not keep the run from saying `deployed`. */
  'deployed-without-confirm': [
    { file: 'index.js', search: /return this\.#judge\("confirm", results\);/, replace: 'return "ok";' },
  ],
  /** Red checks count as green. */
  'red-is-green': [
    {
      file: 'index.js',
      search: /if \(verdict\.green\) return "ok";\s*this\.#failure \?\?= redCheck/,
      replace: 'return "ok"; this.#failure ??= redCheck',
    },
  ],
  /** Going back is said to be verified although nothing was asked. */
  'rollback-not-verified': [
    {
      file: 'index.js',
      search: /if \(verdict\.green\) return "ok";\s*recorder\.warn\(`After going back/,
      replace: 'return "ok"; recorder.warn(`After going back',
    },
  ],
  /** What a failing migration prints goes on as it is. */
  'secret-in-report': [
    { file: 'index.js', search: /message: this\.#mask\(answer\.message\)/, replace: 'message: answer.message' },
  ],
  /** Nobody closes what is in doubt, and its exit code is 0. */
  'doubt-is-green': [
    {
      file: 'index.js',
      search: /case "deployed":\s*case "no-op":\s*return 0;/,
      replace: 'case "deployed": case "no-op": case "in-doubt": return 0;',
    },
  ],
};

export const sabotages = Object.keys(ways);

/** Breaks the bundles below `dist`. @throws Error when there is no such way, or one of its places is not found */
export function sabotage(name: string, dist: string): void {
  const cuts = ways[name];
  if (cuts === undefined) throw new Error(`no sabotage ${name}; there are ${sabotages.join(', ')}`);
  for (const cut of cuts) {
    const changed = readdirSync(dist).filter((bundle) => apply(cut, join(dist, bundle, cut.file)));
    if (changed.length === 0) {
      throw new Error(`sabotage ${name} did not find ${cut.search} in any ${cut.file}: adapt it to the sources`);
    }
  }
}

function apply({ search, replace }: Cut, file: string): boolean {
  const before = readFileSync(file, 'utf8');
  const after = before.replace(search, replace);
  if (after !== before) writeFileSync(file, after);
  return after !== before;
}
