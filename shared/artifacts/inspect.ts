import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { show } from '../manifest/text';
import {
  ArchiveProblem,
  type ArtifactFormat,
  artifactError,
  type MemoryBudget,
  type PreparedArtifact,
  type Subject,
  systemError,
} from './artifact';
import { type Decompressor, decompressor } from './decompress';
import { bytesToSniff, fileFormat } from './file-format';
import { ReleaseRules } from './release-rules';
import { TarReader } from './tar-reader';

export interface InspectOptions {
  signal?: AbortSignal | undefined;
  memory?: MemoryBudget | undefined;
}

/** Read at once; in bytes. */
const readSize = 256 * 1024;

/**
 * Reads an archive once from end to end, in bounded memory: its checksum, and whether it may become a release.
 * Throws ArchiveProblem, SafeguardError `artifact-changed` or `artifact-unreadable`, or the signal's reason.
 */
export async function inspectArchive(subject: Subject, options: InspectOptions): Promise<PreparedArtifact> {
  let handle: FileHandle;
  try {
    handle = await open(subject.path);
  } catch (error) {
    throw systemError(subject, 'opened', error);
  }
  try {
    return await inspectOpened(subject, handle, options);
  } finally {
    await handle.close();
  }
}

async function inspectOpened(
  subject: Subject,
  handle: FileHandle,
  { signal, memory }: InspectOptions,
): Promise<PreparedArtifact> {
  const before = await handle.stat();
  const content = roomFor(before.size, memory) ? [] : null;
  const format = await sniff(handle);
  const source = handle.createReadStream({ start: 0, highWaterMark: readSize, autoClose: false });
  const result = await readThrough(subject, source, format, content, signal);
  const after = await handle.stat();
  if (changed(before, after) || result.bytes !== before.size) {
    throw artifactError(subject, 'changed', 'was written to while it was being checked', {
      remedy: 'Start the deployment when the build of the artifact is complete.',
    });
  }
  return { path: subject.path, format, ...result, ...(content === null ? {} : { content }) };
}

function roomFor(bytes: number, memory: MemoryBudget | undefined): boolean {
  if (memory === undefined || memory.left < bytes) return false;
  memory.left -= bytes;
  return true;
}

async function sniff(handle: FileHandle): Promise<ArtifactFormat> {
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(bytesToSniff), position: 0 });
  const found = fileFormat(buffer.subarray(0, bytesRead));
  if ('instead' in found) throw new ArchiveProblem(bytesRead === 0 ? 'empty' : 'format', found.instead);
  return found.format;
}

function changed(before: Stats, after: Stats): boolean {
  return before.size !== after.size || before.mtimeMs !== after.mtimeMs;
}

type Contents = Omit<PreparedArtifact, 'path' | 'format' | 'component' | 'content'>;

async function readThrough(
  subject: Subject,
  source: Readable,
  format: ArtifactFormat,
  content: Buffer[] | null,
  signal: AbortSignal | undefined,
): Promise<Contents> {
  const hash = createHash('sha256');
  const rules = new ReleaseRules();
  let lastEntry: string | null = null;
  const reader = new TarReader((entry) => {
    lastEntry = entry.name;
    rules.add(entry);
  });
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      content?.push(chunk);
      yield chunk;
    }
  };
  const read = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) reader.push(chunk);
  };
  const unpack = decompressor(format, signal);
  const options = signal === undefined ? {} : { signal };
  try {
    if (unpack === null) await pipeline(source, counted, read, options);
    else await pipeline(source, counted, unpack.stream, read, options);
  } catch (error) {
    throw await explain(subject, error, unpack, lastEntry, signal);
  }
  try {
    await unpack?.settle(undefined, bytes);
  } catch (error) {
    throw near(error, lastEntry);
  }
  reader.end();
  return { sha256: hash.digest('hex'), bytes, ...rules.finish() };
}

/** What really stopped the reading: the caller, the archive, or the disk. */
async function explain(
  subject: Subject,
  error: unknown,
  unpack: Decompressor | null,
  lastEntry: string | null,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const settled = await unpack?.settle(error, 0).then(
    () => undefined,
    (problem: unknown) => problem,
  );
  if (signal?.aborted) return signal.reason;
  if (error instanceof ArchiveProblem) return error;
  if (settled !== undefined) return near(settled, lastEntry);
  return systemError(subject, 'read', error);
}

function near(problem: unknown, lastEntry: string | null): unknown {
  if (!(problem instanceof ArchiveProblem) || problem.kind !== 'damaged' || lastEntry === null) return problem;
  return new ArchiveProblem('damaged', `${problem.message}, at the entry ${show(lastEntry)}`);
}
