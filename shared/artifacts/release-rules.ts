import { show } from '../manifest/text';
import { ArchiveProblem } from './artifact';
import type { TarEntry } from './tar-reader';

/** What is known of a path: a folder, a file, or the target of a symbolic link. */
type Known = { type: 'directory' | 'file' } | { type: 'symbolic link'; target: string };

const directory: Known = { type: 'directory' };
const file: Known = { type: 'file' };

/** Bounds memory: a path costs some hundred bytes. */
const mostPaths = 1_000_000;
/** The limit of Linux, in bytes. */
const longestName = 255;
/** As many links as Linux follows in one path. */
const mostLinks = 40;
const mostTopLevel = 100;

export interface ReleaseSummary {
  unpackedBytes: number;
  entries: number;
  topLevel: string[];
}

/**
 * Judges the entries of an archive in their order: what may be unpacked into a release folder without anything landing
 * or pointing outside of it, whatever the unpacking program does about links. Throws ArchiveProblem.
 */
export class ReleaseRules {
  private readonly paths = new Map<string, Known>();
  private readonly topLevel = new Set<string>();
  private unpackedBytes = 0;
  private files = 0;

  add(entry: TarEntry): void {
    const segments = pathSegments(entry.name, entry.name, 'name');
    const path = segments.join('/');
    if (path === '') {
      if (entry.type !== 'directory') refuse(entry.name, `is a ${entry.type} in place of the release folder`);
      return;
    }
    const known = this.judge(entry);
    this.makeParents(entry.name, segments);
    this.place(entry, path, known);
    this.topLevel.add(segments[0] as string);
    if (entry.type !== 'directory') this.files += 1;
    this.unpackedBytes += entry.size;
  }

  /** To be called behind the last entry: symbolic links are judged when all that they may lead through is known. */
  finish(): ReleaseSummary {
    if (this.files === 0) throw new ArchiveProblem('empty', 'contains no file');
    for (const [path, known] of this.paths) {
      if (known.type === 'symbolic link') this.follow(path);
    }
    return {
      unpackedBytes: this.unpackedBytes,
      entries: this.paths.size,
      topLevel: [...this.topLevel].sort().slice(0, mostTopLevel),
    };
  }

  private judge(entry: TarEntry): Known {
    switch (entry.type) {
      case 'directory':
        return directory;
      case 'file':
        if ((entry.mode & 0o6000) !== 0) refuse(entry.name, 'is setuid or setgid');
        return file;
      case 'symbolic link':
        return { type: 'symbolic link', target: linkTarget(entry) };
      case 'hard link':
        this.judgeHardLink(entry);
        return file;
      case 'character device':
      case 'block device':
      case 'named pipe':
      case 'socket':
        return refuse(entry.name, `is a ${entry.type}; a release holds only files, folders and links`);
    }
  }

  /** A hard link to a symbolic link would carry the target to another folder, where it means something else. */
  private judgeHardLink({ name, linkName }: TarEntry): void {
    const target = pathSegments(linkName, name, 'target').join('/');
    const known = this.paths.get(target);
    if (known?.type === 'file') return;
    const what = known === undefined ? 'no entry before it' : `a ${known.type}`;
    refuse(
      name,
      `is a hard link to ${show(linkName)}, which is ${what}; it may only link a file of the archive before it`,
    );
  }

  private makeParents(name: string, segments: string[]): void {
    if (segments.length === 1) return;
    // A folder stays a folder, so a known parent was looked at together with everything above it.
    if (this.paths.get(segments.slice(0, -1).join('/'))?.type === 'directory') return;
    let path = '';
    for (const segment of segments.slice(0, -1)) {
      path = path === '' ? segment : `${path}/${segment}`;
      const known = this.paths.get(path);
      if (known === undefined) this.remember(path, directory);
      else if (known.type !== 'directory') refuse(name, `would be written through the ${known.type} ${show(path)}`);
    }
  }

  private place(entry: TarEntry, path: string, known: Known): void {
    const earlier = this.paths.get(path);
    if (earlier === undefined) {
      this.remember(path, known);
      return;
    }
    if (earlier.type !== known.type) refuse(entry.name, `appears as a ${earlier.type} and again as a ${known.type}`);
    if (earlier.type === 'symbolic link' && known.type === 'symbolic link' && earlier.target !== known.target) {
      refuse(entry.name, `appears twice, linked to ${show(earlier.target)} and to ${show(known.target)}`);
    }
  }

  private remember(path: string, known: Known): void {
    if (this.paths.size >= mostPaths) throw new ArchiveProblem('unsafe', `has more than ${mostPaths} entries`);
    this.paths.set(path, known);
  }

  /** Walks where the system would, through links on the way, and refuses to step above the release. */
  private follow(start: string): void {
    const { target } = this.paths.get(start) as { target: string };
    const place = start.split('/').slice(0, -1);
    // The next step is the last element, so that taking it costs nothing.
    const ahead = target.split('/').reverse();
    let links = 1;
    for (let step = ahead.pop(); step !== undefined; step = ahead.pop()) {
      if (step === '' || step === '.') continue;
      if (step === '..') {
        if (place.pop() === undefined)
          refuse(start, `is a symbolic link to ${show(target)}, which leads out of the release`);
        continue;
      }
      place.push(step);
      const known = this.paths.get(place.join('/'));
      if (known?.type !== 'symbolic link') continue;
      links += 1;
      if (links > mostLinks) refuse(start, `is a symbolic link to ${show(target)}, which leads in a circle`);
      place.pop();
      ahead.push(...known.target.split('/').reverse());
    }
  }
}

function linkTarget({ name, linkName }: TarEntry): string {
  checkText(linkName, name, 'target');
  if (linkName === '') refuse(name, 'is a symbolic link to nothing');
  if (linkName.startsWith('/')) {
    refuse(name, `is a symbolic link to the absolute path ${show(linkName)}, which leads out of the release`);
  }
  return linkName;
}

/** Parts of a relative path that stays where it is: `.` and empty parts fall away, `..` is refused. */
function pathSegments(path: string, name: string, what: 'name' | 'target'): string[] {
  checkText(path, name, what);
  if (path === '') refuse(name, `has an empty ${what}`);
  if (path.startsWith('/'))
    refuse(name, what === 'name' ? 'has an absolute name' : `links the absolute path ${show(path)}`);
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) refuse(name, `has a ${what} with .. in it${what === 'name' ? '' : `: ${show(path)}`}`);
  if (segments.some((segment) => Buffer.byteLength(segment) > longestName)) {
    refuse(name, `has a ${what} with a part of more than ${longestName} bytes`);
  }
  return segments;
}

function checkText(text: string, name: string, what: string): void {
  if (/\p{Cc}/u.test(text)) refuse(name, `has a ${what} with a control character in it`);
  if (text.includes('\uFFFD')) refuse(name, `has a ${what} that is not valid UTF-8`);
}

function refuse(name: string, sentence: string): never {
  throw new ArchiveProblem('unsafe', `is refused: the entry ${show(name)} ${sentence}`);
}
