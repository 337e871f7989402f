// The first chunk of a COW: 16 bytes of header (kernel: struct disk_header). The kernel takes a first word of 0 for a new
// COW and overwrites whatever follows, an ext superblock for one; so blank means more here than that one word.

import { CHUNK_SECTORS } from './cow-geometry.ts';

/** `SnAp`, little endian. */
export const COW_MAGIC = 0x70416e53;
export const COW_VERSION = 1;
/** How much of a file decides what it is: dracut's reset zeroes 64 KiB, and btrfs has its superblock right behind. */
export const START_BYTES = 68 * 1024;
const ZEROED_BYTES = 64 * 1024;
const MIN_CHUNK_SECTORS = 8;
const MAX_CHUNK_SECTORS = 2048;

export type CowStart =
  /** Nothing is in it: the kernel will begin a new COW. */
  | { kind: 'blank' }
  | { kind: 'cow'; valid: boolean; chunkSectors: number }
  /** `not-a-cow` holds something else; `bad-header` was a COW and is damaged or of an unknown version. */
  | { kind: 'not-a-cow' | 'bad-header'; message: string };

/** Tells what a file is by its first bytes, {@link START_BYTES} of them or the whole file if it is shorter. */
export function readCowStart(start: Uint8Array): CowStart {
  const view = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  if (view.length < 16) return { kind: 'not-a-cow', message: 'it is too short to be a COW' };
  const magic = view.readUInt32LE(0);
  if (magic !== COW_MAGIC) return readOther(view);
  const [valid, version, chunkSectors] = [view.readUInt32LE(4), view.readUInt32LE(8), view.readUInt32LE(12)];
  if (version !== COW_VERSION) {
    return { kind: 'bad-header', message: `its header says version ${version}, and only ${COW_VERSION} is known` };
  }
  if (valid > 1) return { kind: 'bad-header', message: `its header has ${valid} where 1 means valid` };
  if (!isChunkSize(chunkSectors)) {
    return { kind: 'bad-header', message: `its header says chunks of ${chunkSectors} sectors` };
  }
  return { kind: 'cow', valid: valid === 1, chunkSectors };
}

function isChunkSize(sectors: number): boolean {
  return sectors >= MIN_CHUNK_SECTORS && sectors <= MAX_CHUNK_SECTORS && (sectors & (sectors - 1)) === 0;
}

function readOther(view: Buffer): CowStart {
  const found = SIGNATURES.find(({ at, bytes }) => view.subarray(at, at + bytes.length).equals(bytes));
  if (found !== undefined)
    return { kind: 'not-a-cow', message: `it holds ${found.name}, and that would be overwritten` };
  const end = Math.min(view.length, ZEROED_BYTES);
  if (view.subarray(0, end).every((byte) => byte === 0)) return { kind: 'blank' };
  return { kind: 'not-a-cow', message: 'it holds something that is no COW, and that would be overwritten' };
}

const SIGNATURES: readonly { name: string; at: number; bytes: Buffer }[] = [
  { name: 'an ext file system', at: 1024 + 0x38, bytes: Buffer.from([0x53, 0xef]) },
  { name: 'an XFS file system', at: 0, bytes: Buffer.from('XFSB') },
  { name: 'a btrfs file system', at: 65536 + 0x40, bytes: Buffer.from('_BHRfS_M') },
  { name: 'a LUKS volume', at: 0, bytes: Buffer.from('LUKS\xba\xbe', 'latin1') },
  { name: 'a squashfs', at: 0, bytes: Buffer.from('hsqs') },
  { name: 'swap space', at: 4086, bytes: Buffer.from('SWAPSPACE2') },
  { name: 'an ISO 9660 file system', at: 32769, bytes: Buffer.from('CD001') },
  { name: 'a partition table', at: 510, bytes: Buffer.from([0x55, 0xaa]) },
];

/** The first chunk of a COW, with the rest of it zero. */
export function serialiseCowHeader(chunkSectors: number = CHUNK_SECTORS, options: { valid?: boolean } = {}): Buffer {
  const header = Buffer.alloc(chunkSectors * 512);
  header.writeUInt32LE(COW_MAGIC, 0);
  header.writeUInt32LE((options.valid ?? true) ? 1 : 0, 4);
  header.writeUInt32LE(COW_VERSION, 8);
  header.writeUInt32LE(chunkSectors, 12);
  return header;
}
