// A disk as the installer of cOS 0.8.10 left it: its partition order and names, ext4 everywhere, sparse ext2 images that
// differ in their labels only, and the boot menu of that time.

import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeGrubEnvironment } from '../../src/boot/grub-environment.ts';
import { attachLoop } from '../../src/system/loopdevices.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { UndoStack } from '../../src/system/plan.ts';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory } from '../cache.ts';
import { DEMO_KERNEL_ARGUMENTS } from '../demo/content.ts';
import type { DemoImages } from '../demo/images.ts';
import { thisMachine } from '../turn.ts';
import { withWorkTree } from '../work-tree.ts';
import { GRUB_MENU } from './files.ts';
import { makeOldTree } from './image.ts';

const MIB = 2 ** 20;
const ESP_TYPE = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
const LINUX_TYPE = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';

/** Built into GRUB's program, as grub2-install has it. The rescue parser reads it, which knows no `if`. */
const EARLY_CONFIG = `search --no-floppy --label --set=root COS_STATE
set prefix=($root)/grub2
configfile ($root)/grub2/grub.cfg
`;

/** The order and names of elemental-cli 0.0.15; STATE and RECOVERY smaller than its 15 and 8 GiB. */
const PARTITIONS = [
  { label: 'COS_GRUB', name: 'p.grub', sizeMib: 64, type: ESP_TYPE },
  { label: 'COS_OEM', name: 'p.oem', sizeMib: 64, type: LINUX_TYPE },
  { label: 'COS_STATE', name: 'p.state', sizeMib: 8192, type: LINUX_TYPE },
  { label: 'COS_RECOVERY', name: 'p.recovery', sizeMib: 3072, type: LINUX_TYPE },
  { label: 'COS_PERSISTENT', name: 'p.persistent', sizeMib: 1024, type: LINUX_TYPE },
] as const;

const IMAGE_MIB = 2048;
const GRUB_MODULES = '/usr/lib/grub/x86_64-efi';

/**
 * Writes the disk image, replacing what is there.
 * @param demo where its operating system comes from.
 * @param log hears what takes long.
 */
export async function makeOldDisk(disk: string, demo: DemoImages, log: (line: string) => void): Promise<void> {
  await withWorkTree(join(cacheDirectory(), 'old-machine'), async (work) => {
    const tree = join(work, 'tree');
    mkdirSync(tree);
    log('a system as cOS 0.8.10 had it');
    await makeOldTree(demo, tree);
    const image = join(work, 'active.img');
    await runChecked(['mkfs.ext2', '-q', '-L', 'COS_ACTIVE', '-d', tree, image, `${IMAGE_MIB}M`]);
    log('its disk');
    await partition(disk);
    await thisMachine.take(() => fill(disk, image, work));
  });
}

async function partition(disk: string): Promise<void> {
  rmSync(disk, { force: true });
  writeFileSync(disk, '');
  truncateSync(disk, (PARTITIONS.reduce((sum, { sizeMib }) => sum + sizeMib, 0) + 2) * MIB);
  const lines = PARTITIONS.map(({ name, sizeMib, type }) => `size=${sizeMib}MiB, type=${type}, name="${name}"`);
  await runChecked(['sfdisk', '--quiet', disk], { input: ['label: gpt', ...lines, ''].join('\n') });
}

async function fill(disk: string, image: string, work: string): Promise<void> {
  const undo = new UndoStack();
  const content: Readonly<Record<string, (directory: string) => Promise<void> | void>> = {
    COS_OEM: () => {},
    COS_PERSISTENT: () => {},
    COS_STATE: async (state) => {
      mkdirSync(join(state, 'cOS'));
      mkdirSync(join(state, 'grub2'));
      writeFileSync(join(state, 'grub2/grub.cfg'), GRUB_MENU);
      // grub2-install puts all of its modules there; what a boot argument needs is loaded when it is used.
      await runChecked(['sh', '-c', 'cp "$1"/*.mod "$1"/*.lst "$2"', 'sh', GRUB_MODULES, makeDirectory(state)]);
      const environment = { default_menu_entry: 'cOs', extra_cmdline: DEMO_KERNEL_ARGUMENTS };
      writeGrubEnvironment(join(state, 'grub_oem_env'), environment);
      await putImage(image, join(state, 'cOS/active.img'), 'COS_ACTIVE');
      await putImage(image, join(state, 'cOS/passive.img'), 'COS_PASSIVE');
    },
    COS_RECOVERY: async (recovery) => {
      mkdirSync(join(recovery, 'cOS'));
      await putImage(image, join(recovery, 'cOS/recovery.img'), 'COS_SYSTEM');
    },
  };
  try {
    let startMib = 1;
    for (const { label, sizeMib } of PARTITIONS) {
      const { device } = await attachLoop(undo, disk, { offsetBytes: startMib * MIB, sizeBytes: sizeMib * MIB });
      startMib += sizeMib;
      if (label === 'COS_GRUB') {
        await makeEsp(device, work);
        continue;
      }
      await runChecked(['mkfs.ext4', '-q', '-F', '-L', label, device]);
      const directory = join(work, label);
      await mount(device, directory);
      try {
        await content[label]?.(directory);
      } finally {
        await unmount(directory);
      }
    }
  } finally {
    await undo.unwind(false);
  }
}

function makeDirectory(state: string): string {
  const directory = join(state, 'grub2/x86_64-efi');
  mkdirSync(directory, { recursive: true });
  return directory;
}

async function putImage(image: string, to: string, label: string): Promise<void> {
  await runChecked(['cp', '--sparse=always', image, to]);
  await runChecked(['tune2fs', '-L', label, to]);
}

/** As grub2-install leaves it for a removable disk: one program that finds the state partition. */
async function makeEsp(device: string, work: string): Promise<void> {
  const program = join(work, 'grub.efi');
  const config = join(work, 'early.cfg');
  writeFileSync(config, EARLY_CONFIG);
  await runChecked([
    ...(['grub-mkimage', '--format', 'x86_64-efi', '--output', program, '--config', config] as const),
    ...['--prefix', '/grub2', 'part_gpt', 'fat', 'ext2', 'loopback', 'linux', 'search', 'loadenv', 'regexp', 'test'],
    ...['configfile', 'normal', 'serial', 'echo', 'all_video', 'squash4', 'reboot', 'sleep'],
  ]);
  await runChecked(['mkfs.vfat', '-F', '32', '-n', 'COS_GRUB', device]);
  await runChecked(['mmd', '-i', device, '::/EFI', '::/EFI/BOOT']);
  await runChecked(['mcopy', '-i', device, program, '::/EFI/BOOT/BOOTX64.EFI']);
}
