// Puts the boot loader onto a new system's partitions. It only copies: the EFI program was built when the image was
// made (`holdfast init`), so the installing machine needs no GRUB tool and boots what the image's builder tested.

import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsyncPath, renameDurably } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import { writeGrubEnvironment } from './grub-environment.ts';

/** Where `holdfast init` leaves GRUB's EFI program in an image. */
export const GRUB_EFI_PROGRAM = '/usr/lib/holdfast/grub/x86_64-efi/grubx64.efi';
/** The boot menu that an image brings. */
export const GRUB_MENU = '/etc/cos/grub.cfg';
/** What firmware starts from a disk that it has no boot entry for. */
const REMOVABLE_PATH = 'EFI/BOOT/BOOTX64.EFI';
/** Read by the EFI program, whose prefix is this directory. */
const EFI_CONFIG = 'EFI/BOOT/grub.cfg';

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
 * Writes the EFI program with its configuration, the menu, and the two environment blocks.
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
  put(join(espDirectory, EFI_CONFIG), Buffer.from(efiConfig(labels.state_label)));
  // Last, since it is what makes the disk bootable.
  put(join(espDirectory, REMOVABLE_PATH), readFileSync(image.resolve(GRUB_EFI_PROGRAM)));
}

/** What GRUB runs first: finds the state partition, on its own disk before any other, and shows the menu there. */
export function efiConfig(stateLabel: string): string {
  return `# Written by holdfast install. The menu itself is grub2/grub.cfg on the partition ${stateLabel}.
regexp --set=1:boot_disk '^\\(?([^,)]+)' "$root"
search --no-floppy --label --hint "$boot_disk," --set=root ${stateLabel}
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
