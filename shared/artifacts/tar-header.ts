import { ArchiveProblem } from './artifact';

export const blockSize = 512;

/** One header block of a tar archive, fields as they are written. */
export interface TarHeader {
  /** The type flag as a character; an old archive's NUL is `0`. */
  type: string;
  name: string;
  linkName: string;
  /** Permission bits, including setuid, setgid and sticky. */
  mode: number;
  size: number;
}

/** Sum of all bytes of a header, with its own checksum field taken as blanks. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < 148; index += 1) sum += block[index] as number;
  for (let index = 156; index < blockSize; index += 1) sum += block[index] as number;
  return sum;
}

/** Whether a block looks like a tar header, by its checksum. */
export function isHeader(block: Buffer): boolean {
  return block.length >= blockSize && number(block, 148, 8) === checksum(block);
}

/**
 * Reads a header of the ustar, GNU or old format. Throws ArchiveProblem where different tar programs would read
 * different things.
 */
export function decodeHeader(block: Buffer): TarHeader {
  if (!isHeader(block)) throw new ArchiveProblem('damaged', 'is damaged: a header has a wrong checksum');
  const mode = number(block, 100, 8);
  const size = number(block, 124, 12);
  if (mode === null || size === null) throw new ArchiveProblem('damaged', 'is damaged: a header holds no valid number');
  const flag = block[156] as number;
  const type = flag === 0 ? '0' : String.fromCharCode(flag);
  return { type, name: prefix(block) + string(block, 0, 100), linkName: string(block, 157, 100), mode, size };
}

/** Only the ustar format continues the name in a prefix; GNU keeps times there. */
function prefix(block: Buffer): string {
  if (block.toString('latin1', 257, 263) !== 'ustar\0') return '';
  if (block.toString('latin1', 508, 512) === 'tar\0') {
    throw new ArchiveProblem('format', 'is written in the format of star, which tar programs read differently');
  }
  const text = string(block, 345, 155);
  return text === '' ? '' : `${text}/`;
}

function string(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString('utf8', start, end === -1 || end > start + length ? start + length : end);
}

/** Octal digits between blanks, or a big-endian number behind a first byte of 0x80. null when it is neither. */
function number(block: Buffer, start: number, length: number): number | null {
  if (block[start] === 0x80) {
    let value = 0;
    for (let index = start + 1; index < start + length; index += 1) value = value * 256 + (block[index] as number);
    return Number.isSafeInteger(value) ? value : null;
  }
  const digits = /^ *([0-7]*)(?:[ \0].*)?$/s.exec(block.toString('latin1', start, start + length))?.[1];
  if (digits === undefined) return null;
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

export interface WrittenEntry {
  type: 'file' | 'directory' | 'symlink';
  /** Relative path without a slash at the end. */
  name: string;
  mode: number;
  size: number;
  linkTarget: string;
}

const flags = { file: '0', symlink: '2', directory: '5' } as const;

/**
 * Header blocks of an entry with owner 0:0 and time 0, so that equal content gives equal bytes. Long names use the GNU
 * way, which the tar of BusyBox understands as well; it does not read pax headers.
 */
export function encodeEntry({ type, name, mode, size, linkTarget }: WrittenEntry): Buffer {
  const path = Buffer.from(type === 'directory' ? `${name}/` : name);
  const target = Buffer.from(linkTarget);
  const parts: Buffer[] = [];
  if (target.length > 100) parts.push(longName('K', target));
  const split = splitName(path);
  if (split === null) parts.push(longName('L', path));
  parts.push(encodeHeader(flags[type], split ?? { prefix: Buffer.alloc(0), name: path }, mode, size, target));
  return Buffer.concat(parts);
}

function longName(type: 'K' | 'L', text: Buffer): Buffer {
  const name = { prefix: Buffer.alloc(0), name: Buffer.from('././@LongLink') };
  const body = Buffer.alloc(padded(text.length + 1));
  text.copy(body);
  return Buffer.concat([encodeHeader(type, name, 0o644, text.length + 1, Buffer.alloc(0)), body]);
}

interface SplitName {
  prefix: Buffer;
  name: Buffer;
}

/** At most 155 bytes, a slash, at most 100 bytes; null where no slash of the path allows that. */
function splitName(path: Buffer): SplitName | null {
  if (path.length <= 100) return { prefix: Buffer.alloc(0), name: path };
  const slash = path.indexOf('/', path.length - 101);
  if (slash <= 0 || slash > 155 || slash === path.length - 1) return null;
  return { prefix: path.subarray(0, slash), name: path.subarray(slash + 1) };
}

function encodeHeader(type: string, path: SplitName, mode: number, size: number, target: Buffer): Buffer {
  const block = Buffer.alloc(blockSize);
  path.name.copy(block, 0, 0, 100);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  writeSize(block, size);
  block.write(octal(0, 11), 136);
  block.write(type, 156);
  target.copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  path.prefix.copy(block, 345, 0, 155);
  block.write(`${octal(checksum(block), 6)}\0 `, 148, 'latin1');
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

const firstSizeBeyondOctal = 8 ** 11;

function writeSize(block: Buffer, size: number): void {
  if (size < firstSizeBeyondOctal) {
    block.write(octal(size, 11), 124);
    return;
  }
  block[124] = 0x80;
  block.writeUIntBE(size, 130, 6);
}

/** A size rounded up to whole blocks. */
export function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}
