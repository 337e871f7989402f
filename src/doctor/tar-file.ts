// A tar file (POSIX ustar) in memory, packed with gzip: for a report, which is small. The same members give the same bytes.

import { gzipSync } from 'node:zlib';

export interface TarMember {
  /** Relative, at most 100 bytes. */
  name: string;
  content: Uint8Array;
  /** Seconds since 1970. */
  modifiedAt: number;
}

const BLOCK = 512;

/** @throws RangeError for a name that ustar's first field has no room for. */
export function tarGz(members: readonly TarMember[]): Buffer {
  const blocks = members.flatMap((member) => [headerOf(member), padded(member.content)]);
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), { level: 9 });
}

function headerOf({ name, content, modifiedAt }: TarMember): Buffer {
  const header = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(name) > 100) throw new RangeError(`the name ${name} is too long for a tar file`);
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  header.write(name, 0, 'utf8');
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.length, 124, 12);
  octal(Math.max(0, Math.floor(modifiedAt)), 136, 12);
  header.write('        0', 148, 'latin1');
  header.write('ustar\u000000root', 257, 'latin1');
  header.write('root', 297, 'latin1');
  // POSIX: the sum of all bytes with the field itself as spaces, six digits, NUL, space.
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function padded(content: Uint8Array): Buffer {
  return Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}
