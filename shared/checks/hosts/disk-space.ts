import { quote } from '../../host/quote';
import type { Observation } from '../check';
import { unknown } from './ask-host';

/** A file system, as a path on it shows. */
export interface FileSystem {
  path: string;
  blockBytes: number;
  blocks: number;
  freeBlocks: number;
  /** Free to everybody, without what is kept for root. */
  availableBlocks: number;
  /** 0 where the file system does not count them, as btrfs. */
  inodes: number;
  freeInodes: number;
}

export interface DiskExpectation {
  /** Per cent of the bytes at which it is too full. */
  bytesBelow: number;
  /** Per cent of the inodes at which it is too full. */
  inodesBelow: number;
}

/** Shell text that prints a line of numbers for every path. */
export function diskQuestion(paths: readonly string[]): string {
  // As df counts, without its columns, which names with blanks shift.
  return `exec stat -f -c '%S %b %f %a %c %d' -- ${paths.map(quote).join(' ')}`;
}

/** @throws SafeguardError when a path has no numbers. */
export function parseDisks(host: string, stdout: string, paths: readonly string[]): FileSystem[] {
  const lines = stdout.trimEnd().split('\n');
  return paths.map((path, index) => {
    const numbers = /^\d+( \d+){5}$/.test(lines[index] ?? '') ? (lines[index] ?? '').split(' ').map(Number) : [];
    const [blockBytes = 0, blocks = 0, freeBlocks = 0, availableBlocks = 0, inodes = 0, freeInodes = 0] = numbers;
    if (blockBytes === 0 || blocks === 0) {
      throw unknown(host, `stat does not say how big the file system of ${path} is`, `Run: df -h ${quote(path)}.`);
    }
    return { path, blockBytes, blocks, freeBlocks, availableBlocks, inodes, freeInodes };
  });
}

export function judgeDisks(disks: readonly FileSystem[], { bytesBelow, inodesBelow }: DiskExpectation): Observation {
  const full = disks.filter((disk) => bytesUsed(disk) >= bytesBelow);
  const crowded = disks.filter((disk) => inodesUsed(disk) >= inodesBelow);
  if (full.length + crowded.length === 0) return { verdict: 'pass', found: disks.map(described).join(', ') };
  const [first] = [...full, ...crowded];
  const path = quote(first?.path ?? '/');
  return {
    verdict: 'fail',
    found: [...new Set([...full, ...crowded])].map(described).join(', '),
    remedy:
      full.length > 0
        ? `Find what fills it: du -xhd2 ${path} | sort -h | tail.`
        : `Find where the many files are: du -x --inodes -d2 ${path} | sort -n | tail.`,
  };
}

/** Per cent, as df: of what everybody may use. */
function bytesUsed({ blocks, freeBlocks, availableBlocks }: FileSystem): number {
  const used = blocks - freeBlocks;
  return (100 * used) / Math.max(1, used + availableBlocks);
}

function inodesUsed({ inodes, freeInodes }: FileSystem): number {
  return inodes === 0 ? 0 : (100 * (inodes - freeInodes)) / inodes;
}

function described(disk: FileSystem): string {
  const free = gibibytes(disk.availableBlocks * disk.blockBytes);
  const inodes = disk.inodes === 0 ? '' : ` and ${percent(inodesUsed(disk))} of the inodes`;
  return `${disk.path} ${percent(bytesUsed(disk))} full (${free} free)${inodes}`;
}

/** Rounded down, so that 89.96 does not read as the bound of 90 that it keeps. */
export function percent(value: number): string {
  return `${Math.floor(value * 10) / 10} %`;
}

export function gibibytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.floor(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
