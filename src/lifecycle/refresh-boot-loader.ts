// The boot loader of an installed machine after a reset or a deploy: the menu and its blocks on STATE, the programs on the
// firmware's partition, and GRUB for BIOS where the disk has room for it. It is brought up to date after the switch: the
// old one boots the new system as well.

import { closeSync, mkdirSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { installBiosBoot, placedCore } from '../boot/bios-boot.ts';
import { readGrubEnvironment } from '../boot/grub-environment.ts';
import { GRUB_BIOS_BOOT_SECTOR, GRUB_BIOS_CORE } from '../boot/grub-files.ts';
import { installGrub } from '../boot/install-grub.ts';
import { refreshEsp } from '../boot/refresh-esp.ts';
import { describeBlockDevice } from '../slots/block-device.ts';
import { SLOT_FILES } from '../slots/names.ts';
import { readPartitionStarts } from '../slots/partition-name.ts';
import { BIOS_PARTITION } from '../slots/partitions.ts';
import { freezeAndThaw } from '../system/durable.ts';
import type { ApplyContext } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import { findProgram } from '../system/tools.ts';
import { prepareAssessment } from './assessment.ts';
import type { BuildSlotState } from './build-slot.ts';
import { grubLabels } from './grub-labels.ts';
import type { SwitchState } from './switch.ts';
import { openSlotFile } from './target.ts';

/** Names of the stage files that an owner gives to an action, as elemental has them. */
export function customFileName(index: number, count: number): string {
  return count === 1 ? '99_custom.yaml' : `${90 + index}_custom.yaml`;
}

/** @throws HoldfastError HF-NOT-BOOTABLE when the new system brings no boot loader: the old one stays. */
export async function refreshBootLoader(context: ApplyContext, state: SwitchState & BuildSlotState): Promise<void> {
  const { session, stateDirectory, workDirectory, built, owner } = state;
  const active = join(stateDirectory, SLOT_FILES.active);
  const { root, close } = await openSlotFile(context.undo, active, join(workDirectory, 'target'), { readOnly: true });
  const files = join(workDirectory, 'esp');
  const oemDirectory = owner.oem ?? join(workDirectory, 'no-oem');
  for (const directory of [files, oemDirectory]) mkdirSync(directory, { recursive: true });
  const title = readGrubEnvironment(join(stateDirectory, 'grub_oem_env')).get('default_menu_entry');
  installGrub({
    image: root,
    espDirectory: files,
    stateDirectory,
    oemDirectory,
    labels: grubLabels(session.labels),
    menuEntry: built?.wantedMenuEntry ?? title ?? built?.menuEntry ?? 'cOS',
  });
  await prepareAssessment(stateDirectory);
  await freezeAndThaw(stateDirectory);
  const { efi } = session.partitions;
  if (efi === undefined) {
    context.events({
      type: 'notice',
      level: 'info',
      text: 'this disk has no partition for UEFI; nothing is written there',
    });
  } else if (efi.mountPoint === undefined && findProgram('mcopy') === undefined) {
    context.warn('the boot loader for UEFI stays as it is: the program mcopy (package mtools) is not installed');
  } else {
    await refreshEsp(files, efi);
  }
  await refreshBios(root, session.partitions.state?.device);
  await close();
}

/** GRUB for BIOS, where install put it; a disk that another installer made bootable is left alone. */
async function refreshBios(root: Root, stateDevice: string | undefined): Promise<void> {
  const present = [GRUB_BIOS_CORE, GRUB_BIOS_BOOT_SECTOR].every((path) => root.stat(path)?.isFile());
  if (!present || stateDevice === undefined) return;
  const { disk } = describeBlockDevice(stateDevice);
  const path = disk.startsWith('/') ? disk : `/dev/${disk}`;
  const starts = await readPartitionStarts(path);
  if (starts?.get(BIOS_PARTITION.name) !== BIOS_PARTITION.startBytes) return;
  const coreImage = readFileSync(root.resolve(GRUB_BIOS_CORE));
  const bootImage = readFileSync(root.resolve(GRUB_BIOS_BOOT_SECTOR));
  const placed = placedCore(coreImage, BIOS_PARTITION.startBytes / 512);
  if (readAt(path, BIOS_PARTITION.startBytes, placed.length).equals(placed)) return;
  installBiosBoot({ disk: path, bootImage, coreImage, partition: BIOS_PARTITION });
}

function readAt(path: string, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const fd = openSync(path, 'r');
  try {
    readSync(fd, bytes, 0, length, position);
  } finally {
    closeSync(fd);
  }
  return bytes;
}
