import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchRunner, bundleStart } from './action';
import { startedActions } from './bundles';
import { nodes, versionOf } from './programs';
import { type Samples, type Target, target } from './results';

const starts = 10;

/** From the start of a process to the end of an action that finds its inputs missing, on the oldest and the newest Node. */
export async function measureStarts(runner: BenchRunner, samples: Samples): Promise<void> {
  const programs = nodes().map((node) => ({ node, version: versionOf(node, ['--version']).split('.')[0] }));
  const names = startedActions.filter((name) => existsSync(join(runner.bundles, name)));
  for (let round = 0; round < starts; round += 1) {
    for (const { node, version } of programs) {
      for (const name of names) {
        const milliseconds = await bundleStart({ ...runner, node }, name);
        // The first one reads the bundle from the disk.
        if (round > 0) samples.add(`start of ${name}, Node ${version}`, milliseconds);
      }
    }
  }
}

export function startTargets(samples: Samples): Target[] {
  return samples
    .all()
    .filter(({ name }) => name.startsWith('start of '))
    .map(({ name, median }) => target(name, 'ms', median, 150));
}
