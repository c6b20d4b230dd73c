import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import {
  ArchiveProblem,
  artifactError,
  type MemoryBudget,
  type PreparedArtifact,
  problemError,
  systemError,
} from './artifact';
import { inspectArchive } from './inspect';
import { missingArtifact } from './missing';
import { packFolder } from './pack-folder';

export interface PrepareOptions {
  /** Folder on the runner for archives made of folders; created when missing. The caller removes it. */
  temp: string;
  /** For messages. */
  component?: string;
  signal?: AbortSignal;
  /** Archives that fit are kept as they were checked, and sent from there to every host. Default: none is. */
  memory?: MemoryBudget;
}

/**
 * Makes sure that an artifact may be unpacked on a host, and finds out its checksum and size. Memory stays bounded
 * whatever its size.
 *
 * Throws SafeguardError with one of the codes `artifact-missing`, `artifact-format`, `artifact-damaged`,
 * `artifact-unsafe`, `artifact-empty`, `artifact-changed`, `artifact-unreadable`; or the signal's reason.
 */
export async function prepareArtifact(path: string, options: PrepareOptions): Promise<PreparedArtifact> {
  const { temp, component, signal, memory } = options;
  const subject = { path, component };
  signal?.throwIfAborted();
  const found = await statArtifact(subject);
  try {
    const prepared = found.isDirectory()
      ? await packFolder(subject, temp, signal)
      : await inspectArchive(subject, { signal, memory });
    return component === undefined ? prepared : { component, ...prepared };
  } catch (error) {
    throw error instanceof ArchiveProblem ? problemError(subject, error) : error;
  }
}

async function statArtifact(subject: { path: string; component: string | undefined }): Promise<Stats> {
  let found: Stats;
  try {
    found = await stat(subject.path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw await missingArtifact(subject);
    throw systemError(subject, 'found', error);
  }
  if (found.isFile() || found.isDirectory()) return found;
  throw artifactError(subject, 'format', 'is neither a file nor a folder', {
    remedy: 'Give a .tar, .tar.gz, .tar.zst or a folder.',
  });
}

/** Larger pieces than the default halve the time of an upload; in bytes. */
const uploadSize = 256 * 1024;

/**
 * A fresh stream of what to upload: what was checked, or else the file. The host compares the checksum, so a file that
 * changed meanwhile is noticed.
 */
export function openUpload(artifact: Pick<PreparedArtifact, 'path' | 'content'>): Readable {
  if (artifact.content !== undefined) return Readable.from(artifact.content);
  return createReadStream(artifact.path, { highWaterMark: uploadSize });
}
