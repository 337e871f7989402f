// Whatever is asked of whatever disk: nothing overlaps, nothing that is there moves or shrinks or is formatted, a second
// run has nothing to do, and a run that stops anywhere is completed by the next one.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MIB } from '../../../../src/slots/partitions.ts';
import type { FoundDisk } from '../../../../src/stages/layout/space.ts';
import { HoldfastError } from '../../../../src/system/errors.ts';
import { afterAction, type Layout, type ModelPartition, modelDisk, planOf, tableText } from './model-disk.ts';

const existing: fc.Arbitrary<ModelPartition[]> = fc
  .array(
    fc.record({
      gapMib: fc.integer({ min: 0, max: 8 }),
      sizeMib: fc.integer({ min: 1, max: 200 }),
      name: fc.option(fc.constantFrom('a', 'b', 'data'), { nil: undefined }),
      type: fc.constantFrom(undefined, 'ext4', 'xfs', 'btrfs', 'vfat', 'swap', 'crypto_LUKS'),
      label: fc.constantFrom(undefined, 'A', 'B', 'DATA'),
    }),
    { maxLength: 4 },
  )
  .map((parts) => {
    let startMib = 1;
    return parts.map(({ gapMib, ...part }) => {
      const placed = { startMib: startMib + gapMib, ...part };
      startMib = placed.startMib + part.sizeMib;
      const { name, type, label, sizeMib } = placed;
      return {
        startMib: placed.startMib,
        sizeMib,
        ...(name && { name }),
        ...(type && { type }),
        ...(type && label && { label }),
      };
    });
  });

const size = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400 }));
const layout: fc.Arbitrary<Layout> = fc
  .record({
    add_partitions: fc.array(
      fc.record({
        fsLabel: fc.constantFrom('', 'A', 'B', 'C', 'D'),
        pLabel: fc.constantFrom('', 'a', 'c', 'e'),
        filesystem: fc.constantFrom('', 'ext2', 'xfs', 'btrfs', 'vfat', 'swap', '-'),
        bootable: fc.boolean(),
        size,
      }),
      { minLength: 1, maxLength: 4 },
    ),
    expand: fc.option(size, { nil: undefined }),
  })
  .map(({ add_partitions, expand }) => ({
    add_partitions,
    ...(expand === undefined ? {} : { expand_partition: { size: expand } }),
  }));

const disk: fc.Arbitrary<FoundDisk> = fc
  .record({
    parts: existing,
    spareMib: fc.integer({ min: 0, max: 1500 }),
    kind: fc.constantFrom('gpt' as const, 'dos' as const),
  })
  .map(({ parts, spareMib, kind }) => {
    const end = Math.max(1, ...parts.map(({ startMib, sizeMib }) => startMib + sizeMib));
    return modelDisk(end + 2 + spareMib, parts, { kind });
  });

function attempt(wanted: Layout, on: FoundDisk) {
  try {
    return planOf(wanted, on);
  } catch (error) {
    // What can't be done is an error of ours, and there is no plan: nothing is written.
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

test('what is there stays, and what is new has its own place', () => {
  fc.assert(
    fc.property(disk, layout, (before, wanted) => {
      const plan = attempt(wanted, before);
      if (plan === undefined) return;
      const after = plan.actions.reduce(afterAction, before);
      const old = before.table?.partitions ?? [];
      const all = [...(after.table?.partitions ?? [])].sort((a, b) => a.startBytes - b.startBytes);
      for (const [index, { startBytes, sizeBytes }] of all.entries()) {
        expect(startBytes).toBeGreaterThanOrEqual(MIB);
        expect(startBytes + sizeBytes).toBeLessThanOrEqual(all[index + 1]?.startBytes ?? after.table?.endBytes ?? 0);
      }
      for (const partition of old) {
        const same = all.find(({ number }) => number === partition.number);
        expect(same).toMatchObject({ startBytes: partition.startBytes, typeId: partition.typeId });
        expect([same?.name, same?.uuid, same?.filesystem.type]).toEqual([
          partition.name,
          partition.uuid,
          partition.filesystem.type,
        ]);
        expect(same?.sizeBytes).toBeGreaterThanOrEqual(partition.sizeBytes);
      }
      const grown = old.filter(
        ({ number, sizeBytes }) => all.find((p) => p.number === number)?.sizeBytes !== sizeBytes,
      );
      expect(grown.length).toBeLessThanOrEqual(1);
      const formatted = plan.actions.filter(({ kind }) => kind === 'format' || kind === 'finish' || kind === 'add');
      for (const action of formatted) {
        if (action.kind !== 'create-table')
          expect(old.map(({ number }) => number)).not.toContain(action.partition.number);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a second run has nothing to do, and a run that stopped anywhere is completed', () => {
  fc.assert(
    fc.property(disk, layout, fc.nat(), (before, wanted, seed) => {
      const plan = attempt(wanted, before);
      if (plan === undefined) return;
      const after = plan.actions.reduce(afterAction, before);
      expect(planOf(wanted, after).actions).toEqual([]);
      const stopped = plan.actions.slice(0, seed % (plan.actions.length + 1)).reduce(afterAction, before);
      const completed = planOf(wanted, stopped).actions.reduce(afterAction, stopped);
      expect(tableText(completed)).toEqual(tableText(after));
    }),
    { numRuns: 2000 },
  );
});
