import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import zlib from 'node:zlib';
import { ArchiveProblem, type ArtifactFormat } from './artifact';

/** A running decompression. */
export interface Decompressor {
  /** Packed bytes go in, unpacked bytes come out. */
  stream: Duplex;
  /**
   * To be awaited when the stream has ended, well or not, with the error it ended with and the number of bytes that
   * went in. Rejects with what is wrong with the packed data or with the program that unpacks it.
   */
  settle(error: unknown, packedBytes: number): Promise<void>;
}

/** Large enough that the hand-over between threads does not count; in bytes. */
const chunkSize = 256 * 1024;

/** null for an archive that is not compressed. `signal` ends a helper program; the caller ends the stream. */
export function decompressor(format: ArtifactFormat, signal?: AbortSignal): Decompressor | null {
  switch (format) {
    case 'tar':
      return null;
    case 'tar.gz':
      return builtIn(zlib.createGunzip({ chunkSize }));
    case 'tar.zst':
      // Node has zstd since 22.15; older runners have it as a program, if at all.
      return typeof zlib.createZstdDecompress === 'function'
        ? builtIn(zlib.createZstdDecompress({ chunkSize }))
        : zstdProgram(signal);
  }
}

function builtIn(stream: Duplex & { bytesWritten: number }): Decompressor {
  return {
    stream,
    async settle(error, packedBytes) {
      const problem = error === undefined ? null : compressionProblem(error);
      if (problem !== null) throw problem;
      // Node ignores what stands behind the end of the compressed data.
      const endedEarly = error === undefined ? stream.bytesWritten < packedBytes : isEarlyEnd(error);
      if (endedEarly) throw trailingData();
    },
  };
}

function compressionProblem(error: unknown): ArchiveProblem | null {
  const { code = '', message = '' } = error as NodeJS.ErrnoException;
  if (code === 'Z_BUF_ERROR') return new ArchiveProblem('damaged', 'is cut off: its compressed data ends too early');
  if (code === 'Z_DATA_ERROR' && message === 'incorrect header check') return trailingData();
  if (code === 'ZSTD_error_prefix_unknown') return trailingData();
  if (/^(Z_|ZSTD_)/.test(code))
    return new ArchiveProblem('damaged', `is damaged: its compressed data is wrong (${message})`);
  return null;
}

function trailingData(): ArchiveProblem {
  return new ArchiveProblem('damaged', 'has something else behind its compressed data');
}

/** The stream was closed by its own end while more data was still coming in. */
function isEarlyEnd(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ABORT_ERR' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** Decompression by the program `zstd`. */
export function zstdProgram(signal?: AbortSignal, program = 'zstd'): Decompressor {
  const child = spawn(program, ['-dcq'], { stdio: ['pipe', 'pipe', 'pipe'], ...(signal && { signal }) });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = `${complaint}${text}`.slice(0, 500);
  });
  const ended = new Promise<{ failure: Error } | { code: number | null }>((resolve) => {
    child.once('error', (failure) => resolve({ failure }));
    child.once('close', (code) => resolve({ code }));
  });
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  return {
    stream,
    async settle(error) {
      if (error !== undefined && !isBrokenPipe(error)) child.kill();
      const end = await ended;
      if ('failure' in end) {
        if (signal?.aborted) return;
        const sentence = `is packed with zstd, which this Node version cannot unpack by itself, and the program "${program}" does not start`;
        throw new ArchiveProblem('format', `${sentence} (${(end.failure as NodeJS.ErrnoException).code})`);
      }
      if (end.code === 0 || end.code === null) return;
      const words = complaint.trim().split('\n')[0] ?? '';
      throw new ArchiveProblem('damaged', `is damaged or cut off: zstd says ${JSON.stringify(words)}`);
    },
  };
}

/** The program ended while it was still being fed: its own words say why. */
function isBrokenPipe(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ABORT_ERR' || code === 'ENOENT';
}
