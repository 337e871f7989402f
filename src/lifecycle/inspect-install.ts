// What an install finds: the disk with what is on it, and the image with what it needs. Nothing is written; partitions
// are looked into read-only, without replaying their journals.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootEntryObstacle } from '../boot/boot-entry.ts';
import { hasEfiProgram } from '../boot/fill-esp.ts';
import {
  findSignedLoader,
  GRUB_BIOS_BOOT_SECTOR,
  GRUB_BIOS_CORE,
  GRUB_EFI_PROGRAM,
  GRUB_MENU,
  SIGNED_LOADER_PATHS,
} from '../boot/grub-files.ts';
import { type Estimate, estimateImage } from '../image/estimate.ts';
import { measureImage } from '../image/measure.ts';
import { type Disk, type FoundPartition, hasBootCode, looksUsed, openDisk, readPartitions } from '../slots/disk.ts';
import { usersOfDisk } from '../slots/disk-users.ts';
import { hasInstallMark } from '../slots/install-mark.ts';
import { DEFAULT_LABELS, type Labels, SLOT_FILES } from '../slots/names.ts';
import { BIOS_PARTITION } from '../slots/partitions.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import { freeBytes } from '../system/filesystems.ts';
import { attachLoop } from '../system/loopdevices.ts';
import { mountUntilEnd } from '../system/mounts.ts';
import { UndoStack } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import { requireTools } from '../system/tools.ts';
import type { InstallFacts, InstallRequest } from './install.ts';
import { type DiskContent, refuseContent } from './install-refusals.ts';
import { checkLayout } from './partition-layout.ts';
import { UPGRADE_TOOLS } from './upgrade.ts';

const INSTALL_TOOLS = [
  ...UPGRADE_TOOLS,
  'blockdev',
  'lsblk',
  'mcopy',
  'mdir',
  'mkfs.vfat',
  'mkfs.xfs',
  'mren',
  'partx',
  'sfdisk',
];

/** Paths without which no image boots; looked for in the image before the disk is touched. */
const REQUIRED_PATHS = ['/boot/vmlinuz', '/boot/initrd', '/etc/cos/bootargs.cfg', GRUB_MENU, GRUB_EFI_PROGRAM];
/** Without these it boots by UEFI alone. */
const BIOS_PATHS = [GRUB_BIOS_CORE, GRUB_BIOS_BOOT_SECTOR];

export interface InspectOptions {
  /** An own directory below /run for mount points. */
  workDirectory: string;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Read all of the image even where there is nothing to lose on the disk. */
  exact?: boolean;
}

/** Programs that an image may need to be unpacked; which ones it does isn't known before it is read. */
const UNPACK_TOOLS = ['getfattr', 'mknod', 'setfattr'];

/**
 * Looks at the disk and at the image; changes nothing. Where the disk holds something, all of the image is read once, so
 * that a damaged one is found before the first write. Where it holds nothing, what the image needs is estimated, and
 * the image is read once, when it is unpacked.
 */
export async function inspectInstall(request: InstallRequest, options: InspectOptions): Promise<InstallFacts> {
  const { image, partitioning, labels = DEFAULT_LABELS } = request;
  const filesystems = partitioning !== undefined && 'wishes' in partitioning ? partitioning.wishes : undefined;
  const wished = [
    ...Object.values(filesystems?.filesystems ?? {}),
    ...(filesystems?.extra ?? []).map((one) => one.filesystem),
  ];
  if (partitioning?.kind === 'keep') requireTools(['mmd']);
  requireTools([...INSTALL_TOOLS, ...new Set(wished.flatMap((type) => (type === undefined ? [] : `mkfs.${type}`)))]);
  if (partitioning?.kind === 'layout') checkLayout(partitioning.file, request.target);
  const { disk, found, users, content } = await inspectDisk(request.target, labels, options.workDirectory);
  // Before the minutes that reading the image takes.
  refuseContent(request, { disk, users, content });
  const { workDirectory: _, exact = false, ...reading } = options;
  const { recovery } = request;
  const common = {
    disk,
    found,
    users,
    content,
    image: { digest: image.kind === 'oci' ? image.digest : undefined, source: image.source },
    noBootEntry: whyNoBootEntry(request, disk),
  };
  if (!exact && mayStream(request, content)) {
    requireTools(UNPACK_TOOLS);
    return {
      ...common,
      measured: await estimateImage(image, reading),
      recoveryMeasured: recovery?.kind === 'image' ? await estimateImage(recovery.image, reading) : undefined,
      missingPaths: [],
      boots: undefined,
    };
  }
  const measured = await measureImage(image, {
    skipLayers: 0,
    lookFor: [...REQUIRED_PATHS, ...BIOS_PATHS, ...SIGNED_LOADER_PATHS].map((path) => path.slice(1)),
    ...reading,
  });
  const has = (path: string) => measured.found.has(path.slice(1));
  return {
    ...common,
    measured: exactly(measured),
    recoveryMeasured: recovery?.kind === 'image' ? await measureRecovery(recovery.image, reading) : undefined,
    missingPaths: REQUIRED_PATHS.filter((path) => !has(path)),
    boots: bootsOf(has),
  };
}

/**
 * Looks at a disk alone; changes nothing.
 * @param workDirectory an own directory below /run for mount points.
 * @throws HoldfastError HF-TARGET when it is no disk.
 */
export async function inspectDisk(
  path: string,
  labels: Labels,
  workDirectory: string,
): Promise<Pick<InstallFacts, 'disk' | 'found' | 'users' | 'content'>> {
  const disk = await openDisk(path);
  const found = await readPartitions(disk);
  const users = await usersOfDisk(disk);
  // A disk in use can't be looked into from outside, and needn't.
  const content: DiskContent =
    users.length > 0
      ? judgeByLabels(found, labels)
      : await inspectContent(disk, found, labels, join(workDirectory, 'look'));
  return { disk, found, users, content };
}

/** What is on a disk that must not be looked into. */
function judgeByLabels(found: readonly FoundPartition[], labels: Labels): DiskContent {
  const ours = found.flatMap(({ label }) => label ?? []).filter((label) => isOurs(label, labels));
  const kind = ours.includes(labels.partitions.state) ? 'system' : ours.length > 0 ? 'partitions' : 'other';
  return { kind, labels: ours, hasBiosPartition: false };
}

/** Whether the image may be read for the first time when it is unpacked: nothing on the disk is lost if it is no good. */
function mayStream({ image, firmware, partitioning }: InstallRequest, { kind }: DiskContent): boolean {
  // The owner's own layout has a partition for GRUB for BIOS only if the image has it.
  if (image.kind !== 'oci' || (partitioning !== undefined && partitioning.kind !== 'new')) return false;
  // Who insists on BIOS wants to know whether the image has GRUB for it.
  return firmware !== 'bios' && (kind === 'nothing' || kind === 'unfinished');
}

function exactly({ contentBytes, entries, compressedBytes }: Omit<Estimate, 'exact' | 'basis'>): Estimate {
  return { contentBytes, entries, compressedBytes, exact: true, basis: 'its files' };
}

/** How a disk with this image will boot, beside UEFI. */
function bootsOf(has: (path: string) => boolean): { bios: boolean; secureBoot: boolean } {
  return { bios: BIOS_PATHS.every(has), secureBoot: findSignedLoader(has) !== undefined };
}

/**
 * What the inspection couldn't know of an image that was not read: called with its tree, before anything else is made of
 * it.
 * @throws HoldfastError HF-NOT-BOOTABLE when it can't be installed.
 */
export function inspectUnpacked(root: Root): { bios: boolean; secureBoot: boolean } {
  const has = (path: string) => root.lstat(path) !== undefined;
  const missing = REQUIRED_PATHS.filter((path) => !has(path));
  if (missing.length > 0) {
    throw new HoldfastError('HF-NOT-BOOTABLE', `the image can't boot: it lacks ${missing.join(', ')}`, {
      hint: 'add a kernel package to the image and run `holdfast init` in it as the last build step; the disk was empty, and a new install may overwrite it',
    });
  }
  return bootsOf(has);
}

async function measureRecovery(
  image: InstallRequest['image'],
  reading: Omit<InspectOptions, 'workDirectory'>,
): Promise<Estimate> {
  const needed = REQUIRED_PATHS.slice(0, 3);
  const measured = await measureImage(image, {
    skipLayers: 0,
    lookFor: needed.map((path) => path.slice(1)),
    ...reading,
  });
  const missing = needed.filter((path) => !measured.found.has(path.slice(1)));
  if (missing.length === 0) return exactly(measured);
  throw new HoldfastError(
    'HF-NOT-BOOTABLE',
    `the image of the recovery system can't boot: it lacks ${missing.join(', ')}`,
    {
      hint: 'name another image with --recovery-system; the disk was not changed',
    },
  );
}

function whyNoBootEntry({ bootEntry, firmware }: InstallRequest, disk: Disk): string | undefined {
  if (!bootEntry) return 'it was not asked for';
  if (disk.kind === 'image') return 'a disk image is for another machine';
  if (firmware === 'bios') return 'the disk is for BIOS';
  return bootEntryObstacle();
}

/** What is on a disk that is not in use. */
async function inspectContent(
  disk: Disk,
  found: readonly FoundPartition[],
  labels: Labels,
  mountPoint: string,
): Promise<DiskContent> {
  const hasBiosPartition = found.some(
    ({ name, startBytes, sizeBytes }) =>
      name === BIOS_PARTITION.name && startBytes === BIOS_PARTITION.startBytes && sizeBytes >= BIOS_PARTITION.sizeBytes,
  );
  const ours = found.flatMap(({ label }) => label ?? []).filter((label) => isOurs(label, labels));
  const content = (kind: DiskContent['kind'], free?: DiskContent['free']): DiskContent => ({
    kind,
    labels: ours,
    hasBiosPartition,
    free,
  });
  if (hasInstallMark(disk) && !(await canStart(disk, found, labels))) return content('unfinished');
  const state = found.find(({ label }) => label === labels.partitions.state);
  if (state === undefined) {
    if (ours.length > 0) return content('partitions');
    return content(looksUsed(disk) ? 'other' : 'nothing');
  }
  const seen = await lookInto(disk, state, mountPoint, [SLOT_FILES.active, SLOT_FILES.passive]);
  // What can't be read may be a system whose journal must be replayed first.
  if (seen === undefined) return content('system');
  const recovery = found.find(({ label }) => label === labels.partitions.recovery);
  const spare = recovery && (await lookInto(disk, recovery, mountPoint, []));
  const free = { state: seen.freeBytes, recovery: spare?.freeBytes, stateClones: state.type === 'xfs' };
  return content(seen.names.length > 0 ? 'system' : 'partitions', free);
}

/** Whether firmware can start anything on the disk. A firmware's partition that can't be read holds nothing yet. */
async function canStart(disk: Disk, found: readonly FoundPartition[], labels: Labels): Promise<boolean> {
  if (hasBootCode(disk)) return true;
  const esp = found.find(({ label }) => label === labels.partitions.efi);
  if (esp === undefined) return false;
  try {
    return await hasEfiProgram(`${disk.path}@@${esp.startBytes}`);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-IO') return false;
    throw error;
  }
}

function isOurs(label: string, labels: Labels): boolean {
  return label.startsWith('COS_') || Object.values(labels.partitions).includes(label);
}

/** Which of these names a partition has, and how much may be written to it; undefined when it can't be mounted. */
async function lookInto(
  disk: Disk,
  { startBytes, sizeBytes, type }: FoundPartition,
  mountPoint: string,
  names: readonly string[],
): Promise<{ names: string[]; freeBytes: number } | undefined> {
  const undo = new UndoStack();
  try {
    const { device } = await attachLoop(undo, disk.path, { offsetBytes: startBytes, sizeBytes, readOnly: true });
    const unreplayed = type === 'xfs' ? ['norecovery'] : type?.startsWith('ext') ? ['noload'] : [];
    await mountUntilEnd(undo, device, mountPoint, { options: ['ro', ...unreplayed] });
    return { names: names.filter((name) => existsSync(join(mountPoint, name))), freeBytes: freeBytes(mountPoint) };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-MOUNT') return undefined;
    throw error;
  } finally {
    await undo.unwind(true);
  }
}
