// The names that are the contract with GRUB, the initramfs and every script in the field: partition labels, slot
// files and their labels, and where things are mounted. They are cOS-toolkit's.

/** The five partitions, in the order that elemental-toolkit 1.x puts them on a disk. */
export const PARTITION_ROLES = ['efi', 'oem', 'recovery', 'state', 'persistent'] as const;
export type PartitionRole = (typeof PARTITION_ROLES)[number];

/** Filesystem labels by role. */
export const PARTITION_LABELS: Readonly<Record<PartitionRole, string>> = {
  efi: 'COS_GRUB',
  oem: 'COS_OEM',
  recovery: 'COS_RECOVERY',
  state: 'COS_STATE',
  persistent: 'COS_PERSISTENT',
};

export const SLOT_NAMES = ['active', 'passive', 'recovery'] as const;
export type SlotName = (typeof SLOT_NAMES)[number];

/** Filesystem labels of the slot files, kept for people and scripts that look for them; nothing here depends on them. */
export const SLOT_LABELS: Readonly<Record<SlotName, string>> = {
  active: 'COS_ACTIVE',
  passive: 'COS_PASSIVE',
  recovery: 'COS_SYSTEM',
};

/** The labels of one machine: cOS lets an image choose them at install time (/etc/cos/config). */
export interface Labels {
  partitions: Readonly<Record<PartitionRole, string>>;
  slots: Readonly<Record<SlotName, string>>;
}

export const DEFAULT_LABELS: Labels = { partitions: PARTITION_LABELS, slots: SLOT_LABELS };

/** Slot files, relative to their partition: STATE for active and passive, RECOVERY for recovery. */
export const SLOT_FILES: Readonly<Record<SlotName, string>> = {
  active: 'cOS/active.img',
  passive: 'cOS/passive.img',
  recovery: 'cOS/recovery.img',
};

/** What GRUB takes instead of the recovery slot's image file when it is there. */
export const RECOVERY_SQUASHFS = 'cOS/recovery.squashfs';

/** The slot file that is being built; nothing boots from it. */
export const TRANSITION_FILE = 'cOS/transition.img';

/**
 * Where the views of overlays are put together, beside the slots that they are clones of. They have a slot's UUID, so no
 * name ends as a slot file's does: the initramfs looks at all of those.
 */
export const OVERLAY_WORK_FILES = {
  oldView: 'cOS/overlay-old',
  newView: 'cOS/overlay-new',
  /** The new base with the owner's packages, from which a shutdown starts again. */
  packages: 'cOS/overlay-packages',
} as const;

/** A copy of a slot that is booted in a container; no slot's name, since it has the UUID of one. */
export const REHEARSAL_FILE = 'cOS/rehearsal';

/** What is being built of a recovery system that is a squashfs, beside the one that it replaces. */
export const NEW_SQUASHFS = `${RECOVERY_SQUASHFS}.new`;

/** Where cOS's way of booting a squashfs has the partition that holds it. */
export const LIVE_PARTITION = '/run/initramfs/live';

/**
 * A second name for the file that the running system was booted from, while an upgrade waits for its reboot. Without it
 * the file would be deleted but in use, and a filesystem with such a file can't be made read-only again.
 */
export const RUNNING_FILE = 'cOS/running.img';

/** A second name for an active system that a rollback takes away, until it is the passive one. */
export const OUTGOING_FILE = 'cOS/outgoing.img';

/**
 * A second name for a slot file that is being replaced, until GRUB sees the new one: the initramfs looks for the system
 * whose kernel is running in all of /cOS/*.img.
 */
export const LEAVING_FILE = 'cOS/leaving.img';

/**
 * A second name for a slot file whose content shows in the running system without a reboot, and the first digits of its UUID:
 * the next change replaces the slot's own name. Not one that the initramfs looks at.
 */
export const LIVE_FILE_PREFIX = 'cOS/live-';

/** A slot's content as it came from its image, before local hooks ran. */
export function pristineFile(digest: string): string {
  return `cOS/pristine-${digest.replace(/^sha256:/, '').slice(0, 16)}.img`;
}

/** What is known of the layers that a pristine was made of, entry by entry. */
export function pristineIndexFile(digest: string): string {
  return pristineFile(digest).replace(/img$/, 'index');
}

/** Who made what differs in a slot, by the UUID of its file system. @throws Error for what can be no part of a name. */
export function ledgerFile(uuid: string): string {
  if (!/^[0-9A-Za-z-]{1,80}$/.test(uuid)) throw new Error(`${JSON.stringify(uuid)} is no UUID`);
  return `cOS/ledger-${uuid}.ndjson.gz`;
}

/** What an upgrade has fetched, until it is done: an interrupted one goes on where it was. */
export const FETCH_DIRECTORY = 'cOS/.fetch';

/** A slot that a plan has built and that waits for `upgrade --apply`; nothing boots from it. */
export const PLANNED_FILE = 'cOS/planned.img';

/** What it was made from and how it is checked; a plan counts only with it. */
export const PLANNED_RECORD = 'cOS/planned.json';

/** What the plan says, and what hooks wrote outside of the new system. */
export const PLANNED_DETAILS = 'cOS/planned.details.gz';

/** Those writes themselves, as the upper halves of overlays. */
export const PLANNED_WRITES = 'cOS/planned.writes';

/** Menu entry ids of grub.cfg by slot. */
export const MENU_ENTRIES: Readonly<Record<SlotName, string>> = {
  active: 'cos',
  passive: 'fallback',
  recovery: 'recovery',
};

/** Where the partition that holds the booted slot file is mounted since the initramfs. */
export const BOOTED_PARTITION = '/run/initramfs/cos-state';
