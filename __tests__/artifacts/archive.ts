import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

export type Member = Partial<Header> &
  Pick<Header, 'name'> & { content?: string | Buffer; pax?: Record<string, string> };

/** A tar made by an independent program, with any names and types a test asks for. */
export async function tar(...members: Member[]): Promise<Buffer> {
  const archive = pack();
  for (const { content = '', ...header } of members) archive.entry(header, content);
  archive.finalize();
  return buffer(archive);
}

export async function tarGz(...members: Member[]): Promise<Buffer> {
  return gzipSync(await tar(...members));
}

export const file = (name: string, content: string | Buffer = 'x', mode = 0o644): Member => ({ name, content, mode });
export const folder = (name: string): Member => ({ name, type: 'directory' });
export const symlink = (name: string, linkname: string): Member => ({ name, type: 'symlink', linkname });
export const hardLink = (name: string, linkname: string): Member => ({ name, type: 'link', linkname });

/** Changes header fields of the member at a block and puts the checksum right again. */
export function patchHeader(archive: Buffer, block: number, patch: (header: Buffer) => void): Buffer {
  const copy = Buffer.from(archive);
  const header = copy.subarray(block * 512, block * 512 + 512);
  patch(header);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}
