// Which partitions a disk gets.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MIB, planPartitions, sfdiskScript } from '../../../src/slots/partitions.ts';

const GIB = 1024 * MIB;
const sizes = (diskBytes: number, slotBytes: number) =>
  Object.fromEntries(planPartitions({ diskBytes, slotBytes }).map(({ role, sizeBytes }) => [role, sizeBytes / MIB]));

test("a large disk gets elemental's default sizes and the rest for the owner", () => {
  expect(sizes(32 * GIB, 1300 * MIB)).toEqual({
    efi: 64,
    oem: 64,
    recovery: 4096,
    state: 8192,
    persistent: 32 * 1024 - 2 - 64 - 64 - 4096 - 8192,
  });
});

test('a small disk gets what the image needs, with room for three slots on STATE', () => {
  const { state, recovery, persistent } = sizes(12 * GIB, 1300 * MIB);
  expect(recovery).toBe(1300 + 256);
  expect(state).toBeGreaterThanOrEqual(3 * 1300 + 256);
  expect(persistent).toBeGreaterThanOrEqual(512);
});

test('a disk that is too small is refused with both figures', () => {
  expect(() => sizes(4 * GIB, 1300 * MIB)).toThrow(
    'the disk is too small: it has 4096 MiB, and this image needs at least 6354 MiB',
  );
  expect(() => sizes(6354 * MIB, 1300 * MIB)).not.toThrow();
});

test('partitions follow each other in order, aligned, and leave room for both tables', () => {
  fc.assert(
    fc.property(fc.integer({ min: 9, max: 4096 }), fc.integer({ min: 64, max: 2000 }), (diskGib, slotMib) => {
      const partitions = planPartitions({ diskBytes: diskGib * GIB, slotBytes: slotMib * MIB });
      let end = MIB;
      for (const { startBytes, sizeBytes } of partitions) {
        expect(startBytes).toBe(end);
        expect(sizeBytes).toBeGreaterThan(0);
        end = startBytes + sizeBytes;
      }
      expect(end).toBe(diskGib * GIB - MIB);
    }),
  );
});

test('GRUB for BIOS gets the free space before the first partition, as the last one', () => {
  const partitions = planPartitions({ diskBytes: 32 * GIB, slotBytes: GIB });
  const [plain, bios] = [sfdiskScript(partitions), sfdiskScript(partitions, { bios: true })];
  const entry = 'start=34, size=2014, type=21686148-6449-6E6F-744E-656564454649, name="bios"';
  expect(bios).toBe(plain.replace('unit: sectors\n', 'unit: sectors\nfirst-lba: 34\n').concat(`${entry}\n`));
  const [first] = partitions;
  expect((34 + 2014) * 512).toBe(first?.startBytes);
});

test('the script names each partition by its role', () => {
  const script = sfdiskScript(planPartitions({ diskBytes: 32 * GIB, slotBytes: GIB }));
  expect(script.split('\n').slice(0, 4)).toEqual([
    'label: gpt',
    'unit: sectors',
    'start=2048, size=131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="efi"',
    'start=133120, size=131072, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name="oem"',
  ]);
});
