import { show } from '../manifest/text';
import type { ArtifactFormat } from './artifact';
import { isHeader } from './tar-header';

/** How many bytes of a file `fileFormat` wants to see, if it has them. */
export const bytesToSniff = 512;

const packed: [ArtifactFormat, number[]][] = [
  ['tar.gz', [0x1f, 0x8b]],
  ['tar.zst', [0x28, 0xb5, 0x2f, 0xfd]],
];

const foreign: [string, number[]][] = [
  ['a zip archive', [0x50, 0x4b, 0x03, 0x04]],
  ['an empty zip archive', [0x50, 0x4b, 0x05, 0x06]],
  ['compressed with xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['compressed with bzip2', [0x42, 0x5a, 0x68]],
  ['compressed with lz4', [0x04, 0x22, 0x4d, 0x18]],
  ['a 7z archive', [0x37, 0x7a, 0xbc, 0xaf]],
  ['a rar archive', [0x52, 0x61, 0x72, 0x21]],
  ['a Debian package or ar archive', [0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e]],
  ['an ELF program', [0x7f, 0x45, 0x4c, 0x46]],
];

/** The format of a file by its first bytes, or what the file is instead, as the end of a sentence. */
export function fileFormat(head: Buffer): { format: ArtifactFormat } | { instead: string } {
  const startsWith = ([, magic]: [string, number[]]) => magic.every((byte, index) => head[index] === byte);
  const format = packed.find(startsWith)?.[0];
  if (format !== undefined) return { format };
  if (head.length === 0) return { instead: 'is empty (0 bytes)' };
  if (isHeader(head) || isPadding(head)) return { format: 'tar' };
  const other = foreign.find(startsWith)?.[0];
  if (other !== undefined) return { instead: `is ${other}, not a tar archive` };
  const text = beginningOfText(head);
  if (text !== null) return { instead: `is not a tar archive but text that begins with ${show(text)}` };
  return { instead: 'is not a tar archive' };
}

/** An archive without entries is nothing but empty blocks. */
function isPadding(head: Buffer): boolean {
  return head.length === bytesToSniff && head.every((byte) => byte === 0);
}

/** A failed download often leaves the error page under the archive's name: its first words explain it. */
function beginningOfText(head: Buffer): string | null {
  const text = head.toString('utf8').trimStart().slice(0, 60);
  return /^[^\p{Cc}\uFFFD]{4}/u.test(text) ? text : null;
}
