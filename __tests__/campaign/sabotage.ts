import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Sabotage {
  file: 'agent.sh' | 'index.js';
  search: RegExp;
  replace: string;
}

/** Ways to break the product, each in one place. The campaign has to notice every one of them. */
const ways: Readonly<Record<string, Sabotage>> = {
  'no-revert-at-lease-end': {
    file: 'agent.sh',
    search: /if \[ "\$active" = "\$txn" \] && \[ "\$lease_alive" = no \]; then lease_ended [^\n]*fi\n/,
    replace: 'exit 0\n',
  },
};

export const sabotages = Object.keys(ways);

/** Breaks the bundles below `dist`. @throws Error when there is no such way, or nothing to break is found */
export function sabotage(name: string, dist: string): void {
  const way = ways[name];
  if (way === undefined) throw new Error(`no sabotage ${name}; there are ${sabotages.join(', ')}`);
  let changed = 0;
  for (const bundle of readdirSync(dist)) {
    const file = join(dist, bundle, way.file);
    const before = readFileSync(file, 'utf8');
    const after = before.replace(way.search, way.replace);
    if (after === before) continue;
    writeFileSync(file, after);
    changed += 1;
  }
  if (changed === 0) throw new Error(`sabotage ${name} found nothing to break: adapt its pattern to the sources`);
}
