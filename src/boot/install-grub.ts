// Puts the boot loader onto a new system's partitions. It only copies: GRUB's programs were built when the image was
// made (`holdfast init`) or come signed with its distribution, so the installing machine needs no GRUB tool and boots
// what the image's builder tested.

import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsyncPath, renameDurably } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import { writeGrubEnvironment } from './grub-environment.ts';
import { configDirectories, findSignedLoader, GRUB_EFI_PROGRAM, GRUB_FONT, GRUB_MENU } from './grub-files.ts';

/** What firmware starts from a disk that it has no boot entry for. */
export const REMOVABLE_PATH = 'EFI/BOOT/BOOTX64.EFI';

/** Partition and image labels by the names that grub.cfg has for them. */
export interface GrubLabels {
  state_label: string;
  recovery_label: string;
  oem_label: string;
  persistent_label: string;
  active_label: string;
  passive_label: string;
  system_label: string;
}

export const DEFAULT_LABELS: GrubLabels = {
  state_label: 'COS_STATE',
  recovery_label: 'COS_RECOVERY',
  oem_label: 'COS_OEM',
  persistent_label: 'COS_PERSISTENT',
  active_label: 'COS_ACTIVE',
  passive_label: 'COS_PASSIVE',
  system_label: 'COS_SYSTEM',
};

export interface InstallGrubOptions {
  /** The tree of the image that is being installed. */
  image: Root;
  /** Where the ESP is mounted, or a directory whose content is copied to it. */
  espDirectory: string;
  stateDirectory: string;
  oemDirectory: string;
  /** Default: cOS's labels. */
  labels?: Partial<GrubLabels>;
  /** The title of the first menu entry. */
  menuEntry: string;
}

/**
 * Writes the EFI programs with their configuration, the menu, and the two environment blocks. Where the image has a
 * signed loader, the firmware starts that one, with and without Secure Boot.
 * @throws HoldfastError HF-NOT-BOOTABLE when the image lacks the EFI program or the menu.
 */
export function installGrub(options: InstallGrubOptions): void {
  const { image, espDirectory, stateDirectory, oemDirectory, menuEntry } = options;
  const missing = [GRUB_EFI_PROGRAM, GRUB_MENU].filter((path) => !image.stat(path)?.isFile());
  if (missing.length > 0) {
    throw new HoldfastError('HF-NOT-BOOTABLE', `the image has no ${missing.join(' and no ')}`, {
      hint: 'run `holdfast init` in the image as the last step of its build',
    });
  }
  const labels = { ...DEFAULT_LABELS, ...options.labels };
  put(join(stateDirectory, 'grub2/grub.cfg'), readFileSync(image.resolve(GRUB_MENU)));
  // Both exist from the first boot on: GRUB can overwrite a block, but not make a file.
  writeGrubEnvironment(join(stateDirectory, 'grub_oem_env'), { default_menu_entry: menuEntry, ...labels });
  writeGrubEnvironment(join(oemDirectory, 'grubenv'), {});
  if (image.stat(GRUB_FONT)?.isFile()) {
    put(join(stateDirectory, 'grub2/fonts/unicode.pf2'), readFileSync(image.resolve(GRUB_FONT)));
  }
  const read = (path: string) => readFileSync(image.resolve(path));
  const signed = findSignedLoader((path) => image.stat(path)?.isFile() === true);
  const config = Buffer.from(efiConfig(labels, { signed: signed !== undefined }));
  const directories = signed === undefined ? ['EFI/BOOT'] : configDirectories(read(signed.grub), signed.vendor);
  for (const directory of directories) put(join(espDirectory, directory, 'grub.cfg'), config);
  if (signed !== undefined) {
    // The names that shim has for them.
    put(join(espDirectory, 'EFI/BOOT/grubx64.efi'), read(signed.grub));
    put(join(espDirectory, 'EFI/BOOT/mmx64.efi'), read(signed.mokManager));
  }
  // Last, since it is what makes the disk bootable.
  put(join(espDirectory, REMOVABLE_PATH), read(signed?.shim ?? GRUB_EFI_PROGRAM));
}

/**
 * What GRUB's EFI program runs first: finds the partition with the menu, and shows it. That is the state partition; an
 * expandable disk has none before its first boot, and its menu is on the recovery partition. What is on the ESP's own disk
 * goes first; without any the state partition of another disk counts.
 * @param options.signed for a distribution's GRUB, whose tpm module (2.06) reads every file as a whole to measure it. That
 *   includes image files that are only attached: "out of memory".
 */
export function efiConfig(
  labels: Pick<GrubLabels, 'state_label' | 'recovery_label'>,
  options: { signed?: boolean } = {},
): string {
  const { state_label: state, recovery_label: recovery } = labels;
  return `# Written by holdfast. The menu is grub2/grub.cfg on ${state}, or on ${recovery} of an expandable disk's first boot.
${options.signed ? 'rmmod tpm\n' : ''}\
regexp --set=1:boot_disk '^\\(?([^,)]+)' "$root"
set found=
search --no-floppy --label --hint "$boot_disk," --set=found ${state}
set menu=
if regexp "^$boot_disk," "$found"; then
  if [ -s ($found)/grub2/grub.cfg ]; then set menu="$found"; fi
fi
if [ -z "$menu" ]; then
  search --no-floppy --label --hint "$boot_disk," --set=menu ${recovery}
  if regexp "^$boot_disk," "$menu"; then
    if [ ! -s ($menu)/grub2/grub.cfg ]; then set menu="$found"; fi
  else
    set menu="$found"
  fi
fi
if [ "$menu" ]; then set root="$menu"; fi
set prefix=($root)/grub2
configfile ($root)/grub2/grub.cfg
`;
}

/** Replaces a file as a whole. FAT refuses to change owners and modes, so these are left as they come. */
function put(file: string, content: Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.new`;
  const fd = openSync(temporary, 'w');
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameDurably(temporary, file);
  fsyncPath(dirname(dirname(file)));
}
