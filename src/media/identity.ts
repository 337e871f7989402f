// The numbers that file systems and partition tables want to be unique, worked out from what is in a medium instead of
// drawn: the same content with the same options is the same medium, byte for byte, whoever builds it and when.

import { createHash } from 'node:crypto';

export interface IdentityOptions {
  /** What the content is: {@link SystemTree.seed}, or any text that says the same. */
  seed: string;
  /** What carries the number, such as `iso` or `disk state`: two parts of one medium must differ. */
  purpose: string;
  /** What else makes it another medium; the order of the keys doesn't matter. */
  options?: Readonly<Record<string, unknown>> | undefined;
}

/** A UUID of version 8 (RFC 9562: made by an own rule), in lower case. */
export function mediumUuid(identity: IdentityOptions): string {
  const bytes = digestOf(identity).subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The serial number of a FAT file system as mkfs.fat(8) takes it with `-i`: eight hexadecimal digits. */
export function fatSerial(identity: IdentityOptions): string {
  return digestOf(identity).subarray(16, 20).toString('hex').toUpperCase();
}

/** As blkid(8) shows the serial number of a FAT file system as its UUID: `1A2B-3C4D`. */
export function fatUuid(serial: string): string {
  return `${serial.slice(0, 4)}-${serial.slice(4)}`;
}

function digestOf({ seed, purpose, options = {} }: IdentityOptions): Buffer {
  const sorted = Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([seed, purpose, sorted]))
    .digest();
}
