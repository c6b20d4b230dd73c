import { show } from '../manifest/text';
import { ArchiveProblem } from './artifact';
import { blockSize, decodeHeader, isHeader, padded, type TarHeader } from './tar-header';

export type EntryType =
  | 'file'
  | 'hard link'
  | 'symbolic link'
  | 'directory'
  | 'character device'
  | 'block device'
  | 'named pipe'
  | 'socket';

/** A member of an archive, with long names and pax headers applied. */
export interface TarEntry {
  type: EntryType;
  name: string;
  /** Target of a link, else empty. */
  linkName: string;
  mode: number;
  size: number;
}

const entryTypes: Record<string, EntryType> = {
  '0': 'file',
  '1': 'hard link',
  '2': 'symbolic link',
  '3': 'character device',
  '4': 'block device',
  '5': 'directory',
  '6': 'named pipe',
  '7': 'file',
};

/** Extended headers carry names and times; longer ones only serve to fill memory. In bytes. */
const longestExtension = 1024 * 1024;

type Extension = 'L' | 'K' | 'x' | 'g';

/**
 * Reads the member list of a tar archive from pieces of any size and holds none of the content.
 *
 * It is stricter than the tar programs on purpose: the verdict on an archive only counts if the tar of the host reads
 * the same members. So whatever they read differently (sparse files, bodies of folders, overridden names, data behind
 * the end) is refused. `push` and `end` throw ArchiveProblem.
 */
export class TarReader {
  private readonly onEntry: (entry: TarEntry) => void;
  private readonly block = Buffer.alloc(blockSize);
  private filled = 0;
  /** Bytes of the current member's body and padding that are still to come. */
  private toSkip = 0;
  /** Bytes at the end of `toSkip` that are padding. */
  private padding = 0;
  private extension: { type: Extension; parts: Buffer[] } | null = null;
  private longName: string | null = null;
  private longLink: string | null = null;
  private pax: Map<string, string> | null = null;
  private members = 0;
  private emptyBlocks = 0;
  private lastName: string | null = null;

  constructor(onEntry: (entry: TarEntry) => void) {
    this.onEntry = onEntry;
  }

  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.toSkip > 0) offset += this.skip(chunk, offset);
      else if (this.filled === 0 && chunk.length - offset >= blockSize) {
        this.readBlock(chunk.subarray(offset, offset + blockSize));
        offset += blockSize;
      } else offset += this.fill(chunk, offset);
    }
  }

  /** To be called once, behind the last piece: refuses an archive that is cut off. */
  end(): void {
    if (this.members === 0 && this.filled > 0) throw new ArchiveProblem('format', 'holds no tar archive');
    if (this.emptyBlocks >= 2 && this.filled > 0) throw dataBehindEnd();
    if (this.toSkip > 0 || this.filled > 0 || (this.emptyBlocks < 2 && this.members > 0)) {
      const place = this.lastName === null ? 'at its beginning' : `at the entry ${show(this.lastName)}`;
      throw new ArchiveProblem('damaged', `is cut off ${place}`);
    }
    if (this.longName !== null || this.longLink !== null || this.pax !== null) {
      throw new ArchiveProblem('damaged', 'is damaged: it ends behind an extended header without its entry');
    }
  }

  private skip(chunk: Buffer, offset: number): number {
    const taken = Math.min(this.toSkip, chunk.length - offset);
    if (this.extension !== null) {
      const content = Math.min(taken, Math.max(0, this.toSkip - this.padding));
      // A copy: the caller may use its memory again.
      this.extension.parts.push(Buffer.from(chunk.subarray(offset, offset + content)));
    }
    this.toSkip -= taken;
    if (this.toSkip === 0) this.endBody();
    return taken;
  }

  private fill(chunk: Buffer, offset: number): number {
    const taken = Math.min(blockSize - this.filled, chunk.length - offset);
    chunk.copy(this.block, this.filled, offset, offset + taken);
    this.filled += taken;
    if (this.filled === blockSize) {
      this.filled = 0;
      this.readBlock(this.block);
    }
    return taken;
  }

  private readBlock(block: Buffer): void {
    if (isEmpty(block)) {
      this.emptyBlocks += 1;
      return;
    }
    if (this.emptyBlocks > 0) throw dataBehindEnd();
    if (this.members === 0 && !isHeader(block)) throw new ArchiveProblem('format', 'holds no tar archive');
    this.members += 1;
    const header = this.decode(block);
    if (header.type === 'L' || header.type === 'K' || header.type === 'x' || header.type === 'g') {
      this.beginExtension(header.type, header.size);
    } else this.beginMember(header);
  }

  private decode(block: Buffer): TarHeader {
    try {
      return decodeHeader(block);
    } catch (error) {
      if (!(error instanceof ArchiveProblem) || this.lastName === null) throw error;
      throw new ArchiveProblem(error.kind, `${error.message} (behind the entry ${show(this.lastName)})`);
    }
  }

  private beginExtension(type: Extension, size: number): void {
    if (size > longestExtension) throw new ArchiveProblem('damaged', 'has an extended header of more than 1 MiB');
    this.extension = { type, parts: [] };
    this.beginBody(size);
  }

  private beginBody(size: number): void {
    this.toSkip = padded(size);
    this.padding = this.toSkip - size;
    if (this.toSkip === 0) this.endBody();
  }

  private endBody(): void {
    const { extension } = this;
    if (extension === null) return;
    this.extension = null;
    const body = Buffer.concat(extension.parts);
    if (extension.type === 'L') this.longName = untilNul(body);
    else if (extension.type === 'K') this.longLink = untilNul(body);
    else this.readPax(extension.type, body);
  }

  private readPax(type: 'x' | 'g', body: Buffer): void {
    const records = paxRecords(body);
    for (const [key, value] of records) checkPaxRecord(key, value);
    if (type === 'x') {
      this.pax = records;
      return;
    }
    for (const key of ['path', 'linkpath', 'size']) {
      if (records.has(key)) throw new ArchiveProblem('unsafe', `sets the ${key} of all its entries at once`);
    }
  }

  private beginMember(header: TarHeader): void {
    const { pax } = this;
    const name = pax?.get('path') ?? this.longName ?? header.name;
    this.lastName = name;
    if (pax?.has('path') === true && this.longName !== null && this.longName !== name) {
      throw new ArchiveProblem('unsafe', `gives the entry ${show(name)} a second name, ${show(this.longName)}`);
    }
    const size = pax?.has('size') === true ? Number(pax.get('size')) : header.size;
    const linkName = pax?.get('linkpath') ?? this.longLink ?? header.linkName;
    this.longName = null;
    this.longLink = null;
    this.pax = null;
    this.onEntry(member(header, name, linkName, size));
    this.beginBody(size);
  }
}

function dataBehindEnd(): ArchiveProblem {
  return new ArchiveProblem('damaged', 'has more data behind its end mark');
}

function member(header: TarHeader, name: string, linkName: string, size: number): TarEntry {
  let type = entryTypes[header.type];
  if (type === undefined) {
    const sparse = header.type === 'S' ? ' (a sparse file: pack without --sparse)' : '';
    throw new ArchiveProblem(
      'format',
      `holds ${show(name)} as an entry of kind ${show(header.type)}${sparse}, which not every tar understands`,
    );
  }
  // Old archives mark a folder only by the slash behind its name.
  if (type === 'file' && name.endsWith('/')) type = 'directory';
  if (type !== 'file' && size !== 0) {
    throw new ArchiveProblem(
      'unsafe',
      `gives the ${type} ${show(name)} a content, which tar programs read differently`,
    );
  }
  const isLink = type === 'hard link' || type === 'symbolic link';
  return { type, name, linkName: isLink ? linkName : '', mode: header.mode, size };
}

/** Records `LENGTH KEY=VALUE\n`, where LENGTH counts the bytes of the whole record. An empty value takes a key back. */
function paxRecords(body: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let offset = 0;
  while (offset < body.length) {
    const space = body.indexOf(0x20, offset);
    const digits = space === -1 ? '' : body.toString('latin1', offset, space);
    const end = offset + Number(digits);
    const equals = body.indexOf(0x3d, space);
    const valid = /^[1-9][0-9]{0,6}$/.test(digits) && equals !== -1 && equals < end && body[end - 1] === 0x0a;
    if (!valid || end > body.length) throw new ArchiveProblem('damaged', 'is damaged: it has a broken pax header');
    const key = body.toString('utf8', space + 1, equals);
    const value = body.toString('utf8', equals + 1, end - 1);
    if (value === '') records.delete(key);
    else records.set(key, value);
    offset = end;
  }
  return records;
}

const harmlessCharsets = ['ISO-IR 10646 2000 UTF-8', 'BINARY'];

function checkPaxRecord(key: string, value: string): void {
  if (key.startsWith('GNU.')) {
    throw new ArchiveProblem(
      'format',
      `uses the GNU extension ${show(key)}, which not every tar understands; pack without --sparse`,
    );
  }
  if (key === 'hdrcharset' && !harmlessCharsets.includes(value)) {
    throw new ArchiveProblem('format', `has names in the character set ${show(value)}; only UTF-8 is read`);
  }
  if (key === 'size' && !(/^[0-9]{1,16}$/.test(value) && Number.isSafeInteger(Number(value)))) {
    throw new ArchiveProblem('damaged', `is damaged: a pax header gives the size ${show(value)}`);
  }
}

const emptyBlock = Buffer.alloc(blockSize);

function isEmpty(block: Buffer): boolean {
  return block[0] === 0 && block.equals(emptyBlock);
}

function untilNul(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString('utf8', 0, end === -1 ? body.length : end);
}
