// The two places where a BIOS disk is made bootable, as bytes.

import { expect, test } from 'vitest';
import { bootSector, placedCore } from '../../../src/boot/bios-boot.ts';

/** A boot.img of which every byte is known; GRUB's own is tested in test/system/boot. */
function bootImage(): Buffer {
  const image = Buffer.alloc(512, 0xb0);
  image.writeUInt16BE(0x55aa, 510);
  return image;
}

test('a boot sector keeps the disk’s parameter block, id and protective table', () => {
  const old = Buffer.from(Array.from({ length: 512 }, (_, index) => index & 0xff));
  const sector = bootSector(bootImage(), old, 0x1_2345_6789);
  expect(sector.subarray(0, 3)).toEqual(Buffer.alloc(3, 0xb0));
  expect(sector.subarray(0x03, 0x5a)).toEqual(old.subarray(0x03, 0x5a));
  expect(sector.subarray(0x5a, 0x5c)).toEqual(Buffer.alloc(2, 0xb0));
  expect(sector.subarray(0x5c, 0x64).toString('hex')).toBe('8967452301000000');
  expect(sector.subarray(0x64, 0x68).toString('hex')).toBe('ffb09090');
  expect(sector.subarray(0x68, 0x1b8)).toEqual(Buffer.alloc(0x150, 0xb0));
  expect(sector.subarray(0x1b8, 0x1fe)).toEqual(old.subarray(0x1b8, 0x1fe));
  expect(sector.subarray(0x1fe).toString('hex')).toBe('55aa');
});

test('a core image is padded to sectors and knows where its second one is', () => {
  const placed = placedCore(Buffer.alloc(1300, 1), 34);
  expect(placed.length).toBe(1536);
  expect(placed.readBigUInt64LE(0x1f4)).toBe(35n);
  expect(placed.subarray(0, 0x1f4)).toEqual(Buffer.alloc(0x1f4, 1));
  expect(placed.subarray(1300)).toEqual(Buffer.alloc(236));
});

test.each<[string, () => unknown, string]>([
  ['a short boot.img', () => bootSector(Buffer.alloc(511), Buffer.alloc(512), 34), 'boot.img is not GRUB’s'],
  [
    'a boot.img without signature',
    () => bootSector(Buffer.alloc(512), Buffer.alloc(512), 34),
    'boot.img is not GRUB’s',
  ],
  ['a disk without sectors', () => bootSector(bootImage(), Buffer.alloc(0), 34), 'no first sector'],
  ['a core.img of one sector', () => placedCore(Buffer.alloc(512), 34), 'core.img is not GRUB’s'],
])('%s is refused', (_, make, message) => {
  expect(make).toThrow(message);
});
