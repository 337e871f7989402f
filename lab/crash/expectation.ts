// What every state of a recording is held against: the systems and boot files that were on the disk before the command
// and after it. Anything else that a state holds is a fault.

import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { MARK_OFFSET } from '../../src/slots/install-mark.ts';
import { SLOT_FILES, SLOT_NAMES, type SlotName } from '../../src/slots/names.ts';
import { GrubView } from './grub-view.ts';
import type { LinuxView } from './linux-view.ts';
import { readAt, readSlotContent, type SlotContent } from './slot-content.ts';

/** The partition that a slot file is on. */
export const SLOT_PARTITIONS = { active: 'state', passive: 'state', recovery: 'recovery' } as const;

/** Boot files that are read by GRUB or the firmware, by partition. */
export const BOOT_FILES = {
  efi: ['/EFI/BOOT/BOOTX64.EFI', '/EFI/BOOT/grub.cfg'],
  state: ['/grub2/grub.cfg'],
} as const;

/** What a disk holds between two commands. */
export interface DiskContent {
  /** UUID of each slot. */
  slots: Partial<Record<SlotName, string>>;
  /** `efi:/EFI/BOOT/grub.cfg` and its like. */
  bootFiles: Record<string, Buffer>;
  /** The first MiB: partition table, and GRUB for BIOS. */
  head: Buffer;
}

export interface Expectation {
  before: DiskContent | undefined;
  after: DiskContent;
  /** The systems by UUID. */
  systems: ReadonlyMap<string, SlotContent>;
}

/** Looks at a disk that nothing happened to; `view` is over the same image. */
export async function readDiskContent(
  image: string,
  view: LinuxView,
  systems: Map<string, SlotContent>,
): Promise<DiskContent> {
  const slots: DiskContent['slots'] = {};
  for (const name of SLOT_NAMES) {
    const content = await view.lookLong(SLOT_PARTITIONS[name], async (directory) => {
      const file = join(directory, SLOT_FILES[name]);
      return existsSync(file) ? await readSlotContent(file) : undefined;
    });
    if (content === undefined) continue;
    const known = systems.get(content.uuid);
    if (known !== undefined && !isSame(known, content)) throw new Error(`two systems have the UUID ${content.uuid}`);
    if (known === undefined) systems.set(content.uuid, content);
    slots[name] = content.uuid;
  }
  const grub = new GrubView(image);
  const bootFiles: DiskContent['bootFiles'] = {};
  for (const partition of ['efi', 'state'] as const) {
    for (const path of BOOT_FILES[partition]) {
      const content = grub.read(partition, path);
      if (content !== undefined) bootFiles[`${partition}:${path}`] = content;
    }
  }
  return { slots, bootFiles, head: readHead(image) };
}

/** What lies before the first partition: the table and GRUB for BIOS, but for the mark of an install that isn't done. */
export function readHead(image: string): Buffer {
  const fd = openSync(image, 'r');
  try {
    return readAt(fd, 0, MARK_OFFSET);
  } finally {
    closeSync(fd);
  }
}

function isSame(a: SlotContent, b: SlotContent): boolean {
  return (
    a.stretches.length === b.stretches.length &&
    a.stretches.every((stretch, index) => {
      const other = b.stretches[index];
      return (
        other !== undefined &&
        other.offset === stretch.offset &&
        other.used.length === stretch.used.length &&
        stretch.used.every((part, at) => other.used[at]?.content.equals(part.content) === true)
      );
    })
  );
}
