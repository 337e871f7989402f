// A disk image with a real partition table is made bootable by BIOS with GRUB's own boot.img; what was on it must still be
// there. That it boots is shown in test/vm.

import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installBiosBoot } from '../../../src/boot/bios-boot.ts';
import { openDisk, readPartitions, writePartitionTable } from '../../../src/slots/disk.ts';
import { BIOS_PARTITION, planPartitions } from '../../../src/slots/partitions.ts';
import { runChecked } from '../../../src/system/process.ts';

let directory = '';
let disk = '';
const bootImage = readFileSync('/usr/lib/grub/i386-pc/boot.img');
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-bios-'));
  disk = join(directory, 'disk.img');
  writeFileSync(disk, '');
  truncateSync(disk, 4096 * 2 ** 20);
  const partitions = planPartitions({ diskBytes: 4096 * 2 ** 20, slotBytes: 2 ** 27 });
  await writePartitionTable(await openDisk(disk), partitions, { bios: true });
});
afterEach(() => rmSync(directory, { recursive: true }));

function firstMib(): Buffer {
  const bytes = Buffer.alloc(2 ** 20);
  const fd = openSync(disk, 'r');
  readSync(fd, bytes);
  closeSync(fd);
  return bytes;
}

test('the partition for it is the last one, and the first five are where they are without it', async () => {
  const found = await readPartitions(await openDisk(disk));
  expect(found.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(found[0]).toMatchObject({ startBytes: 2 ** 20 });
  expect(found[5]).toMatchObject({ startBytes: 34 * 512, sizeBytes: 2014 * 512 });
  const table: unknown = JSON.parse(await runChecked(['sfdisk', '--json', disk]));
  expect(table).toMatchObject({
    partitiontable: {
      partitions: [{ name: 'efi' }, {}, {}, {}, {}, { name: 'bios', type: '21686148-6449-6E6F-744E-656564454649' }],
    },
  });
});

test('boot sector and core image are written, and the table is as it was', async () => {
  const table = await runChecked(['sfdisk', '--dump', disk]);
  const before = firstMib();
  const coreImage = Buffer.alloc(3000, 0xc0);
  installBiosBoot({ disk, bootImage, coreImage, partition: BIOS_PARTITION });
  const after = firstMib();
  expect(await runChecked(['sfdisk', '--dump', disk])).toBe(table);
  await runChecked(['sfdisk', '--verify', disk]);
  expect(after.subarray(0, 3)).toEqual(bootImage.subarray(0, 3));
  expect(after.subarray(0x1b8, 0x1fe)).toEqual(before.subarray(0x1b8, 0x1fe));
  expect(after.readBigUInt64LE(0x5c)).toBe(34n);
  expect(after.readBigUInt64LE(34 * 512 + 0x1f4)).toBe(35n);
  expect(after.subarray(34 * 512 + 512, 34 * 512 + 3000)).toEqual(coreImage.subarray(512));
});

test('a core image that doesn’t fit is refused before anything is written', () => {
  const before = firstMib();
  expect(() =>
    installBiosBoot({ disk, bootImage, coreImage: Buffer.alloc(2 ** 20), partition: BIOS_PARTITION }),
  ).toThrow('has 1048576 bytes, and its partition 1031168');
  expect(firstMib().equals(before)).toBe(true);
});
