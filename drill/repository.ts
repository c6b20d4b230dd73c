import { existsSync } from 'node:fs';
import path from 'node:path';
import { SafeguardError } from '../shared/errors';

/**
 * The checkout around `folder`: the nearest folder upwards that has `actions/deploy/action.yml`.
 * @throws SafeguardError `drill-bundle-missing`
 */
export function findRepository(folder: string): string {
  for (let current = folder; ; current = path.dirname(current)) {
    if (existsSync(path.join(current, 'actions', 'deploy', 'action.yml'))) return current;
    if (path.dirname(current) === current) break;
  }
  throw new SafeguardError(`No actions/deploy/action.yml in ${folder} or above it.`, {
    fault: 'configuration',
    code: 'drill-bundle-missing',
    remedy: 'Run the drill from a checkout of the whole repository.',
  });
}
