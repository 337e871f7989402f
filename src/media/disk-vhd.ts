// The footer of a fixed VHD (Virtual Hard Disk Image Format Specification 1.0): read, checked, and freed of what a builder's
// clock and dice put into it. Numbers are big endian.

import { HoldfastError } from '../system/errors.ts';

export const VHD_FOOTER_BYTES = 512;
const COOKIE = 'conectix';
const FIXED = 2;
/** The format counts seconds from here. */
const EPOCH_SECONDS = Date.UTC(2000, 0, 1) / 1000;

const AT = {
  time: 24,
  originalSize: 40,
  currentSize: 48,
  cylinders: 56,
  heads: 58,
  sectors: 59,
  type: 60,
  sum: 64,
  id: 68,
};

export interface VhdFooter {
  timeSeconds: number;
  sizeBytes: number;
  geometry: { cylinders: number; heads: number; sectors: number };
  /** 32 hexadecimal digits. */
  id: string;
}

/**
 * @throws HoldfastError HF-IMAGE for what is no footer of a fixed VHD, or a damaged one.
 */
export function parseVhdFooter(bytes: Uint8Array): VhdFooter {
  const footer = Buffer.from(bytes);
  const wrong = (what: string) => new HoldfastError('HF-IMAGE', `this is no VHD of fixed size: ${what}`);
  if (footer.length !== VHD_FOOTER_BYTES) throw wrong(`its footer has ${footer.length} bytes`);
  if (footer.toString('latin1', 0, 8) !== COOKIE) throw wrong('it has no footer');
  if (footer.readUInt32BE(AT.type) !== FIXED) throw wrong(`its type is ${footer.readUInt32BE(AT.type)}`);
  if (footer.readUInt32BE(AT.sum) !== checksum(footer)) throw wrong('the checksum of its footer is wrong');
  const sizeBytes = Number(footer.readBigUInt64BE(AT.currentSize));
  if (footer.readBigUInt64BE(AT.originalSize) !== BigInt(sizeBytes)) throw wrong('it has two sizes');
  return {
    timeSeconds: footer.readUInt32BE(AT.time) + EPOCH_SECONDS,
    sizeBytes,
    geometry: {
      cylinders: footer.readUInt16BE(AT.cylinders),
      heads: footer.readUInt8(AT.heads),
      sectors: footer.readUInt8(AT.sectors),
    },
    id: footer.toString('hex', AT.id, AT.id + 16),
  };
}

/** A footer with another time and another number, and the checksum that belongs to them. */
export function settleVhdFooter(bytes: Uint8Array, options: { timeSeconds: number; uuid: string }): Buffer {
  parseVhdFooter(bytes);
  const footer = Buffer.from(bytes);
  const seconds = Math.min(Math.max(options.timeSeconds - EPOCH_SECONDS, 0), 0xffffffff);
  footer.writeUInt32BE(seconds, AT.time);
  footer.write(options.uuid.replaceAll('-', ''), AT.id, 'hex');
  footer.writeUInt32BE(checksum(footer), AT.sum);
  return footer;
}

/** The one's complement of the sum of all bytes but its own. */
function checksum(footer: Uint8Array): number {
  let sum = 0;
  footer.forEach((byte, at) => {
    if (at < AT.sum || at >= AT.sum + 4) sum += byte;
  });
  return ~sum >>> 0;
}
