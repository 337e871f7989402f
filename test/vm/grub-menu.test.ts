// GRUB alone, from firmware to the kernel's command line: what each entry passes, what the environment blocks decide, and
// what happens when an image is missing or damaged, or another disk looks like this one. About four minutes: thirty
// boots of five seconds, and the seconds that GRUB shows an error; no system is booted.

import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseGrubEnvironment, writeGrubEnvironment } from '../../src/boot/grub-environment.ts';
import { probeFilesystem } from '../../src/system/filesystems.ts';
import { runChecked } from '../../src/system/process.ts';
import { DiskImage } from '../system/lifecycle/disk-image.ts';
import {
  type Firmware,
  GrubRounds,
  type Mounted,
  type Preparation,
  relabel,
  removeFromSlot,
  renewUuids,
  writeToSlot,
} from './grub-rounds.ts';

let rounds: GrubRounds;
beforeAll(async () => {
  rounds = await GrubRounds.prepare((line) => process.stdout.write(`    ${line}\n`));
});
afterAll(() => rounds?.end());

const active = ({ state }: Mounted) => join(state, 'cOS/active.img');
const passive = ({ state }: Mounted) => join(state, 'cOS/passive.img');
const recovery = ({ recovery: directory }: Mounted) => join(directory, 'cOS/recovery.img');

/** The owner's block; the panic that ends a round then restarts at once. */
const setEnvironment = ({ oem }: Mounted, variables: Record<string, string>) =>
  writeGrubEnvironment(join(oem, 'grubenv'), variables);

/** Boots a fresh disk and returns the words of its one command line. */
async function bootWords(prepare?: Preparation, firmware: Firmware = 'bios'): Promise<string[]> {
  const { commandLines } = await rounds.boot({ firmware, disks: [await rounds.disk(prepare)] });
  return commandLines[0] ?? [];
}

const argumentOf = (words: readonly string[], name: string) =>
  words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);

/** Which image it was. */
const imageOf = (words: readonly string[] | undefined) => words && argumentOf(words, 'cos-img/filename');

const uuidsOf = (file: string) =>
  DiskImage.at(file).withPartitions(['COS_STATE', 'COS_OEM'], async (devices) => ({
    state: (await probeFilesystem(devices['COS_STATE'] ?? '')).uuid,
    oem: (await probeFilesystem(devices['COS_OEM'] ?? '')).uuid,
  }));

describe('the entries', () => {
  test.each<Firmware>(['uefi', 'bios'])('by %s the active image boots, with what tells this disk', async (firmware) => {
    const disk = await rounds.disk();
    const { commandLines, console: printed } = await rounds.boot({ firmware, disks: [disk] });
    const { state, oem } = await uuidsOf(disk);
    expect(commandLines[0]).toEqual([
      'BOOT_IMAGE=(loop0)/boot/vmlinuz',
      'root=LABEL=COS_STATE',
      'console=tty1',
      'console=ttyS0,115200',
      'cos-img/filename=/cOS/active.img',
      'cos.label=COS_ACTIVE',
      expect.stringMatching(/^holdfast\.slot=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      `holdfast.state=${state}`,
      `holdfast.oem=${oem}`,
      'holdfast.selected=',
      'panic=5',
      'fsck.repair=yes',
      'rd.cos.oemlabel=COS_OEM',
      'rd.cos.mount=LABEL=COS_OEM:/oem',
      'rd.cos.mount=LABEL=COS_PERSISTENT:/usr/local',
    ]);
    expect(printed).toContain('Round Robin (fallback)');
    expect(printed).toContain('Round Robin recovery');
    // These machines have no screen.
    expect(printed).not.toMatch(/error: (?!no suitable video mode found)/);
  });

  test.each<Firmware>(['uefi', 'bios'])(
    'by %s next_entry counts once, then saved_entry; titles and more arguments are the owner’s',
    async (firmware) => {
      const disk = await rounds.disk((mounted) =>
        setEnvironment(mounted, {
          next_entry: 'fallback',
          saved_entry: 'recovery',
          default_menu_entry: 'Lab Machine',
          extra_cmdline: 'panic=-1 for=all',
          extra_active_cmdline: 'for=active',
          extra_passive_cmdline: 'for=passive two words',
          extra_recovery_cmdline: 'for=recovery',
        }),
      );
      const { commandLines, console: printed } = await rounds.boot({ firmware, disks: [disk], boots: 2 });
      const [first = [], second = []] = commandLines;
      expect(imageOf(first)).toBe('/cOS/passive.img');
      expect(first).toContain('cos.label=COS_PASSIVE');
      expect(first.slice(-5)).toEqual(['panic=-1', 'for=all', 'for=passive', 'two', 'words']);
      expect(imageOf(second)).toBe('/cOS/recovery.img');
      expect(second).toEqual(expect.arrayContaining(['root=LABEL=COS_RECOVERY', 'cos.label=COS_SYSTEM', 'panic=5']));
      expect(second.join(' ')).not.toContain('COS_PERSISTENT');
      expect(second.slice(-3)).toEqual(['panic=-1', 'for=all', 'for=recovery']);
      expect(printed).toContain('Lab Machine (fallback)');
      await rounds.change(disk, ({ oem }) => {
        const block = readFileSync(join(oem, 'grubenv'));
        expect(block.length).toBe(1024);
        expect(parseGrubEnvironment(block).get('next_entry') ?? '').toBe('');
        expect(parseGrubEnvironment(block).get('saved_entry')).toBe('recovery');
      });
    },
  );

  test('other labels are in the tool’s block, and everything follows them', async () => {
    const disk = await rounds.disk(({ state }) =>
      writeGrubEnvironment(join(state, 'grub_oem_env'), { oem_label: 'MY_OEM', passive_label: 'MY_PASSIVE' }),
    );
    await rounds.change(disk, (mounted) => setEnvironment(mounted, { saved_entry: '1' }));
    await relabel(disk, 'COS_OEM', 'MY_OEM');
    const { commandLines } = await rounds.boot({ firmware: 'bios', disks: [disk] });
    expect(commandLines[0]).toEqual(
      expect.arrayContaining([
        'cos.label=MY_PASSIVE',
        'rd.cos.oemlabel=MY_OEM',
        'rd.cos.mount=LABEL=MY_OEM:/oem',
        expect.stringMatching(/^holdfast\.oem=/),
      ]),
    );
  });

  test('grubmenu adds an entry, and of two grubcustom the one on COS_OEM is last', async () => {
    const words = await bootWords(({ state, oem }) => {
      writeFileSync(
        join(oem, 'grubmenu'),
        'menuentry "Mine" --id mine { set img=/cOS/passive.img\n boot_image mine=1\n}\n',
      );
      writeFileSync(join(state, 'grubcustom'), 'set default=2\nset extra_cmdline="from=state"\n');
      writeFileSync(join(oem, 'grubcustom'), 'set default=mine\nset extra_cmdline="$extra_cmdline from=oem"\n');
    });
    expect(imageOf(words)).toBe('/cOS/passive.img');
    expect(words.slice(-3)).toEqual(['from=state', 'from=oem', 'mine=1']);
  });

  test('a block that is none doesn’t stop the boot', async () => {
    const words = await bootWords(({ state, oem }) => {
      writeFileSync(join(oem, 'grubenv'), Buffer.alloc(1024, 'x'));
      writeFileSync(join(state, 'grub_oem_env'), '');
    });
    expect(words).toEqual(expect.arrayContaining(['cos-img/filename=/cOS/active.img', 'rd.cos.oemlabel=COS_OEM']));
  });
});

describe('what can’t be loaded', () => {
  test.each<[string, Preparation, string]>([
    ['without the active image the passive one boots', (m) => rmSync(active(m)), '/cOS/passive.img'],
    ['a truncated active image is not booted', (m) => truncateSync(active(m), 2 ** 20), '/cOS/passive.img'],
    ['a kernel that is none is not booted', (m) => writeToSlot(active(m), '/boot/vmlinuz', 'text'), '/cOS/passive.img'],
    [
      'an image without bootargs.cfg is not booted',
      (m) => removeFromSlot(active(m), '/etc/cos/bootargs.cfg'),
      '/cOS/passive.img',
    ],
    [
      'a bootargs.cfg that names nothing is not booted',
      (m) => writeToSlot(active(m), '/etc/cos/bootargs.cfg', 'set kernelcmd="root=LABEL=COS_STATE"\n'),
      '/cOS/passive.img',
    ],
    [
      'without both the recovery system boots',
      (m) => {
        rmSync(active(m));
        rmSync(passive(m));
      },
      '/cOS/recovery.img',
    ],
    [
      'a kernel whose initramfs is missing is not booted, also when the next entry can’t be read',
      async (m) => {
        await removeFromSlot(active(m), '/boot/initrd');
        truncateSync(passive(m), 2 ** 20);
      },
      '/cOS/recovery.img',
    ],
    [
      'a kernel whose initramfs can’t be read to its end is not booted, also when the next entry can’t be read',
      async (m) => {
        // The list of its blocks is none any more.
        await runChecked(['debugfs', '-w', '-R', 'sif /boot/initrd block[0] 99999999', active(m)]);
        rmSync(passive(m));
      },
      '/cOS/recovery.img',
    ],
    [
      'default_fallback is the owner’s order',
      (m) => {
        rmSync(active(m));
        setEnvironment(m, { default_fallback: '2 1' });
      },
      '/cOS/recovery.img',
    ],
    [
      'without the recovery image the active one boots',
      (m) => {
        rmSync(recovery(m));
        setEnvironment(m, { next_entry: 'recovery' });
      },
      '/cOS/active.img',
    ],
  ])('%s', async (_, prepare, image) => {
    expect(imageOf(await bootWords(prepare))).toBe(image);
  });
});

/** As cOS 0.8.10 wrote it: root= is the label of the image, and a squashfs is a live system. */
const BOOTARGS_0_8 = `set kernel=/boot/vmlinuz
set initramfs=/boot/initrd
if [ -n "$recoverylabel" ]; then
  set kernelcmd="console=ttyS0 root=live:LABEL=$recoverylabel rd.live.dir=/ rd.live.squashimg=$img panic=5"
else
  set kernelcmd="console=ttyS0 root=LABEL=$label cos-img/filename=$img panic=5 rd.cos.oemlabel=COS_OEM"
fi
`;

/** As cOS 0.10 did: root= is the label of the partition, and all labels are variables. */
const BOOTARGS_0_10 = `set kernel=/boot/vmlinuz
set initramfs=/boot/initrd
set kernelcmd="console=ttyS0 root=LABEL=$state_label cos-img/filename=$img rd.cos.mount=LABEL=$persistent_label:/usr/local system=$system_label"
`;

/** The menu of cOS 0.8.10, reduced to one entry: it knows no label variables and no find_own. */
const MENU_0_8 = `set timeout=1
menuentry "cOS" --id cos {
  search --no-floppy --label --set=root COS_STATE
  set img=/cOS/active.img
  set label=COS_ACTIVE
  loopback loop0 /$img
  set root=($root)
  source (loop0)/etc/cos/bootargs.cfg
  linux (loop0)$kernel $kernelcmd
  initrd (loop0)$initramfs
}
`;

describe('images and menus of others', () => {
  test('an image of cOS 0.8 and one of 0.10 get what their bootargs.cfg wants', async () => {
    const disk = await rounds.disk(async (m) => {
      await writeToSlot(active(m), '/etc/cos/bootargs.cfg', BOOTARGS_0_8);
      await removeFromSlot(passive(m), '/etc/cos/bootargs.cfg');
      await writeToSlot(passive(m), '/etc/elemental/bootargs.cfg', BOOTARGS_0_10);
      setEnvironment(m, { next_entry: 'cos', saved_entry: 'fallback', extra_cmdline: 'panic=-1' });
    });
    const { commandLines } = await rounds.boot({ firmware: 'bios', disks: [disk], boots: 2 });
    expect(commandLines[0]).toEqual(
      expect.arrayContaining(['root=LABEL=COS_ACTIVE', 'cos-img/filename=/cOS/active.img']),
    );
    expect(commandLines[1]).toEqual(
      expect.arrayContaining([
        'root=LABEL=COS_STATE',
        'cos-img/filename=/cOS/passive.img',
        'rd.cos.mount=LABEL=COS_PERSISTENT:/usr/local',
        'system=COS_SYSTEM',
      ]),
    );
  });

  test('an image of ours under the menu of cOS 0.8 knows the labels and its disk', async () => {
    const words = await bootWords(({ state }) => writeFileSync(join(state, 'grub2/grub.cfg'), MENU_0_8));
    expect(words).toEqual(
      expect.arrayContaining([
        'root=LABEL=COS_STATE',
        'cos.label=COS_ACTIVE',
        'rd.cos.oemlabel=COS_OEM',
        expect.stringMatching(/^holdfast\.slot=/),
        expect.stringMatching(/^holdfast\.state=/),
        expect.stringMatching(/^holdfast\.oem=/),
      ]),
    );
  });

  test('a recovery squashfs goes before recovery.img, and its label doesn’t reach the next entry', async () => {
    const disk = await rounds.disk(async (m) => {
      await writeToSlot(active(m), '/etc/cos/bootargs.cfg', BOOTARGS_0_8);
      const tree = rounds.tree;
      await runChecked([
        'mksquashfs',
        tree,
        join(m.recovery, 'cOS/recovery.squashfs'),
        '-comp',
        'xz',
        '-quiet',
        '-no-progress',
      ]);
      setEnvironment(m, { saved_entry: 'recovery' });
    });
    const { commandLines } = await rounds.boot({ firmware: 'bios', disks: [disk] });
    expect(imageOf(commandLines[0])).toBe('/cOS/recovery.squashfs');
    expect(commandLines[0]?.join(' ')).not.toContain('holdfast.slot=');
    await rounds.change(disk, (m) => truncateSync(join(m.recovery, 'cOS/recovery.squashfs'), 2 ** 20));
    const next = await rounds.boot({ firmware: 'bios', disks: [disk] });
    expect(next.commandLines[0]).toContain('root=LABEL=COS_ACTIVE');
  });
});

/** Everything that could take another disk's boot over. */
const lure: Preparation = (m) => {
  for (const directory of [m.state, m.oem, m.recovery]) {
    writeFileSync(join(directory, 'grubcustom'), 'set extra_cmdline=lured\n');
    writeFileSync(join(directory, 'grubmenu'), 'set extra_active_cmdline=lured\n');
    writeGrubEnvironment(join(directory, 'grubenv'), { next_entry: 'recovery', extra_cmdline: 'lured' });
  }
  renameSync(passive(m), join(m.state, 'cOS/other.img'));
};

describe('another disk with the same labels', () => {
  test.each<Firmware>(['uefi', 'bios'])(
    'by %s is left alone when the booted one lacks OEM and recovery',
    async (firmware) => {
      const own = await rounds.disk(({ state }) =>
        writeGrubEnvironment(join(state, 'grub_oem_env'), { next_entry: 'recovery' }),
      );
      await relabel(own, 'COS_OEM', 'GONE');
      await relabel(own, 'COS_RECOVERY', 'GONE');
      const stray = await rounds.disk(lure);
      await renewUuids(stray);
      if (firmware === 'uefi') {
        // So that the firmware goes on to the next disk, and GRUB still meets this one first.
        await DiskImage.at(stray).withPartitions(['COS_GRUB'], async (devices) => {
          await runChecked(['mkfs.vfat', '-F', '32', '-n', 'COS_GRUB', devices['COS_GRUB'] ?? '']);
        });
      }
      const disks = firmware === 'uefi' ? [stray, own] : [own, stray];
      const { commandLines } = await rounds.boot({ firmware, disks });
      const [words = []] = commandLines;
      expect(imageOf(words)).toBe('/cOS/active.img');
      expect(argumentOf(words, 'holdfast.state')).toBe((await uuidsOf(own)).state);
      expect(words.join(' ')).not.toMatch(/lured|holdfast\.oem=/);
    },
  );

  test('boots when the disk with the boot loader has no state partition, and then only it counts', async () => {
    const own = await rounds.disk((m) => setEnvironment(m, { extra_cmdline: 'lured' }));
    await relabel(own, 'COS_STATE', 'GONE');
    const other = await rounds.disk((m) => setEnvironment(m, { extra_cmdline: 'right' }));
    await renewUuids(other);
    const { commandLines } = await rounds.boot({ firmware: 'uefi', disks: [own, other] });
    expect(commandLines[0]?.at(-1)).toBe('right');
    const { state, oem } = await uuidsOf(other);
    expect(commandLines[0]).toEqual(expect.arrayContaining([`holdfast.state=${state}`, `holdfast.oem=${oem}`]));
  });
});
