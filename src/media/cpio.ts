// cpio archives in the form that the kernel unpacks as its initramfs ("newc", initramfs/buffer-format in its
// documentation). A reader for what others have packed, and the frame of an archive that carries one large file.

import { HoldfastError } from '../system/errors.ts';
import type { ByteSource } from './byte-source.ts';

const HEADER_BYTES = 110;
const MAGICS = ['070701', '070702'];
const TRAILER = 'TRAILER!!!';
/** The kernel takes no longer ones (PATH_MAX). */
const LONGEST_NAME_BYTES = 4096;
/** An initramfs has some thousand. */
const MOST_ENTRIES = 1_000_000;
/** Sizes have eight hexadecimal digits. */
const LARGEST_FILE_BYTES = 0xffffffff;
/** What boot loaders pad initramfs files to at the most. */
const BLOCK_BYTES = 512;

export interface CpioEntry {
  /** Without a leading `./` or `/`. */
  path: string;
  sizeBytes: number;
  /** Type and permission bits. */
  mode: number;
}

/** Reads an entry's content, at most once, while it is this entry's turn. */
type ReadContent = () => Promise<Buffer>;

/**
 * Reads one archive to its end, which leaves the source behind the trailer.
 * @param source stands at the archive's first byte.
 * @param visit is told every entry in order.
 * @throws HoldfastError HF-IMAGE when it is damaged or ends early.
 */
export async function readCpio(
  source: ByteSource,
  visit: (entry: CpioEntry, read: ReadContent) => Promise<void>,
): Promise<void> {
  for (let count = 0; count < MOST_ENTRIES; count++) {
    const header = await source.exactly(HEADER_BYTES);
    if (header === undefined || !MAGICS.includes(header.toString('latin1', 0, 6))) throw damaged();
    const [mode, sizeBytes, nameBytes] = [field(header, 1), field(header, 6), field(header, 11)];
    if (nameBytes < 1 || nameBytes > LONGEST_NAME_BYTES) throw damaged();
    const name = await source.exactly(nameBytes + padding(HEADER_BYTES + nameBytes));
    if (name === undefined) throw damaged();
    const path = name.toString('utf8', 0, nameBytes - 1).replace(/^(?:\.?\/)+/, '');
    let left = sizeBytes + padding(sizeBytes);
    await visit({ path, sizeBytes, mode }, async () => {
      const content = await source.exactly(sizeBytes);
      if (content === undefined) throw damaged();
      left -= sizeBytes;
      return content;
    });
    if (!(await source.skip(left))) throw damaged();
    if (path === TRAILER) return;
  }
  throw damaged();
}

/** Of thirteen numbers of eight hexadecimal digits each. */
function field(header: Buffer, index: number): number {
  const text = header.toString('latin1', 6 + index * 8, 14 + index * 8);
  if (!/^[0-9a-fA-F]{8}$/.test(text)) throw damaged();
  return Number.parseInt(text, 16);
}

function damaged(): HoldfastError {
  return new HoldfastError('HF-IMAGE', 'the initramfs is no cpio archive, or a damaged one');
}

export interface CpioFile {
  /** Its path in the initramfs, without a leading slash. */
  path: string;
  sizeBytes: number;
  timeSeconds: number;
}

/**
 * What comes before and after the content of an archive's only file. The archive's length is a multiple of 512, so that
 * another one can follow.
 * @throws HoldfastError HF-UNSUPPORTED for a file of 4 GiB and more, which the format can't describe.
 */
export function cpioFrame({ path, sizeBytes, timeSeconds }: CpioFile): { before: Buffer; after: Buffer } {
  if (sizeBytes > LARGEST_FILE_BYTES) {
    throw new HoldfastError('HF-UNSUPPORTED', 'an initramfs can’t carry a file of 4 GiB or more', {
      hint: 'let the machines fetch the root themselves: --root http',
    });
  }
  const before = entry({ path, sizeBytes, timeSeconds, inode: 1, mode: 0o100444 });
  const trailer = entry({ path: TRAILER, sizeBytes: 0, timeSeconds: 0, inode: 0, mode: 0 });
  const gap = padding(sizeBytes);
  const length = before.length + sizeBytes + gap + trailer.length;
  const rest = (BLOCK_BYTES - (length % BLOCK_BYTES)) % BLOCK_BYTES;
  return { before, after: Buffer.concat([Buffer.alloc(gap), trailer, Buffer.alloc(rest)]) };
}

function entry({ path, sizeBytes, timeSeconds, inode, mode }: CpioFile & { inode: number; mode: number }): Buffer {
  const name = Buffer.from(`${path}\0`);
  const numbers = [inode, mode, 0, 0, 1, timeSeconds, sizeBytes, 0, 0, 0, 0, name.length, 0];
  const header = `070701${numbers.map((number) => number.toString(16).toUpperCase().padStart(8, '0')).join('')}`;
  return Buffer.concat([Buffer.from(header), name, Buffer.alloc(padding(HEADER_BYTES + name.length))]);
}

/** To a multiple of four. */
function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}
