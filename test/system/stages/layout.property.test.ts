// Random layouts one after the other on a real disk image that may grow in between: what was on the disk before each is
// there after it, byte for byte but for a filesystem that was expanded, and that one is sound. Takes about half a minute.

import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkFilesystem, type Entry, LayoutDisk, MIB, runLayoutOn } from './layout-disk.ts';

const size = fc.oneof(
  { arbitrary: fc.constant(0), weight: 1 },
  { arbitrary: fc.integer({ min: 2, max: 150 }), weight: 3 },
);
const layout = fc.record(
  {
    add_partitions: fc.array(
      fc.record({
        fsLabel: fc.constantFrom('', 'A', 'B', 'C'),
        pLabel: fc.constantFrom('', 'a', 'b'),
        filesystem: fc.constantFrom('ext4', 'vfat', 'swap', 'btrfs', '-'),
        size,
        bootable: fc.boolean(),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    expand_partition: fc.record({ size }),
  },
  { requiredKeys: ['add_partitions'] },
);
const story = fc.record({
  table: fc.constantFrom('gpt', 'dos'),
  steps: fc.array(fc.record({ layout, growMib: fc.constantFrom(0, 0, 64, 200) }), { minLength: 1, maxLength: 3 }),
});

interface Before {
  entry: Entry;
  checksum: string;
  filesystem: Record<string, string>;
}

async function look(disk: LayoutDisk): Promise<Before[]> {
  const found: Before[] = [];
  for (const entry of await disk.entries()) {
    found.push({ entry, checksum: disk.checksum(entry), filesystem: await disk.probe(entry) });
  }
  return found;
}

test('what is on the disk stays', async () => {
  await fc.assert(
    fc.asyncProperty(story, async ({ table, steps }) => {
      let sizeMib = 250;
      const disk = new LayoutDisk(sizeMib);
      try {
        await disk.table(table === 'gpt' ? 'gpt' : 'dos', 'start=2048, size=8MiB', 'size=30MiB');
        writeNoise(disk, { startMib: 1, sizeMib: 38 });
        for (const { layout: value, growMib } of steps) {
          sizeMib += growMib;
          disk.resize(sizeMib);
          const before = await look(disk);
          const { errors, changed } = await runLayoutOn(disk.file, value);
          const after = await look(disk);
          // What can't be done changes nothing.
          if (errors.length > 0) expect([errors, after, changed]).toEqual([errors, before, []]);
          for (const { entry, checksum, filesystem } of before) {
            const same = after.find((one) => one.entry.number === entry.number);
            expect(same?.entry).toEqual({ ...entry, sizeMib: expect.any(Number) });
            if (same?.entry.sizeMib === entry.sizeMib) {
              expect(same.checksum).toBe(checksum);
            } else if (filesystem['TYPE'] === undefined) {
              expect(disk.checksum(entry)).toBe(checksum);
            } else {
              expect(same?.entry.sizeMib).toBeGreaterThan(entry.sizeMib);
              expect(same?.filesystem['UUID']).toBe(filesystem['UUID']);
              await disk.attached(entry.number, (device) => checkFilesystem(filesystem['TYPE'] ?? '', device));
            }
          }
          if (errors.length > 0) continue;
          expect(await runLayoutOn(disk.file, value)).toMatchObject({ errors: [], changed: [] });
        }
      } finally {
        await disk.remove();
      }
    }),
    { numRuns: 15, endOnFailure: true },
  );
});

/** Partitions of somebody else's: bytes that are no filesystem. */
function writeNoise(disk: LayoutDisk, { startMib, sizeMib }: { startMib: number; sizeMib: number }): void {
  const fd = openSync(disk.file, 'r+');
  try {
    writeSync(fd, randomBytes(sizeMib * MIB), 0, sizeMib * MIB, startMib * MIB);
  } finally {
    closeSync(fd);
  }
}
