import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { SafeguardError } from '../errors';
import { nearest } from '../manifest/suggest';
import { show } from '../manifest/text';
import { artifactError, type Subject } from './artifact';

const mostNames = 5;

/** The error for an artifact that is not there, with what stands in its place. */
export async function missingArtifact(subject: Subject): Promise<SafeguardError> {
  return artifactError(subject, 'missing', `does not exist; ${await whatIsThere(subject.path)}`, {
    remedy:
      'Check that the artifact was built or downloaded before this step, and the paths in the manifest and in the input "artifacts".',
  });
}

async function whatIsThere(path: string): Promise<string> {
  for (let child = path, folder = dirname(path); ; child = folder, folder = dirname(folder)) {
    const found = await stat(folder).catch(() => null);
    if (found === null && folder !== child) continue;
    if (found?.isDirectory() !== true) return `${show(folder)} is not a folder`;
    const names = await readdir(folder).catch(() => null);
    if (names === null) return `the folder ${show(folder)} cannot be read`;
    const where = folder === dirname(path) ? `its folder ${show(folder)}` : `the nearest folder, ${show(folder)},`;
    return `${where} ${contents(basename(child), names)}`;
  }
}

function contents(wanted: string, names: string[]): string {
  if (names.length === 0) return 'is empty';
  const alike = likeWanted(wanted, names);
  const listed = alike.length > 0 ? alike : names.sort();
  const more = listed.length > mostNames ? ` and ${listed.length - mostNames} more` : '';
  return `contains ${listed.slice(0, mostNames).map(show).join(', ')}${more}`;
}

/** Names that begin with the same word (another version of the same artifact), and the closest spelling. */
function likeWanted(wanted: string, names: string[]): string[] {
  const word = /^[A-Za-z]{2,}/.exec(wanted)?.[0];
  const sameWord = word === undefined ? [] : names.filter((name) => name.startsWith(word));
  const closest = nearest(wanted, names);
  return [...new Set(closest === null ? sameWord.sort() : [closest, ...sameWord.sort()])];
}
