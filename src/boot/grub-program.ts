// GRUB's programs, built once when an image is made, from the image's own GRUB (docs/decisions/0003). Everything that
// grub.cfg and bootargs.cfg use is linked in, so that nothing has to be found and loaded on the way.

import { copyFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import { commandFailed } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { GRUB_BIOS_BOOT_SECTOR, GRUB_BIOS_CORE, GRUB_EFI_PROGRAM, GRUB_FONT } from './grub-files.ts';
import { grubBiosDirectory, grubDirectory, grubFont, grubMkimage } from './init-requirements.ts';

const MODULES = [
  // Disks and file systems: ESP, state partition, images.
  ...['part_gpt', 'part_msdos', 'fat', 'ext2', 'xfs', 'btrfs', 'squash4', 'iso9660', 'loopback'],
  // The language of grub.cfg.
  ...['normal', 'configfile', 'test', 'true', 'regexp', 'search', 'probe', 'loadenv', 'echo', 'sleep', 'minicmd'],
  ...['linux', 'all_video', 'gfxterm', 'serial', 'chain'],
  // For people at GRUB's prompt.
  ...['ls', 'cat', 'help', 'halt', 'reboot'],
];

/** By platform; changes of these are changes of the programs. */
export const GRUB_MODULES = {
  'x86_64-efi': [...MODULES, 'efifwsetup'],
  'i386-pc': [...MODULES, 'biosdisk'],
} as const;

/** The EFI program's configuration is beside it on the ESP: without a device GRUB takes the one that it was loaded from. */
const EFI_PREFIX = '/EFI/BOOT';

/**
 * What the core image for BIOS runs first. GRUB's rescue parser reads it, which knows no `if`. The state partition is
 * the one with the environment block that `install` writes: labels may differ, and this is fixed in the image.
 */
export const BIOS_CONFIG = `regexp --set=1:boot_disk '^([^,]+)' "$root"
search --no-floppy --file --hint "$boot_disk," --set=root /grub_oem_env
set prefix=($root)/grub2
`;

/**
 * Builds the programs inside the root: for UEFI, for BIOS where the root has GRUB's modules for it, and copies the font.
 * @throws HoldfastError HF-GRUB with grub-mkimage's own words.
 */
export async function buildGrubPrograms(root: Root, signal?: AbortSignal): Promise<void> {
  const mkimage = grubMkimage(root);
  const directory = grubDirectory(root);
  if (mkimage === undefined || directory === undefined) throw new HoldfastError('HF-GRUB', 'GRUB is gone');
  const build = async (platform: keyof typeof GRUB_MODULES, from: string, output: string, argv: readonly string[]) => {
    root.makeDirectory(dirname(output));
    const all = [`--format=${platform}`, `--directory=${from}`, ...argv, `--output=${output}`];
    const result = await root.run([mkimage, ...all, ...GRUB_MODULES[platform]], { signal });
    if (result.status === 0) return;
    throw new HoldfastError('HF-GRUB', `GRUB’s program for ${platform} could not be built`, {
      cause: commandFailed(result),
    });
  };
  await build('x86_64-efi', directory, GRUB_EFI_PROGRAM, [`--prefix=${EFI_PREFIX}`]);
  const bios = grubBiosDirectory(root);
  if (bios !== undefined) {
    const config = `${dirname(GRUB_BIOS_CORE)}/core.cfg`;
    root.writeFile(config, BIOS_CONFIG);
    await build('i386-pc', bios, GRUB_BIOS_CORE, ['--prefix=/grub2', `--config=${config}`]);
    copyFileSync(root.resolve(`${bios}/boot.img`), root.resolve(GRUB_BIOS_BOOT_SECTOR));
  }
  const font = grubFont(root);
  if (font !== undefined) copyFileSync(root.resolve(font), root.resolve(GRUB_FONT));
}
