// Layouts on real disk images: what sfdisk, blkid and each filesystem's own check say afterwards, with everything that was
// there before intact. Takes about half a minute.

import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, test } from 'vitest';
import { URL_NAMESPACE, uuidV5 } from '../../../src/stages/layout/uuid.ts';
import { listLoops } from '../../../src/system/loopdevices.ts';
import { bindMount, unmount } from '../../../src/system/mounts.ts';
import { runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';
import { checkFilesystem, fill, LayoutDisk, MIB, runDocument, runLayoutOn, UNCHANGED } from './layout-disk.ts';

const disks: LayoutDisk[] = [];
function newDisk(sizeMib: number): LayoutDisk {
  const disk = new LayoutDisk(sizeMib);
  disks.push(disk);
  return disk;
}
afterEach(async () => {
  for (const disk of disks.splice(0)) {
    const { file } = disk;
    await disk.remove();
    expect(listLoops().filter((loop) => loop.file.startsWith(file))).toEqual([]);
  }
});

/** A disk with a small partition "first", and a last one with files in it. */
async function diskWith(type: 'ext4' | 'ext2' | 'xfs' | 'btrfs', sizeMib: number, lastMib: number) {
  const disk = newDisk(sizeMib);
  await disk.table('gpt', 'start=2048, size=16MiB, name=first', `size=${lastMib}MiB, name="last one"`);
  const make = type === 'xfs' || type === 'btrfs' ? ['-q', '-f', '-L', 'LAST'] : ['-q', '-L', 'LAST'];
  await disk.attached(2, (device) => runChecked([`mkfs.${type}`, ...make, device]));
  const intact = await disk.mounted(2, (directory) => fill(directory));
  return { disk, intact };
}

describe('the layout of a machine', () => {
  const text = (file: string) => `
name: "Default partitioning"
stages:
  partitioning:
    - name: "Four partitions"
      layout:
        device:
          path: ${file}
        add_partitions:
          - fsLabel: COS_STATE
            size: 320
            pLabel: state
            # default filesystem is ext4
          - fsLabel: COS_OEM
            size: 64
            pLabel: oem
          - fsLabel: COS_RECOVERY
            size: 128
            pLabel: recovery
            filesystem: ext2
          - fsLabel: COS_PERSISTENT
            pLabel: persistent
            size: 0
`;

  test('four partitions on an empty disk, as the file says; a second run changes nothing', async () => {
    const disk = newDisk(768);
    const result = await runDocument(text(disk.file));
    expect(result).toMatchObject({ outcome: 'ok', errors: [], warnings: [], changed: [disk.file] });
    expect(await disk.summary()).toEqual([
      '1 320 MiB ext4 COS_STATE state',
      '2 64 MiB ext4 COS_OEM oem',
      '3 128 MiB ext2 COS_RECOVERY recovery',
      '4 254 MiB ext4 COS_PERSISTENT persistent',
    ]);
    for (const { number, type } of await disk.entries()) {
      expect(type).toBe('0FC63DAF-8483-4772-8E79-3D69D8477DE4');
      await disk.attached(number, (device) => checkFilesystem('ext4', device));
    }
    const before = disk.fingerprint();
    expect(await runDocument(text(disk.file))).toMatchObject(UNCHANGED);
    expect(disk.fingerprint()).toBe(before);
  });

  test('beside the firmware partition that an installer made', async () => {
    const disk = newDisk(768);
    await disk.table('gpt', 'start=2048, size=64MiB, type=U, name=p.grub');
    await disk.attached(1, (device) => runChecked(['mkfs.fat', '-n', 'COS_GRUB', device]));
    const [grub] = await disk.entries();
    const before = disk.checksum({ startMib: 1, sizeMib: 64 });
    expect(await runDocument(text(disk.file))).toMatchObject({ outcome: 'ok', warnings: [] });
    expect((await disk.summary()).slice(0, 2)).toEqual([
      '1 64 MiB vfat COS_GRUB p.grub',
      '2 320 MiB ext4 COS_STATE state',
    ]);
    expect((await disk.entries())[0]).toEqual(grub);
    expect(disk.checksum({ startMib: 1, sizeMib: 64 })).toBe(before);
  });
});

test('every filesystem is made with its label, its type and its name, and is sound', async () => {
  const disk = newDisk(2048);
  const add_partitions = [
    { fsLabel: 'E2', filesystem: 'ext2', size: 40 },
    { fsLabel: 'E3', filesystem: 'ext3', size: 40 },
    { fsLabel: 'sixteen-bytes-16', filesystem: 'ext4', size: 40 },
    { fsLabel: 'twelve-chars', pLabel: 'x', filesystem: 'xfs', size: 320 },
    { fsLabel: 'a rather long label of btrfs', filesystem: 'btrfs', size: 200 },
    { fsLabel: 'COS_GRUB', pLabel: 'esp', filesystem: 'vfat', size: 64, bootable: true },
    { fsLabel: 'FAT16', filesystem: 'fat16', size: 40 },
    { fsLabel: 'FAT32', filesystem: 'fat32', size: 64 },
    { fsLabel: 'SWAP', filesystem: 'swap', size: 33 },
    { pLabel: 'raw', filesystem: 'noformat', size: 3 },
    { pLabel: 'quote " \\ $ ä', size: 100 },
  ];
  expect(await runLayoutOn(disk.file, { add_partitions })).toMatchObject({ outcome: 'ok', errors: [], warnings: [] });
  expect(await disk.summary()).toEqual([
    '1 40 MiB ext2 E2 -',
    '2 40 MiB ext3 E3 -',
    '3 40 MiB ext4 sixteen-bytes-16 -',
    '4 320 MiB xfs twelve-chars x',
    '5 200 MiB btrfs a\\ rather\\ long\\ label\\ of\\ btrfs -',
    '6 64 MiB vfat COS_GRUB esp',
    '7 40 MiB vfat FAT16 -',
    '8 64 MiB vfat FAT32 -',
    '9 33 MiB swap SWAP -',
    '10 3 MiB - - raw',
    // The last one with a size has exactly that size.
    '11 100 MiB ext4 - quote " \\ $ ä',
  ]);
  const entries = await disk.entries();
  for (const entry of entries) {
    const { TYPE = '' } = await disk.probe(entry);
    if (!['', 'swap'].includes(TYPE)) await disk.attached(entry.number, (device) => checkFilesystem(TYPE, device));
  }
  const esp = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
  expect(entries[5]).toMatchObject({ type: esp, attrs: 'RequiredPartition' });
  expect(entries[6]).toMatchObject({ type: esp });
  expect(entries[8]).toMatchObject({ type: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F' });
  expect(await runLayoutOn(disk.file, { add_partitions })).toMatchObject(UNCHANGED);
});

describe('expanding with files in it', () => {
  it.each([
    ['ext4', 700, 100],
    ['ext2', 700, 100],
    ['xfs', 900, 320],
    ['btrfs', 700, 200],
  ] as const)('%s, to all that is left, and once more when the disk has grown', async (type, sizeMib, lastMib) => {
    const { disk, intact } = await diskWith(type, sizeMib, lastMib);
    const [first, last] = await disk.entries();
    const expand = { expand_partition: { size: 0 } };
    for (const diskMib of [sizeMib, sizeMib + 400]) {
      disk.resize(diskMib);
      expect(await runLayoutOn(disk.file, expand)).toMatchObject({ outcome: 'ok', errors: [], changed: [disk.file] });
      expect(await disk.entries()).toEqual([first, { ...last, sizeMib: diskMib - 18 }]);
      const grownMib = await disk.mounted(2, async (directory) => {
        expect(intact(directory)).toBe(true);
        return (Number(await runChecked(['stat', '-f', '-c', '%b', directory])) * 4096) / MIB;
      });
      // Less what the filesystem keeps for itself.
      expect(grownMib).toBeGreaterThan((diskMib - 18) * 0.8);
      await disk.attached(2, (device) => checkFilesystem(type, device));
      expect(backupSector(disk.file)).toBe(diskMib * 2048 - 1);
      expect(await runLayoutOn(disk.file, expand)).toMatchObject(UNCHANGED);
    }
  });

  test('to a size, with a partition added behind it', async () => {
    const { disk, intact } = await diskWith('ext4', 700, 100);
    const layout = { expand_partition: { size: 300 }, add_partitions: [{ fsLabel: 'NEW', size: 50 }] };
    expect(await runLayoutOn(disk.file, layout)).toMatchObject({ outcome: 'ok', errors: [], warnings: [] });
    expect((await disk.summary()).slice(1)).toEqual(['2 300 MiB ext4 LAST last one', '3 50 MiB ext4 NEW -']);
    expect(await disk.mounted(2, intact)).toBe(true);
    expect(await runLayoutOn(disk.file, layout)).toMatchObject(UNCHANGED);
  });

  test('errors that e2fsck corrects are no failure', async () => {
    const { disk, intact } = await diskWith('ext4', 400, 100);
    // A wrong count of free blocks.
    await disk.attached(2, (device) => runChecked(['debugfs', '-w', '-R', 'ssv free_blocks_count 7', device]));
    expect(await runLayoutOn(disk.file, { expand_partition: {} })).toMatchObject({ outcome: 'ok', errors: [] });
    expect(await disk.mounted(2, intact)).toBe(true);
  });

  test('a filesystem that is smaller than its partition, as an interrupted run leaves it, is grown', async () => {
    const { disk, intact } = await diskWith('ext4', 400, 100);
    await runChecked(['sfdisk', '--quiet', '-N', '2', disk.file], { input: 'size=+\n' });
    expect(await runLayoutOn(disk.file, { expand_partition: {} })).toMatchObject({
      outcome: 'ok',
      said: expect.arrayContaining([`grow the ext4 on partition 2 of ${disk.file}`]),
    });
    expect(await disk.mounted(2, intact)).toBe(true);
    expect(await runLayoutOn(disk.file, { expand_partition: {} })).toMatchObject(UNCHANGED);
  });

  test('swap is refused and stays', async () => {
    const disk = newDisk(200);
    await disk.table('gpt', 'size=50MiB');
    await disk.attached(1, (device) => runChecked(['mkswap', device]));
    const before = disk.fingerprint();
    const result = await runLayoutOn(disk.file, { expand_partition: {} });
    expect(result.errors).toEqual([expect.stringContaining("it holds swap, which can't grow")]);
    expect(disk.fingerprint()).toBe(before);
  });
});

/** Where the GPT says that its backup is. */
function backupSector(file: string): number {
  const header = Buffer.alloc(512);
  const fd = openSync(file, 'r');
  readSync(fd, header, 0, 512, 512);
  closeSync(fd);
  return Number(header.readBigUInt64LE(32));
}

/** Whether this machine lets root grow a mounted ext4 (CAP_SYS_RESOURCE; containers often don't have it). */
function mayGrowMountedExt(): boolean {
  const [, mask = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return ((BigInt(`0x${mask}`) >> 24n) & 1n) === 1n;
}

describe("on a device with the kernel's own partitions", () => {
  it.each([
    ['ext4', 100],
    ['xfs', 320],
    ['btrfs', 200],
  ] as const)('%s is expanded while it is mounted and written to', async (type, lastMib) => {
    const { disk, intact } = await diskWith(type, 800, lastMib);
    const device = await disk.attachWhole();
    const directory = await disk.mountUntilEnd(`${device}p2`);
    writeFileSync(join(directory, 'before'), 'before');
    const blocks = async () => Number(await runChecked(['stat', '-f', '-c', '%b', directory]));
    const small = await blocks();
    const result = await runLayoutOn(device, { expand_partition: { size: 0 } });
    const size = Number(readFileSync(`/sys/class/block/${device.slice(5)}p2/size`, 'utf8')) / 2048;
    expect(size).toBe(782);
    if (type === 'ext4' && !mayGrowMountedExt()) {
      // Without that right nothing is lost, and the run after the next boot grows what is left.
      expect(result.errors).toEqual([expect.stringMatching(/^resize2fs .* failed with status 1/)]);
      await unmount(directory);
      expect(await runLayoutOn(device, { expand_partition: { size: 0 } })).toMatchObject({ outcome: 'ok', errors: [] });
      await disk.mountUntilEnd(`${device}p2`);
    } else {
      expect(result).toMatchObject({ outcome: 'ok', errors: [], warnings: [], changed: [device] });
    }
    expect(await blocks()).toBeGreaterThan(small * 1.5);
    expect(readFileSync(join(directory, 'before'), 'utf8')).toBe('before');
    expect(intact(directory)).toBe(true);
    expect(await runLayoutOn(device, { expand_partition: { size: 0 } })).toMatchObject(UNCHANGED);
  });

  test('partitions are added beside one that is mounted, and have nodes', async () => {
    const { disk, intact } = await diskWith('ext4', 800, 100);
    const device = await disk.attachWhole();
    const directory = await disk.mountUntilEnd(`${device}p2`);
    const layout = { add_partitions: [{ fsLabel: 'ADDED', pLabel: 'added', size: 64 }, { fsLabel: 'REST' }] };
    expect(await runLayoutOn(device, layout)).toMatchObject({ outcome: 'ok', errors: [], warnings: [] });
    expect(intact(directory)).toBe(true);
    expect(await runChecked(['blkid', '--probe', '-o', 'value', '-s', 'LABEL', `${device}p3`])).toBe('ADDED\n');
    expect(await runLayoutOn(device, layout)).toMatchObject(UNCHANGED);
    expect((await disk.summary()).slice(2)).toEqual(['3 64 MiB ext4 ADDED added', '4 618 MiB ext4 REST -']);
  });

  test('a filesystem that is mounted read-only is left alone, before the table is touched', async () => {
    const { disk } = await diskWith('ext4', 800, 100);
    const device = await disk.attachWhole();
    const directory = await disk.mountUntilEnd(`${device}p2`);
    await runChecked(['mount', '-o', 'remount,ro', directory]);
    const before = await disk.entries();
    const result = await runLayoutOn(device, { expand_partition: {} });
    expect(result.errors).toEqual([expect.stringContaining(`${device}p2 is mounted at ${directory} (read-only)`)]);
    expect(await disk.entries()).toEqual(before);
  });

  test('init_disk is refused while a partition is mounted', async () => {
    const { disk, intact } = await diskWith('ext4', 400, 100);
    const device = await disk.attachWhole();
    const directory = await disk.mountUntilEnd(`${device}p2`);
    const result = await runLayoutOn({ path: device, init_disk: true }, { add_partitions: [{ fsLabel: 'X' }] });
    expect(result.errors).toEqual([expect.stringContaining(`${device}p2 is mounted at ${directory}`)]);
    expect(intact(directory)).toBe(true);
  });
});

describe('finding the disk', () => {
  const layout = { add_partitions: [{ fsLabel: 'NEW', size: 40 }] };
  const unique = () => `HF${Math.random().toString(36).slice(2, 10)}`;

  /** Two partitions with labels that nothing else on this machine has. */
  async function labelled() {
    const disk = newDisk(300);
    const labels = { filesystem: unique(), partition: unique() };
    await disk.table('gpt', 'size=50MiB', `size=50MiB, name=${labels.partition}`);
    await disk.attached(1, (device) => runChecked(['mkfs.ext4', '-q', '-L', labels.filesystem, device]));
    return { disk, labels };
  }
  const added = async (disk: LayoutDisk) => expect((await disk.summary()).at(-1)).toBe('3 40 MiB ext4 NEW -');

  it.each(['filesystem', 'partition'] as const)("by the label of a %s, with the kernel's partitions", async (kind) => {
    const { disk, labels } = await labelled();
    const device = await disk.attachWhole();
    expect(await runLayoutOn({ label: labels[kind] }, layout)).toMatchObject({ outcome: 'ok', changed: [device] });
    await added(disk);
  });

  it.each(['filesystem', 'partition'] as const)(
    'by the label of a %s that the kernel shows no node of',
    async (kind) => {
      const { disk, labels } = await labelled();
      const device = await disk.attachWhole();
      await runChecked(['partx', '--delete', device]);
      expect(await runLayoutOn({ label: labels[kind] }, layout)).toMatchObject({ outcome: 'ok', changed: [device] });
      await added(disk);
    },
  );

  test('the label counts, not the path', async () => {
    const { disk, labels } = await labelled();
    const other = newDisk(300);
    await disk.attachWhole();
    const device = { label: labels.filesystem, path: other.file };
    expect(await runLayoutOn(device, layout)).toMatchObject({ outcome: 'ok' });
    await added(disk);
    expect(other.fingerprint()).toBe(newDisk(300).fingerprint());
  });

  test('the path counts where the label is not there', async () => {
    const { disk } = await labelled();
    expect(await runLayoutOn({ label: unique(), path: disk.file }, layout)).toMatchObject({ outcome: 'ok' });
    await added(disk);
  });

  test('a label on two disks is refused, unless one of them is in use', async () => {
    const { disk, labels } = await labelled();
    const copy = newDisk(300);
    await runChecked(['cp', '--sparse=always', disk.file, copy.file]);
    const device = await disk.attachWhole();
    await copy.attachWhole();
    const result = await runLayoutOn({ label: labels.filesystem }, layout);
    expect(result.errors).toEqual([expect.stringContaining(`the label ${labels.filesystem} is on several disks`)]);
    await disk.mountUntilEnd(`${device}p1`);
    expect(await runLayoutOn({ label: labels.filesystem }, layout)).toMatchObject({ outcome: 'ok', changed: [device] });
    await added(disk);
  });

  test('by a partition, by where it is mounted, by a link, and by an image that a loop device shows', async () => {
    const { disk } = await labelled();
    const device = await disk.attachWhole();
    const directory = await disk.mountUntilEnd(`${device}p1`);
    await runChecked(['ln', '-s', device, join(disk.directory, 'link')]);
    for (const [index, path] of [`${device}p2`, directory, join(disk.directory, 'link'), disk.file].entries()) {
      const add_partitions = [{ fsLabel: `NEW${index}`, size: 40 }];
      expect(await runLayoutOn(path, { add_partitions })).toMatchObject({
        outcome: 'ok',
        errors: [],
        changed: [device],
      });
    }
    expect((await disk.summary()).slice(2)).toEqual([0, 1, 2, 3].map((n) => `${n + 3} 40 MiB ext4 NEW${n} -`));
  });

  test('script:// runs a program with arguments, without a shell', async () => {
    const { disk } = await labelled();
    const script = join(disk.directory, 'find disk.sh'.replace(' ', '-'));
    writeFileSync(script, `#!/bin/sh\n[ "$#" = 2 ] && [ "$2" = '$HOME;*' ] && echo "  ${disk.directory}/$1  "\n`);
    chmodSync(script, 0o755);
    expect(await runLayoutOn(`script://${script} disk.img   $HOME;*`, layout)).toMatchObject({
      outcome: 'ok',
      errors: [],
    });
    await added(disk);
    const result = await runLayoutOn(`script://${script} nothing`, layout);
    expect(result.errors).toEqual([expect.stringContaining('nothing named no device')]);
  });

  test('an image inside another root; a disk counts there only if its /dev has it', async () => {
    const { disk } = await labelled();
    const root = new Root(disk.directory);
    const device = await disk.attachWhole();
    mkdirSync(join(disk.directory, 'dev'));
    const refused = await runLayoutOn(device, layout, root);
    expect(refused.errors).toEqual([expect.stringContaining(`${device} is not there`)]);
    await bindMount('/dev', join(disk.directory, 'dev'));
    try {
      expect(await runLayoutOn(device, layout, root)).toMatchObject({ outcome: 'ok', errors: [], changed: [device] });
    } finally {
      await unmount(join(disk.directory, 'dev'));
    }
    await added(disk);
    const more = { add_partitions: [{ fsLabel: 'MORE', size: 40 }] };
    expect(await runLayoutOn('/disk.img', more, root)).toMatchObject({ outcome: 'ok', errors: [] });
    expect(await disk.summary()).toHaveLength(4);
  });

  test('what is not there is an error', async () => {
    const nowhere = unique();
    expect((await runLayoutOn({ label: nowhere }, layout)).errors).toEqual([
      expect.stringContaining(`no filesystem or partition with the label ${nowhere} was found`),
    ]);
  });
});

describe('init_disk', () => {
  const device = (disk: LayoutDisk) => ({ path: disk.file, init_disk: true, disk_name: 'DATA' });
  const layout = { add_partitions: [{ fsLabel: 'ONE', size: 50 }] };

  test('is applied once, and what is on the disk by then stays', async () => {
    const disk = newDisk(300);
    await disk.table('gpt', 'size=100MiB, name=old');
    expect(await runLayoutOn(device(disk), layout)).toMatchObject({ outcome: 'ok', errors: [] });
    expect(await disk.summary()).toEqual(['1 50 MiB ext4 ONE -']);
    expect(await runChecked(['sfdisk', '--disk-id', disk.file])).toBe(`${uuidV5(URL_NAMESPACE, 'DATA')}\n`);
    const intact = await disk.mounted(1, (directory) => fill(directory));
    expect(await runLayoutOn(device(disk), layout)).toMatchObject(UNCHANGED);
    // Another layout for the disk: still the same disk.
    const more = { add_partitions: [...layout.add_partitions, { fsLabel: 'TWO', size: 50 }] };
    expect(await runLayoutOn(device(disk), more)).toMatchObject({ outcome: 'ok', errors: [] });
    expect(await disk.summary()).toEqual(['1 50 MiB ext4 ONE -', '2 50 MiB ext4 TWO -']);
    expect(await disk.mounted(1, intact)).toBe(true);
  });

  test('without it, a disk with anything but a table on it is left alone', async () => {
    const disk = newDisk(300);
    await runChecked(['mkfs.ext4', '-q', disk.file]);
    const before = disk.fingerprint();
    expect((await runLayoutOn(disk.file, layout)).errors).toEqual([expect.stringContaining('has no partition table')]);
    expect(disk.fingerprint()).toBe(before);
  });
});

describe('an msdos table', () => {
  test('partitions are added, flagged and expanded; a fifth is refused', async () => {
    const disk = newDisk(600);
    await disk.table('dos', 'start=2048, size=64MiB, type=83, bootable');
    await disk.attached(1, (device) => runChecked(['mkfs.ext4', '-q', '-L', 'BOOT', device]));
    const intact = await disk.mounted(1, (directory) => fill(directory));
    const before = disk.checksum({ startMib: 1, sizeMib: 64 });
    const add_partitions = [
      { fsLabel: 'ESP', filesystem: 'vfat', size: 40, bootable: true },
      { fsLabel: 'SWAP', filesystem: 'swap', size: 32 },
      { fsLabel: 'DATA', size: 50 },
    ];
    const layout = { add_partitions, expand_partition: { size: 0 } };
    expect(await runLayoutOn(disk.file, layout)).toMatchObject({ outcome: 'ok', errors: [], warnings: [] });
    expect(await disk.summary()).toEqual([
      '1 64 MiB ext4 BOOT -',
      '2 40 MiB vfat ESP -',
      '3 32 MiB swap SWAP -',
      '4 463 MiB ext4 DATA -',
    ]);
    expect((await disk.entries()).map(({ type, bootable }) => [type, bootable ?? false])).toEqual([
      ['83', true],
      ['ef', true],
      ['82', false],
      ['83', false],
    ]);
    expect(disk.checksum({ startMib: 1, sizeMib: 64 })).toBe(before);
    expect(await disk.mounted(1, intact)).toBe(true);
    expect(await runLayoutOn(disk.file, layout)).toMatchObject(UNCHANGED);
    disk.resize(700);
    const fifth = await runLayoutOn(disk.file, { add_partitions: [{ fsLabel: 'FIFTH', size: 40 }] });
    expect(fifth.errors).toEqual([expect.stringContaining('would get 5 partitions')]);
  });
});

describe('nothing is written', () => {
  const layout = { add_partitions: [{ fsLabel: 'NEW', size: 100 }] };

  async function refused(disk: LayoutDisk, value: object, message: string): Promise<void> {
    const before = disk.fingerprint();
    const { errors } = await runLayoutOn(disk.file, value);
    expect(errors).toEqual([expect.stringContaining(message)]);
    expect(disk.fingerprint()).toBe(before);
  }

  test('when the disk is too small, with the figures', async () => {
    const disk = newDisk(200);
    await disk.table('gpt', 'size=100MiB');
    const entries = [
      { fsLabel: 'A', size: 50 },
      { fsLabel: 'B', size: 100 },
    ];
    await refused(disk, { add_partitions: entries }, 'the missing partitions need 150 MiB, 98 MiB are left on it');
  });

  test('when less than 32 MiB are left, with a warning and no error', async () => {
    const disk = newDisk(120);
    await disk.table('gpt', 'size=100MiB');
    const before = disk.fingerprint();
    expect(await runLayoutOn(disk.file, { add_partitions: [{ fsLabel: 'A', size: 5 }] })).toMatchObject({
      outcome: 'ok',
      errors: [],
      warnings: [expect.stringContaining('has 18 MiB left, less than 32 MiB')],
      changed: [],
    });
    expect(disk.fingerprint()).toBe(before);
  });

  test('when a label is too long, or mkfs takes no partition of that size', async () => {
    const disk = newDisk(400);
    await disk.table('gpt');
    const long = [
      { fsLabel: 'A', size: 50 },
      { fsLabel: 'THIRTEEN_LONG', filesystem: 'xfs', size: 320 },
    ];
    await refused(disk, { add_partitions: long }, 'has 13 bytes, xfs takes at most 12');
    const small = [
      { fsLabel: 'A', size: 50 },
      { fsLabel: 'X', filesystem: 'xfs', size: 10 },
    ];
    await refused(disk, { add_partitions: small }, 'xfs needs 16 MiB');
  });

  test('when both copies of the table are damaged, also with init_disk', async () => {
    const disk = newDisk(400);
    await disk.table('gpt', 'size=100MiB');
    const fd = openSync(disk.file, 'r+');
    writeSync(fd, Buffer.alloc(512), 0, 512, 512);
    writeSync(fd, Buffer.alloc(512), 0, 512, 400 * MIB - 512);
    closeSync(fd);
    await refused(disk, layout, 'both copies of the GPT are damaged');
    await refused(
      disk,
      { device: { path: disk.file, init_disk: true }, ...layout },
      'both copies of the GPT are damaged',
    );
  });

  test('but a table with one good copy is used, and mended', async () => {
    const disk = newDisk(400);
    await disk.table('gpt', 'size=100MiB, name=keep');
    const fd = openSync(disk.file, 'r+');
    writeSync(fd, Buffer.alloc(512), 0, 512, 512);
    closeSync(fd);
    expect(await runLayoutOn(disk.file, layout)).toMatchObject({ outcome: 'ok', errors: [] });
    expect(await disk.summary()).toEqual(['1 100 MiB - - keep', '2 100 MiB ext4 NEW -']);
    expect(backupSector(disk.file)).toBe(400 * 2048 - 1);
  });

  test('on a table of another kind', async () => {
    const disk = newDisk(400);
    await runChecked(['sfdisk', '--quiet', disk.file], { input: 'label: sun\n' });
    await refused(disk, layout, 'has a partition table of the kind "sun"');
  });
});

test('the signature of what was in a place before is not taken for the new filesystem', async () => {
  const disk = newDisk(400);
  await disk.table('gpt', 'size=100MiB', 'size=100MiB');
  await disk.attached(2, (device) => runChecked(['mkfs.ext4', '-q', '-L', 'OLD', device]));
  await runChecked(['sfdisk', '--quiet', '--delete', disk.file, '2']);
  const add_partitions = [
    { pLabel: 'raw', filesystem: '-', size: 100 },
    { fsLabel: 'SWAP', filesystem: 'swap', size: 50 },
  ];
  expect(await runLayoutOn(disk.file, { add_partitions })).toMatchObject({ outcome: 'ok', errors: [] });
  expect(await disk.summary()).toEqual(['1 100 MiB - - -', '2 100 MiB - - raw', '3 50 MiB swap SWAP -']);
});
