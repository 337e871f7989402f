// What the actions of an install find and leave for each other.

import type { Image } from '../image/image.ts';
import type { ActionRecord } from '../record/action-record.ts';
import type { PartitionRole } from '../slots/names.ts';
import type { BuildSlotState, BuiltSystem } from './build-slot.ts';
import type { InstallFacts, InstallRequest } from './install.ts';

export interface InstallState extends BuildSlotState {
  image: Image;
  request: InstallRequest;
  facts: InstallFacts;
  now: string;
  /** What the new machine's record begins with. */
  record: ActionRecord;
  /** Where partitions are mounted once they are. */
  directories: Record<PartitionRole, string>;
  /** The ESP's loop device; it is written with mtools, never mounted. */
  espDevice?: string;
  /** How the disk will boot, beside UEFI; set when the image was unpacked, if it wasn't known before. */
  boots: InstallFacts['boots'];
  /** GRUB for BIOS, read from the new system while it was open. */
  biosBoot?: { bootImage: Uint8Array; coreImage: Uint8Array };
  /** The recovery system, when it is built from an image of its own. */
  recoveryBuilt?: BuiltSystem | undefined;
  /** That of a recovery system that is copied from a file. */
  recoveryUuid?: string;
  /** Partitions that are attached, and mounted but for the ESP, in this order; `close` takes each down. */
  open: { role: PartitionRole; close: () => Promise<void> }[];
}
