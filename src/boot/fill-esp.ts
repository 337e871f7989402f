// Copies the boot loader onto the firmware's partition so that a power cut at any instant leaves a disk which firmware
// either starts completely or not at all: the program that firmware looks for gets its name last of all. By mtools and
// not by a mount, since not every kernel that installs has VFAT, and one way is tested more than two.

import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { fsyncPath } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import { run, runChecked } from '../system/process.ts';
import { REMOVABLE_PATH } from './install-grub.ts';

const HIDDEN_PATH = REMOVABLE_PATH.replace(/\.EFI$/, '.NEW');

/**
 * @param directory what the partition gets; it is used up.
 * @param device the partition, not mounted.
 * @throws HoldfastError HF-COMMAND with what mtools said.
 */
export async function fillEsp(directory: string, device: string): Promise<void> {
  renameSync(join(directory, REMOVABLE_PATH), join(directory, HIDDEN_PATH));
  await runChecked(['mcopy', '-s', '-Q', '-o', '-i', device, join(directory, 'EFI'), '::/']);
  fsyncPath(device);
  // -o: in place of the one that was there, where partitions are kept.
  await runChecked(['mren', '-o', '-i', device, `::/${HIDDEN_PATH}`, `::/${REMOVABLE_PATH}`]);
  fsyncPath(device);
}

/**
 * Whether firmware finds anything to start on a firmware's partition.
 * @param image a device, or an image file with `@@` and the partition's offset in bytes.
 * @throws HoldfastError HF-IO when it can't be read.
 */
export async function hasEfiProgram(image: string): Promise<boolean> {
  const result = await run(['mdir', '-b', '-/', '-i', image, '::/'], { env: { ...process.env, LC_ALL: 'C' } });
  // What mtools says of a partition without any file.
  if (result.status !== 0 && /File "::\/?" not found/.test(result.stderr)) return false;
  if (result.status !== 0) {
    throw new HoldfastError('HF-IO', `the partition for firmware (${image}) can't be read: ${result.stderr.trim()}`);
  }
  return isStartable(result.stdout.split('\n'));
}

/** Of the paths on the partition: what firmware starts by itself, or any program that a boot entry may name. Pure. */
export function isStartable(paths: readonly string[]): boolean {
  return paths.some((path) => {
    const name = path
      .trim()
      .replace(/^::\/?/, '')
      .toUpperCase();
    if (!name.endsWith('.EFI')) return false;
    return name.startsWith('EFI/BOOT/') ? /^EFI\/BOOT\/BOOT[^/]*$/.test(name) : true;
  });
}
