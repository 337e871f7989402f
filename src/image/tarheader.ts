// One 512-byte header of a tar stream: v7, POSIX ustar, GNU and star. Names are strings of bytes (latin1), so that a
// name in any encoding goes to the disk as it is in the layer.

import { HoldfastError } from '../system/errors.ts';

export const BLOCK = 512;

/** A header as it stands there, before PAX records and GNU long names change it. */
export interface RawHeader {
  /** The type flag's character; `0` also for the NUL of v7. */
  flag: string;
  /** Bytes as latin1. */
  name: string;
  /** Bytes as latin1. */
  linkName: string;
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  /** Whole seconds since 1970, may be negative. */
  mtimeSeconds: number;
  deviceMajor: number;
  deviceMinor: number;
  /** The whole block, for what only one type uses (the sparse map of old GNU tar). */
  block: Buffer;
}

/** The error for a layer whose tar stream can't be understood. */
export function malformedTar(problem: string): HoldfastError {
  return new HoldfastError('HF-IMAGE', `the tar stream of the layer is malformed: ${problem}`, {
    hint: 'the image was built by a broken tool or was made to do harm; rebuild it',
  });
}

/**
 * Parses a header block; undefined for a block of zeros, of which two end a stream.
 * @throws HoldfastError HF-IMAGE for a wrong checksum or numbers that can't be.
 */
export function parseHeader(block: Buffer): RawHeader | undefined {
  if (!checksumFits(block)) {
    if (isZero(block)) return undefined;
    throw malformedTar('a header has a wrong checksum');
  }
  const magic = block.toString('latin1', 257, 263);
  const isUstar = magic === 'ustar\0';
  const flag = block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0);
  let name = text(block, 0, 100);
  if (isUstar && block[345] !== 0) {
    // star keeps two times behind a shorter prefix, and says so with this trailer.
    const isStar = block.toString('latin1', 508, 512) === 'tar\0';
    name = `${text(block, 345, isStar ? 131 : 155)}/${name}`;
  }
  const hasDevice = isUstar || magic === 'ustar ';
  return {
    flag,
    name,
    linkName: text(block, 157, 100),
    mode: count(block, 100, 8, 'mode') & 0o7777,
    uid: count(block, 108, 8, 'user'),
    gid: count(block, 116, 8, 'group'),
    sizeBytes: count(block, 124, 12, 'size'),
    mtimeSeconds: number(block, 136, 12, 'time'),
    deviceMajor: hasDevice ? count(block, 329, 8, 'device number') : 0,
    deviceMinor: hasDevice ? count(block, 337, 8, 'device number') : 0,
    block,
  };
}

/** A numeric field: octal digits, or GNU's base 256 when its first bit is set. */
export function number(block: Buffer, at: number, length: number, what: string): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = block.toString('latin1', at, at + length).replace(/^[\0 ]+|[\0 ].*$/gs, '');
    if (digits === '') return 0;
    if (!/^[0-7]+$/.test(digits)) throw malformedTar(`a ${what} is no number`);
    return Number.parseInt(digits, 8);
  }
  // Two's complement, big endian; the first bit marks the encoding and the second one is the sign.
  let value = BigInt(first & 0x40 ? (first | 0x80) - 0x100 : first & 0x7f);
  for (let i = at + 1; i < at + length; i++) value = value * 256n + BigInt(block[i] ?? 0);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw malformedTar(`a ${what} is out of range`);
  return result;
}

function count(block: Buffer, at: number, length: number, what: string): number {
  const value = number(block, at, length, what);
  if (value < 0) throw malformedTar(`a ${what} is negative`);
  return value;
}

/** Bytes up to the first NUL. */
function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString('latin1', at, end === -1 || end > at + length ? at + length : end);
}

function checksumFits(block: Buffer): boolean {
  const stated = block.toString('latin1', 148, 156).replace(/^[\0 ]+|[\0 ].*$/gs, '');
  if (!/^[0-7]+$/.test(stated)) return false;
  let unsigned = 8 * 32;
  let signed = 8 * 32;
  for (let i = 0; i < BLOCK; i++) {
    if (i === 148) i = 156;
    const byte = block[i] ?? 0;
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  const wanted = Number.parseInt(stated, 8);
  // Some old tars summed signed bytes.
  return wanted === unsigned || wanted === signed;
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}
