// Which partitions a disk gets.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MIB,
  type PartitionWishes,
  type PlannedPartition,
  planPartitions,
  sfdiskScript,
} from '../../../src/slots/partitions.ts';
import { HoldfastError } from '../../../src/system/errors.ts';

const GIB = 1024 * MIB;
const sizes = (diskBytes: number, slotBytes: number) =>
  Object.fromEntries(planPartitions({ diskBytes, slotBytes }).map(({ name, sizeBytes }) => [name, sizeBytes / MIB]));

test("a large disk gets elemental's default sizes and the rest for the owner", () => {
  expect(sizes(32 * GIB, 1300 * MIB)).toEqual({
    efi: 64,
    oem: 64,
    recovery: 4096,
    state: 8192,
    persistent: 32 * 1024 - 2 - 64 - 64 - 4096 - 8192,
  });
});

test('a small disk gets what the image needs, with room for three slots on STATE and two on RECOVERY', () => {
  const { state, recovery, persistent } = sizes(12 * GIB, 1300 * MIB);
  expect(recovery).toBe(2 * 1300 + 256);
  expect(state).toBeGreaterThanOrEqual(3 * 1300 + 256);
  expect(persistent).toBeGreaterThanOrEqual(512);
});

test('a disk that is too small is refused with both figures', () => {
  expect(() => sizes(4 * GIB, 1300 * MIB)).toThrow(
    'the disk is too small: it has 4096 MiB, and this image needs at least 6354 MiB',
  );
  // Room for one recovery system then.
  expect(sizes(6354 * MIB, 1300 * MIB)).toMatchObject({ recovery: 1300 + 256, state: 3 * 1300 + 256, persistent: 512 });
});

test('a large image gets larger partitions where the disk has room', () => {
  expect(sizes(64 * GIB, 5000 * MIB)).toMatchObject({ recovery: 2 * 5000 + 256, state: 3 * 5000 + 256 });
});

/** Names and sizes in the order on the disk. */
const laidOut = (wishes: PartitionWishes, diskGib = 32) =>
  planPartitions({ diskBytes: diskGib * GIB, slotBytes: GIB, wishes }).map(({ name, sizeBytes }) => [
    name,
    sizeBytes / MIB,
  ]);
const BEFORE = [
  ['efi', 64],
  ['oem', 64],
  ['recovery', 4096],
  ['state', 8192],
];
const REST = 32 * 1024 - 2 - 64 - 64 - 4096 - 8192;

describe('the owner’s sizes and extra partitions', () => {
  test.each<[PartitionWishes, (string | number)[][]]>([
    [{ extra: [{ name: 'data', sizeMib: 100 }] }, [...BEFORE, ['data', 100], ['persistent', REST - 100]]],
    [
      { sizesMib: { persistent: 3000 }, extra: [{ name: 'data', sizeMib: 100 }] },
      [...BEFORE, ['persistent', 3000], ['data', 100]],
    ],
    [
      {
        sizesMib: { persistent: 3000 },
        extra: [
          { name: 'rest', sizeMib: 0 },
          { name: 'data', sizeMib: 100 },
        ],
      },
      [...BEFORE, ['persistent', 3000], ['data', 100], ['rest', REST - 3100]],
    ],
    [{ sizesMib: { persistent: 3000 } }, [...BEFORE, ['persistent', 3000]]],
    [
      { sizesMib: { efi: 100, oem: 200, recovery: 5000, state: 9000, persistent: 0 } },
      [
        ['efi', 100],
        ['oem', 200],
        ['recovery', 5000],
        ['state', 9000],
        ['persistent', 32 * 1024 - 2 - 14300],
      ],
    ],
  ])('%j', (wishes, expected) => {
    expect(laidOut(wishes)).toEqual(expected);
  });

  test('labels and file systems', () => {
    const wishes: PartitionWishes = {
      labels: { state: 'MY_STATE' },
      filesystems: { state: 'ext4', persistent: 'btrfs' },
      extra: [{ name: 'data', sizeMib: 400, label: 'DATA', filesystem: 'xfs' }],
    };
    const made = planPartitions({ diskBytes: 32 * GIB, slotBytes: GIB, wishes });
    expect(made.map(({ label, filesystem }) => [label, filesystem])).toEqual([
      ['COS_GRUB', 'vfat'],
      ['COS_OEM', 'ext4'],
      ['COS_RECOVERY', 'ext4'],
      ['MY_STATE', 'ext4'],
      ['DATA', 'xfs'],
      ['COS_PERSISTENT', 'btrfs'],
    ]);
  });

  test.each<[PartitionWishes, string]>([
    [{ extra: [{ name: 'a', sizeMib: 0 }] }, 'persistent and a are both to take what is left of the disk'],
    [
      {
        sizesMib: { persistent: 1 << 10 },
        extra: [
          { name: 'a', sizeMib: 0 },
          { name: 'b', sizeMib: 0 },
        ],
      },
      'a and b are both to take what is left of the disk',
    ],
    [
      { sizesMib: { state: 3000 } },
      'the partition state is to have 3000 MiB, and needs at least 3328 MiB for three slots: the active, the passive and the next one',
    ],
    [
      { sizesMib: { recovery: 1000 } },
      'the partition recovery is to have 1000 MiB, and needs at least 1280 MiB for the recovery system',
    ],
    [{ sizesMib: { efi: 20 } }, 'the partition efi has 20 MiB: vfat needs at least 34 MiB'],
    [{ filesystems: { efi: 'ext4' } }, "the partition efi can't be ext4: firmware reads nothing else"],
    [{ filesystems: { state: 'btrfs' } }, "the partition state can't be btrfs: GRUB reads the slots there"],
    [{ filesystems: { persistent: 'xfs' } }, 'the label COS_PERSISTENT of the partition persistent is too long'],
    [{ labels: { state: 'COS_OEM' } }, 'two partitions are to have the label COS_OEM'],
    [{ extra: [{ name: 'state', sizeMib: 1 }] }, 'two partitions are to have the name state'],
    [
      { extra: [{ name: 'x', sizeMib: 100, filesystem: 'xfs' }] },
      'the extra partition x has 100 MiB: xfs needs at least 300 MiB',
    ],
    [{ sizesMib: { persistent: 30_000 } }, 'the disk is too small: it has 32768 MiB, and this image needs at least'],
    [{ extra: [{ name: 'x', sizeMib: 40_000 }] }, 'the disk is too small: it has 32768 MiB'],
  ])('%j is refused: %s', (wishes, message) => {
    expect(() => laidOut(wishes)).toThrow(message);
  });

  test('whatever is wished for, the partitions lie on the disk one after the other, or it is refused', () => {
    const size = fc.integer({ min: 0, max: 12_000 });
    const wish = fc.record({
      sizesMib: fc.record(
        { efi: size, oem: size, recovery: size, state: size, persistent: size },
        { requiredKeys: [] },
      ),
      extra: fc.array(size, { maxLength: 4 }).map((all) => all.map((sizeMib, at) => ({ name: `x${at}`, sizeMib }))),
    });
    let planned = 0;
    fc.assert(
      fc.property(
        wish,
        fc.integer({ min: 4, max: 64 }),
        fc.integer({ min: 10, max: 3000 }),
        (wishes, diskGib, slotMib) => {
          let partitions: PlannedPartition[];
          try {
            partitions = planPartitions({ diskBytes: diskGib * GIB, slotBytes: slotMib * MIB, wishes });
          } catch (error) {
            expect(error).toBeInstanceOf(HoldfastError);
            return;
          }
          planned += 1;
          let end = MIB;
          for (const { startBytes, sizeBytes, name } of partitions) {
            expect(startBytes).toBe(end);
            expect(sizeBytes).toBeGreaterThan(0);
            const wished = [
              ...Object.entries(wishes.sizesMib),
              ...wishes.extra.map((one) => [one.name, one.sizeMib] as const),
            ];
            const mine = wished.find(([key]) => key === name)?.[1];
            if (mine) expect(sizeBytes).toBe(mine * MIB);
            end = startBytes + sizeBytes;
          }
          expect(end).toBeLessThanOrEqual(diskGib * GIB - MIB);
          const bytes = Object.fromEntries(partitions.map(({ name, sizeBytes }) => [name, sizeBytes]));
          expect(bytes['state']).toBeGreaterThanOrEqual(3 * slotMib * MIB);
          expect(bytes['recovery']).toBeGreaterThanOrEqual(slotMib * MIB);
        },
      ),
      { numRuns: 500 },
    );
    expect(planned).toBeGreaterThan(10);
  });
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
