import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** One bundle: `dist/<name>/index.js` made from a source file. */
export interface Entry {
  name: string;
  /** Relative to the repository, with slashes. */
  source: string;
}

/** Names of the actions' folders, sorted. A folder without action.yml is none. */
export function actionNames(root: string): string[] {
  const folder = join(root, 'actions');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'action.yml')))
    .sort();
}

/**
 * Everything that is bundled: an action's `src/index.ts` as `<name>`, its `src/post.ts`, where there is one, as
 * `<name>-post`, and the drill.
 */
export function findEntries(root: string): Entry[] {
  const entries = actionNames(root).flatMap((name) => [
    { name, source: `actions/${name}/src/index.ts` },
    { name: `${name}-post`, source: `actions/${name}/src/post.ts` },
  ]);
  return [...entries, { name: 'drill', source: 'drill/main.ts' }].filter(({ source }) =>
    existsSync(join(root, source)),
  );
}
