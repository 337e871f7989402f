// GRUB's EFI program, built once when an image is made, from the image's own GRUB (docs/decisions/0003). Everything that
// grub.cfg and bootargs.cfg use is linked in, so that nothing has to be found and loaded on the way.

import { dirname } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import { commandFailed } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { grubDirectory, grubMkimage } from './init-requirements.ts';
import { GRUB_EFI_PROGRAM } from './install-grub.ts';

export const GRUB_MODULES = [
  // Disks and file systems: ESP, state partition, images.
  ...['part_gpt', 'part_msdos', 'fat', 'ext2', 'xfs', 'btrfs', 'squash4', 'iso9660', 'loopback'],
  // The language of grub.cfg.
  ...['normal', 'configfile', 'test', 'true', 'regexp', 'search', 'probe', 'loadenv', 'echo', 'sleep', 'minicmd'],
  ...['linux', 'all_video', 'gfxterm', 'serial', 'chain'],
  // For people at GRUB's prompt.
  ...['ls', 'cat', 'help', 'halt', 'reboot', 'efifwsetup'],
];

/** Its configuration is beside it on the ESP: the prefix has no device, so GRUB takes the one that it was loaded from. */
const PREFIX = '/EFI/BOOT';

/**
 * Builds the program inside the root.
 * @throws HoldfastError HF-GRUB with grub-mkimage's own words.
 */
export async function buildGrubProgram(root: Root, signal?: AbortSignal): Promise<void> {
  const mkimage = grubMkimage(root);
  const directory = grubDirectory(root);
  if (mkimage === undefined || directory === undefined) throw new HoldfastError('HF-GRUB', 'GRUB is gone');
  root.makeDirectory(dirname(GRUB_EFI_PROGRAM));
  const argv = ['--format=x86_64-efi', `--directory=${directory}`, `--prefix=${PREFIX}`];
  const result = await root.run([mkimage, ...argv, `--output=${GRUB_EFI_PROGRAM}`, ...GRUB_MODULES], { signal });
  if (result.status === 0) return;
  throw new HoldfastError('HF-GRUB', 'GRUB’s EFI program could not be built', { cause: commandFailed(result) });
}
