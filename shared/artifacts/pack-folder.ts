import { createHash, randomUUID } from 'node:crypto';
import { closeSync, constants, type Dirent, fstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { SafeguardError } from '../errors';
import { show } from '../manifest/text';
import { artifactError, type PreparedArtifact, type Subject, systemError } from './artifact';
import { ReleaseRules } from './release-rules';
import { blockSize, encodeEntry, padded } from './tar-header';
import type { EntryType } from './tar-reader';

/** Small pieces are joined up to this size before they are written; in bytes. */
const pieceSize = 256 * 1024;

/**
 * Packs a folder into a tar below `temp`, with sorted names, no times, no owners and modes reduced to "executable or
 * not": the same content gives the same bytes on every machine. The file is named by its checksum.
 * Throws ArchiveProblem, SafeguardError `artifact-changed`, `artifact-unreadable`, or the signal's reason.
 */
export async function packFolder(subject: Subject, temp: string, signal?: AbortSignal): Promise<PreparedArtifact> {
  const partial = join(temp, `packing-${randomUUID()}`);
  try {
    await refuseTempInside(subject, temp);
    return await writeTar(subject, temp, partial, signal);
  } catch (error) {
    // What counts is why it failed; the caller removes the folder anyway.
    await rm(partial, { force: true }).catch(() => undefined);
    if (signal?.aborted) throw signal.reason;
    throw isSystemError(error) ? systemError(subject, 'packed', error) : error;
  }
}

function isSystemError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
}

/** Otherwise the archive would pack itself. */
async function refuseTempInside(subject: Subject, temp: string): Promise<void> {
  await mkdir(temp, { recursive: true });
  const [folder, inner] = await Promise.all([realpath(subject.path), realpath(temp)]);
  if (inner !== folder && !inner.startsWith(folder + sep)) return;
  throw artifactError(subject, 'unsafe', `contains the temporary folder ${show(temp)}`, {
    remedy: 'Give a folder that holds only what belongs to the release.',
  });
}

async function writeTar(
  subject: Subject,
  temp: string,
  partial: string,
  signal?: AbortSignal,
): Promise<PreparedArtifact> {
  const hash = createHash('sha256');
  const rules = new ReleaseRules();
  let bytes = 0;
  const counted = function* () {
    for (const piece of joined(folderTar(subject, rules))) {
      hash.update(piece);
      bytes += piece.length;
      yield piece;
    }
  };
  // Made before the first piece is read: a stream that opens its file by itself may do so after all has failed and the
  // file was removed.
  const file = await open(partial, 'wx', 0o600);
  const target = file.createWriteStream({ highWaterMark: pieceSize });
  await pipeline(counted, target, signal === undefined ? {} : { signal });
  const summary = rules.finish();
  const sha256 = hash.digest('hex');
  const path = join(temp, `${sha256}.tar`);
  await rename(partial, path);
  return { path, format: 'tar', sha256, bytes, ...summary };
}

function* joined(pieces: Iterable<Buffer>): Generator<Buffer> {
  let waiting: Buffer[] = [];
  let size = 0;
  for (const piece of pieces) {
    waiting.push(piece);
    size += piece.length;
    if (size < pieceSize) continue;
    yield Buffer.concat(waiting, size);
    waiting = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(waiting, size);
}

// From here on it reads synchronously: with many small files, that takes a tenth of the time. The writer in between
// gives every other task its turn after each piece.

function* folderTar(subject: Subject, rules: ReleaseRules): Generator<Buffer> {
  yield* folderEntries(subject, '', rules);
  yield Buffer.alloc(2 * blockSize);
}

function* folderEntries(subject: Subject, folder: string, rules: ReleaseRules): Generator<Buffer> {
  const found = readdirSync(join(subject.path, folder), { withFileTypes: true });
  const sorted = found.sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const child of sorted) {
    const path = folder === '' ? child.name : `${folder}/${child.name}`;
    if (child.isFile()) yield* fileEntry(subject, path, rules);
    else if (child.isDirectory()) {
      rules.add({ type: 'directory', name: path, linkName: '', mode: 0o755, size: 0 });
      yield encodeEntry({ type: 'directory', name: path, mode: 0o755, size: 0, linkTarget: '' });
      yield* folderEntries(subject, path, rules);
    } else if (child.isSymbolicLink()) {
      const linkTarget = readlinkSync(join(subject.path, path));
      rules.add({ type: 'symbolic link', name: path, linkName: linkTarget, mode: 0o777, size: 0 });
      yield encodeEntry({ type: 'symlink', name: path, mode: 0o777, size: 0, linkTarget });
    } else {
      rules.add({ type: specialType(child), name: path, linkName: '', mode: 0, size: 0 });
    }
  }
}

function specialType(found: Dirent): EntryType {
  if (found.isCharacterDevice()) return 'character device';
  if (found.isBlockDevice()) return 'block device';
  return found.isSocket() ? 'socket' : 'named pipe';
}

function* fileEntry(subject: Subject, path: string, rules: ReleaseRules): Generator<Buffer> {
  // Neither through a link nor into a pipe that took the file's place a moment ago.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const descriptor = openSync(join(subject.path, path), flags);
  try {
    const { mode, size } = fstatSync(descriptor);
    rules.add({ type: 'file', name: path, linkName: '', mode, size });
    const packedMode = (mode & 0o111) === 0 ? 0o644 : 0o755;
    yield encodeEntry({ type: 'file', name: path, mode: packedMode, size, linkTarget: '' });
    for (let left = size; left > 0; ) {
      const buffer = Buffer.allocUnsafe(Math.min(left, pieceSize));
      const bytesRead = readSync(descriptor, buffer);
      if (bytesRead === 0) throw fileChanged(subject, path);
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    if (fstatSync(descriptor).size !== size) throw fileChanged(subject, path);
    if (padded(size) > size) yield Buffer.alloc(padded(size) - size);
  } finally {
    closeSync(descriptor);
  }
}

function fileChanged(subject: Subject, path: string): SafeguardError {
  const sentence = `was written to while it was being packed: ${show(path)} has another size now`;
  return artifactError(subject, 'changed', sentence, {
    remedy: 'Start the deployment when the build of the artifact is complete.',
  });
}
