// What a layout does to a disk, decided without one: places, sizes, order, what is left alone and what is refused.

import { describe, expect, it, test } from 'vitest';
import { MIB } from '../../../../src/slots/partitions.ts';
import { URL_NAMESPACE, uuidV5 } from '../../../../src/stages/layout/uuid.ts';
import { afterAction, applied, DISK_ID, type Layout, modelDisk, planOf, tableText } from './model-disk.ts';

const oem = { startMib: 1, sizeMib: 64, name: 'oem', type: 'ext4', label: 'COS_OEM' };
const data = { startMib: 65, sizeMib: 100, name: 'data', type: 'ext4', label: 'DATA' };
const kinds = (layout: Layout, disk = modelDisk(1024, [oem, data])) =>
  planOf(layout, disk).actions.map(({ kind }) => kind);

describe('adding', () => {
  test('partitions follow the last one, each with exactly the size that was asked for', () => {
    const layout: Layout = {
      add_partitions: [
        { fsLabel: 'A', pLabel: 'a', size: 100 },
        { fsLabel: 'B', size: 33 },
      ],
    };
    expect(tableText(applied(layout, modelDisk(1024, [oem])))).toEqual([
      '1 oem 1+64 ext4 COS_OEM',
      '2 a 65+100 ext4 A',
      '3 - 165+33 ext4 B',
    ]);
  });

  test('size 0 takes all that is left, in whole MiB', () => {
    const disk = applied({ add_partitions: [{ fsLabel: 'A' }] }, modelDisk(1024, [oem]));
    expect(tableText(disk)[1]).toBe('2 - 65+958 ext4 A');
  });

  test('each is written as in progress, formatted, and then given its type and name', () => {
    const { actions } = planOf({ add_partitions: [{ fsLabel: 'A', pLabel: 'a', size: 64 }] }, modelDisk(512, [oem]));
    expect(actions.map(({ kind, summary }) => `${kind}: ${summary}`)).toEqual([
      'add: add the partition A (ext4, 64 MiB) as partition 2 of /dev/sdx',
      'format: format the partition A (ext4, 64 MiB)',
      'finish: give partition 2 its type and name',
    ]);
    const [add, , finish] = actions;
    expect(add).toMatchObject({ partition: { typeId: expect.stringMatching(/^484F4C44-4641-5354-/) } });
    expect(add).not.toHaveProperty('partition.name');
    expect(finish).toMatchObject({ partition: { typeId: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', name: 'a' } });
  });

  test('one that is not formatted is written as it stays', () => {
    expect(kinds({ add_partitions: [{ pLabel: 'raw', size: 10, filesystem: '-' }] })).toEqual(['add']);
  });

  it.each<[string, Layout['add_partitions'], string[]]>([
    ['by its fsLabel', [{ fsLabel: 'DATA', size: 300 }], []],
    ['by its pLabel', [{ pLabel: 'data', fsLabel: 'OTHER', size: 300 }], []],
    ['not by an empty label', [{ size: 300 }], ['add', 'format', 'finish']],
    ['not by the partition name where a filesystem label is asked', [{ fsLabel: 'data' }], ['add', 'format', 'finish']],
  ])('what is there is known %s', (_, entries, expected) => {
    expect(kinds({ add_partitions: entries ?? [] })).toEqual(expected);
  });

  test('a FAT label has no case', () => {
    const esp = { startMib: 1, sizeMib: 64, type: 'vfat', label: 'COS_GRUB' };
    expect(kinds({ add_partitions: [{ fsLabel: 'cos_grub', filesystem: 'vfat' }] }, modelDisk(512, [esp]))).toEqual([]);
  });

  test('a label that two entries have is made once', () => {
    const layout: Layout = {
      add_partitions: [
        { fsLabel: 'A', size: 64 },
        { fsLabel: 'A', size: 32 },
      ],
    };
    const start = modelDisk(512, [oem]);
    expect(planOf(layout, start).warnings).toEqual([
      'layout: add_partitions[1]: an entry before it has the same label, so it is taken for the same partition',
    ]);
    const disk = applied(layout, start);
    expect(tableText(disk)).toHaveLength(2);
    expect(planOf(layout, disk).actions).toEqual([]);
  });

  it.each([['gpt'], ['dos']] as const)('entries without any label are made once each (%s)', (kind) => {
    const layout: Layout = { add_partitions: [{ size: 64 }, { size: 64 }, { size: 0, filesystem: 'swap' }] };
    const disk = applied(layout, modelDisk(512, [oem], { kind }));
    expect(tableText(disk)).toHaveLength(4);
    expect(planOf(layout, disk).actions).toEqual([]);
  });

  test('numbers go on after the highest, also when one in between is free', () => {
    const disk = modelDisk(512, [
      { ...oem, number: 1 },
      { ...data, number: 5 },
    ]);
    expect(tableText(applied({ add_partitions: [{ fsLabel: 'A', size: 64 }] }, disk))[2]).toBe('6 - 165+64 ext4 A');
  });
});

describe('the type of a new partition', () => {
  const esp = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
  it.each([
    ['gpt', { filesystem: 'ext4' }, { typeId: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' }],
    ['gpt', { filesystem: 'vfat' }, { typeId: esp }],
    ['gpt', { filesystem: 'vfat', bootable: true }, { typeId: esp, attributes: 'RequiredPartition' }],
    ['gpt', { filesystem: 'swap' }, { typeId: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F' }],
    [
      'gpt',
      { filesystem: '-', bootable: true },
      { typeId: '21686148-6449-6E6F-744E-656564454649', attributes: 'LegacyBIOSBootable' },
    ],
    ['dos', { filesystem: 'xfs' }, { typeId: '83' }],
    ['dos', { filesystem: 'btrfs', bootable: true }, { typeId: '83', bootable: true }],
    ['dos', { filesystem: 'fat32' }, { typeId: 'c' }],
    ['dos', { filesystem: 'vfat', bootable: true }, { typeId: 'ef', bootable: true }],
    ['dos', { filesystem: 'swap' }, { typeId: '82' }],
  ] as const)('%s, %j', (kind, entry, expected) => {
    const { actions } = planOf({ add_partitions: [{ ...entry, size: 320 }] }, modelDisk(1024, [oem], { kind }));
    expect(actions.at(-1)).toMatchObject({ partition: expected });
  });
});

describe('expanding', () => {
  test('the partition first, then its filesystem', () => {
    const { actions } = planOf({ expand_partition: { size: 0 } }, modelDisk(1024, [oem, data]));
    expect(actions.map(({ summary }) => summary)).toEqual([
      'grow partition 2 of /dev/sdx from 100 MiB to 958 MiB',
      'grow the ext4 on partition 2 of /dev/sdx',
    ]);
  });

  test('to a size', () => {
    const disk = applied({ expand_partition: { size: 200 } }, modelDisk(1024, [oem, data]));
    expect(tableText(disk)[1]).toBe('2 data 65+200 ext4 DATA');
  });

  test('nothing to grow is success, without a warning', () => {
    const full = modelDisk(166, [oem, data]);
    expect(planOf({ expand_partition: { size: 0 } }, full)).toMatchObject({ actions: [], warnings: [] });
    expect(planOf({ expand_partition: { size: 100 } }, full)).toMatchObject({ actions: [], warnings: [] });
  });

  test('a filesystem that an interrupted run left smaller than its partition grows', () => {
    const disk = modelDisk(166, [oem, { ...data, filesystemMib: 50 }]);
    expect(kinds({ expand_partition: { size: 0 } }, disk)).toEqual(['grow-filesystem']);
  });

  test('it is never shrunk', () => {
    const { actions, warnings } = planOf({ expand_partition: { size: 50 } }, modelDisk(1024, [oem, data]));
    expect(actions).toEqual([]);
    expect(warnings).toEqual([
      'layout: partition 2 of /dev/sdx has 100 MiB, more than the 50 MiB of expand_partition; it is never shrunk',
    ]);
  });

  test('the last one on the disk is meant, not the one with the highest number', () => {
    const disk = modelDisk(1024, [
      { ...data, number: 1 },
      { ...oem, number: 2 },
    ]);
    expect(tableText(applied({ expand_partition: {} }, disk))[0]).toBe('1 data 65+958 ext4 DATA');
  });

  it.each(['swap', 'vfat', 'crypto_LUKS', 'several signatures'])('%s is refused', (type) => {
    const disk = modelDisk(1024, [oem, { ...data, type }]);
    expect(() => planOf({ expand_partition: {} }, disk)).toThrow(`it holds ${type}, which can't grow`);
  });

  test('a partition without a filesystem grows alone, and that is said', () => {
    const disk = modelDisk(1024, [oem, { startMib: 65, sizeMib: 100 }]);
    const { actions, warnings } = planOf({ expand_partition: {} }, disk);
    expect(actions.map(({ kind }) => kind)).toEqual(['grow-partition']);
    expect(warnings).toHaveLength(1);
  });

  test('while it is mounted from the kernel, its mount point is used', () => {
    const uses = [
      { what: '/dev/sdx2 is mounted at /data', startBytes: 65 * MIB, sizeBytes: 100 * MIB, mountPoint: '/data' },
    ];
    const { actions } = planOf({ expand_partition: {} }, modelDisk(1024, [oem, data], { uses }));
    expect(actions[1]).toMatchObject({ kind: 'grow-filesystem', mountPoint: '/data' });
  });

  test('while it is used in another way it is refused', () => {
    const uses = [{ what: '/dev/sdx2 is used by /dev/dm-0', startBytes: 65 * MIB, sizeBytes: 100 * MIB }];
    const disk = modelDisk(1024, [oem, data], { uses });
    expect(() => planOf({ expand_partition: {} }, disk)).toThrow('used like this: /dev/sdx2 is used by /dev/dm-0');
  });

  test('a logical partition is refused', () => {
    const disk = modelDisk(
      1024,
      [oem, { startMib: 65, sizeMib: 200, typeId: '5' }, { ...data, number: 5, startMib: 66 }],
      { kind: 'dos' },
    );
    expect(() => planOf({ expand_partition: {} }, disk)).toThrow('extended partition, or a logical one');
  });
});

describe('adding and expanding in one layout', () => {
  const add_partitions = [{ fsLabel: 'NEW', size: 100 }];

  test('a size is for the partition that is there: it grows before the new one follows (Elemental)', () => {
    const layout: Layout = { add_partitions, expand_partition: { size: 300 } };
    const disk = applied(layout, modelDisk(1024, [oem, data]));
    expect(tableText(disk).slice(1)).toEqual(['2 data 65+300 ext4 DATA', '3 - 365+100 ext4 NEW']);
    // On the next boot it is still that partition which is meant.
    expect(planOf(layout, disk)).toMatchObject({ actions: [], warnings: [] });
  });

  test('all that is left is for the last one after adding (yip)', () => {
    const layout: Layout = { add_partitions, expand_partition: { size: 0 } };
    const disk = applied(layout, modelDisk(1024, [oem, data]));
    expect(tableText(disk).slice(1)).toEqual(['2 data 65+100 ext4 DATA', '3 - 165+858 ext4 NEW']);
    expect(planOf(layout, disk).actions).toEqual([]);
  });

  test('on a disk that has nothing else, the size is for the last one that is added (yip)', () => {
    const layout: Layout = { add_partitions, expand_partition: { size: 300 } };
    const disk = applied(layout, modelDisk(1024, undefined));
    expect(tableText(disk)).toEqual(['1 - 1+300 ext4 NEW']);
    expect(planOf(layout, disk).actions).toEqual([]);
  });

  test('a new swap as the last one is refused', () => {
    const layout: Layout = { add_partitions: [{ filesystem: 'swap', size: 64 }], expand_partition: {} };
    expect(() => planOf(layout, modelDisk(1024, [oem]))).toThrow("can't be expanded as the last partition");
  });
});

test('on an msdos table an entry without an fsLabel is refused beside expand_partition', () => {
  const layout: Layout = { add_partitions: [{ pLabel: 'a', size: 64 }], expand_partition: {} };
  expect(() => planOf(layout, modelDisk(512, [oem], { kind: 'dos' }))).toThrow(
    'would not be recognised on the next run',
  );
});

describe('room', () => {
  test('with less than 32 MiB left nothing is added, with a warning, and it is no failure', () => {
    const disk = modelDisk(190, [oem, data]);
    const { actions, warnings } = planOf({ add_partitions: [{ fsLabel: 'A', size: 10 }] }, disk);
    expect(actions).toEqual([]);
    expect(warnings).toEqual([
      'layout: /dev/sdx has 24 MiB left, less than 32 MiB: the partition A (ext4, 10 MiB) not added',
    ]);
  });

  it.each<[string, Layout, string]>([
    [
      'what is added',
      {
        add_partitions: [
          { fsLabel: 'A', size: 500 },
          { fsLabel: 'B', size: 500 },
        ],
      },
      '/dev/sdx is too small for the partition B (ext4, 500 MiB): the missing partitions need 1000 MiB, 858 MiB are left on it',
    ],
    [
      'what follows one that takes all',
      {
        add_partitions: [
          { fsLabel: 'A', size: 0 },
          { fsLabel: 'B', size: 50 },
        ],
      },
      '/dev/sdx is too small for the partition B (ext4, 50 MiB)',
    ],
    [
      'what is expanded',
      { expand_partition: { size: 1000 } },
      "partition 2 of /dev/sdx can't grow to 1000 MiB: it has 100 MiB, and 858 MiB are left behind it",
    ],
  ])('too little for %s is an error with the figures', (_, layout, message) => {
    expect(() => planOf(layout, modelDisk(1024, [oem, data]))).toThrow(message);
  });

  test('a partition that its filesystem does not fit in is an error', () => {
    const layout: Layout = { add_partitions: [{ filesystem: 'btrfs', size: 64 }] };
    expect(() => planOf(layout, modelDisk(1024, [oem]))).toThrow('is too small: btrfs needs 109 MiB');
  });

  test('a btrfs that would stay below what the kernel resizes to is an error', () => {
    const disk = modelDisk(1024, [oem, { ...data, type: 'btrfs', sizeMib: 120 }]);
    expect(() => planOf({ expand_partition: { size: 200 } }, disk)).toThrow('a btrfs takes no new size below 256 MiB');
  });

  test('an msdos table has four', () => {
    const layout: Layout = { add_partitions: [1, 2, 3, 4].map((n) => ({ fsLabel: `P${n}`, size: 10 })) };
    expect(() => planOf(layout, modelDisk(1024, [oem], { kind: 'dos' }))).toThrow(
      '/dev/sdx would get 5 partitions, its table (dos) has room for 4',
    );
  });
});

describe('an interrupted run', () => {
  const layout: Layout = {
    add_partitions: [
      { fsLabel: 'A', pLabel: 'a', size: 64 },
      { pLabel: 'b', size: 32, filesystem: 'swap' },
      { size: 16 },
      { fsLabel: 'C', size: 0, filesystem: 'vfat' },
    ],
  };

  it.each(['gpt', 'dos'] as const)('is completed from wherever it stopped (%s)', (kind) => {
    const start = modelDisk(512, kind === 'dos' ? [] : [oem], { kind });
    const { actions } = planOf(layout, start);
    const wanted = tableText(actions.reduce(afterAction, start));
    for (let stop = 0; stop <= actions.length; stop++) {
      const stopped = actions.slice(0, stop).reduce(afterAction, start);
      expect(tableText(applied(layout, stopped))).toEqual(wanted);
    }
  });

  test('what was labelled already is not formatted again', () => {
    const start = modelDisk(512, [oem]);
    const { actions } = planOf(layout, start);
    const stopped = actions.slice(0, 2).reduce(afterAction, start);
    expect(planOf(layout, stopped).actions[0]?.kind).toBe('finish');
  });

  test('what is mounted by now is not formatted', () => {
    const start = modelDisk(512, [oem]);
    const { actions } = planOf(layout, start);
    const stopped = actions.slice(0, 1).reduce(afterAction, start);
    const uses = [
      { what: '/dev/sdx2 is mounted at /mnt', startBytes: 65 * MIB, sizeBytes: 64 * MIB, mountPoint: '/mnt' },
    ];
    expect(() => planOf(layout, { ...stopped, uses })).toThrow("can't be formatted: /dev/sdx2 is mounted at /mnt");
  });

  test('what no entry asks for any more is left alone and named', () => {
    const start = modelDisk(512, [oem]);
    const stopped = planOf(layout, start).actions.slice(0, 1).reduce(afterAction, start);
    const { actions, warnings } = planOf({ add_partitions: [{ fsLabel: 'COS_OEM' }] }, stopped);
    expect(actions).toEqual([]);
    expect(warnings[0]).toMatch(/^layout: partition 2 was begun by a run that was interrupted/);
  });

  test('one that was begun is grown before it is formatted when it is the last to be expanded', () => {
    const start = modelDisk(512, [oem]);
    const begun = planOf({ add_partitions: [{ fsLabel: 'A', size: 64 }] }, start)
      .actions.slice(0, 1)
      .reduce(afterAction, start);
    const both: Layout = { add_partitions: [{ fsLabel: 'A', size: 64 }], expand_partition: {} };
    expect(kinds(both, begun)).toEqual(['grow-partition', 'format', 'finish']);
    expect(tableText(applied(both, begun))[1]).toBe('2 - 65+446 ext4 A');
  });
});

describe('the table', () => {
  const init: Layout = { device: { path: '/dev/sdx', init_disk: true, disk_name: 'DATA' } };

  test('an empty disk gets one when partitions are to be added', () => {
    const { actions } = planOf({ add_partitions: [{ fsLabel: 'A' }] }, modelDisk(512, undefined));
    expect(actions[0]).toMatchObject({ kind: 'create-table', id: DISK_ID });
  });

  test('a disk that only has no table is not overwritten', () => {
    const disk = modelDisk(512, undefined, { blank: false });
    expect(() => planOf({ add_partitions: [{ fsLabel: 'A' }] }, disk)).toThrow('/dev/sdx has no partition table');
    expect(() => planOf({ expand_partition: {} }, modelDisk(512, undefined))).toThrow('has no partition table');
  });

  test('init_disk is applied once: the GUID says that it was', () => {
    const disk = applied(init, modelDisk(512, [oem]));
    expect(disk.table?.id).toBe(uuidV5(URL_NAMESPACE, 'DATA'));
    expect(tableText(disk)).toEqual([]);
    const used = applied({ ...init, add_partitions: [{ fsLabel: 'A' }] }, disk);
    expect(planOf(init, used).actions).toEqual([]);
  });

  test('init_disk leaves a disk alone that has what it adds, whatever its GUID', () => {
    const { actions, warnings } = planOf(
      { ...init, add_partitions: [{ fsLabel: 'DATA' }] },
      modelDisk(512, [oem, data]),
    );
    expect(actions).toEqual([]);
    expect(warnings[0]).toMatch(/^layout: \/dev\/sdx is not initialised: it has the partition DATA/);
  });

  test('init_disk is refused while anything of the disk is used', () => {
    const uses = [{ what: '/dev/sdx1 is mounted at /oem', startBytes: MIB, sizeBytes: 64 * MIB, mountPoint: '/oem' }];
    expect(() => planOf(init, modelDisk(512, [oem], { uses }))).toThrow(
      '/dev/sdx gets no new partition table: /dev/sdx1 is mounted at /oem',
    );
  });

  test('a damaged one is refused, init_disk or not', () => {
    const disk = modelDisk(512, [oem], { damaged: 'both copies are damaged' });
    expect(() => planOf(init, disk)).toThrow('/dev/sdx: both copies are damaged; nothing was changed');
  });

  test('nothing is put where the kernel still uses a partition that the table does not have any more', () => {
    const uses = [
      { what: '/dev/sdx3 is mounted at /old', startBytes: 200 * MIB, sizeBytes: 64 * MIB, mountPoint: '/old' },
    ];
    const disk = modelDisk(512, [oem, data], { uses });
    expect(() => planOf({ add_partitions: [{ fsLabel: 'A' }] }, disk)).toThrow("can't be added: /dev/sdx3 is mounted");
    expect(() => planOf({ expand_partition: {} }, disk)).toThrow("can't be expanded: /dev/sdx3 is mounted");
  });
});
