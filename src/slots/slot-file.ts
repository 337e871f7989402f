// A slot file: a complete operating system as an ext4 filesystem in a file. It is preallocated, so that a full disk
// shows up before the first byte is written; it is never relabelled or written while something boots or runs from it.

import { closeSync, constants, copyFileSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsyncPath } from '../system/durable.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import { commandFailed, run, runChecked } from '../system/process.ts';
import { MIB } from './partitions.ts';

/**
 * Features that every GRUB since 2.02 reads. Without metadata checksums a new UUID is a change of one block; without
 * a journal a read-only mount never has anything to replay (cOS uses ext2 for the same reasons).
 */
export const SLOT_FEATURES =
  'none,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,resize_inode';

/** Kept free on the partition beyond what is needed. */
export const RESERVE_BYTES = 64 * MIB;

/**
 * The size of a slot file for a tree: its content, room for the owner's packages and files that hooks add, and the
 * filesystem's own tables.
 * @param contentBytes regular files, each rounded up to a block of 4096 bytes.
 * @param entries number of inodes.
 */
export function slotSize(contentBytes: number, entries: number): number {
  return Math.ceil((filledSize(contentBytes, entries) + headroom(contentBytes)) / MIB) * MIB;
}

/** Room in a slot for the owner's packages and files that hooks add. */
export function headroom(contentBytes: number): number {
  return Math.max(512 * MIB, contentBytes * 0.25);
}

/** What a tree takes as an ext4 filesystem, without any room to grow; see {@link slotSize}. */
export function filledSize(contentBytes: number, entries: number): number {
  return Math.ceil(contentBytes * 1.05 + entries * 256 * 2);
}

/**
 * Checks the room for `needBytes` before anything is written.
 * @param options.reclaimableBytes what will be removed first.
 * @throws HoldfastError HF-NO-SPACE with the figures.
 */
export function requireSpace(
  directory: string,
  needBytes: number,
  purpose: string,
  options: { reclaimableBytes?: number } = {},
): void {
  const free = freeBytes(directory) + (options.reclaimableBytes ?? 0);
  if (free >= needBytes + RESERVE_BYTES) return;
  const mib = (bytes: number) => `${Math.ceil(bytes / MIB)} MiB`;
  throw new HoldfastError(
    'HF-NO-SPACE',
    `not enough space in ${directory} for ${purpose}: ${mib(needBytes + RESERVE_BYTES)} needed, ${mib(free)} free`,
    { hint: 'remove what is not needed there; nothing was changed' },
  );
}

/** Makes an empty, preallocated slot file with a fresh UUID. An old file of that name is removed first. */
export async function createSlotFile(file: string, options: { sizeBytes: number; label: string }): Promise<void> {
  rmSync(file, { force: true });
  requireSpace(dirname(file), options.sizeBytes, file);
  const allocated = await run(['fallocate', '--length', String(options.sizeBytes), file]);
  if (allocated.status !== 0) {
    rmSync(file, { force: true });
    throw commandFailed(allocated, 'the partition must be able to hold the whole file');
  }
  await runChecked([
    'mkfs.ext4',
    '-q',
    '-F',
    '-O',
    SLOT_FEATURES,
    '-m',
    '0',
    '-b',
    '4096',
    '-L',
    options.label,
    // Without nodiscard mkfs would give the preallocated blocks back.
    '-E',
    'nodiscard,lazy_itable_init=1',
    file,
  ]);
}

/**
 * Copies a slot file: as a clone that shares its blocks where the filesystem can, else block by block, without the
 * holes. The copy is on the disk when this returns.
 * @returns whether it is a clone.
 */
export async function cloneSlotFile(from: string, to: string): Promise<{ cloned: boolean }> {
  const cloned = tryCloneSlotFile(from, to);
  if (!cloned) {
    requireSpace(dirname(to), statSync(from).blocks * 512, to);
    await runChecked(['cp', '--sparse=always', '--reflink=never', from, to]);
    fsyncPath(to);
  }
  return { cloned };
}

/** Copies a slot file as a clone. Returns false, with nothing at `to`, where the filesystem can't. */
export function tryCloneSlotFile(from: string, to: string): boolean {
  rmSync(to, { force: true });
  try {
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE);
    fsyncPath(to);
    return true;
  } catch (error) {
    rmSync(to, { force: true });
    const errno = errnoOf(error) ?? '';
    // What a filesystem answers that can't clone, or for two filesystems.
    if (['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EINVAL', 'ENOTTY'].includes(errno)) return false;
    throw error;
  }
}

/** How many bytes of an unmounted slot file hold something, by its superblock (ext4's layout on disk). */
export function filledBytes(file: string): number {
  const superblock = Buffer.alloc(32);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, superblock, 0, superblock.length, 1024);
  } finally {
    closeSync(fd);
  }
  const [blocks, free, logBlockSize] = [
    superblock.readUInt32LE(4),
    superblock.readUInt32LE(12),
    superblock.readUInt32LE(24),
  ];
  return Math.max(0, blocks - free) * (1024 << logBlockSize);
}

/** Gives a file with holes all of its blocks. */
export async function allocateSlotFile(file: string): Promise<void> {
  const { size, blocks } = statSync(file);
  requireSpace(dirname(file), Math.max(0, size - blocks * 512), file);
  await runChecked(['fallocate', '--length', String(size), file]);
}

/** Gives an unmounted slot file another label. */
export async function labelSlotFile(file: string, label: string): Promise<void> {
  await runChecked(['tune2fs', '-L', label, file]);
  fsyncPath(file);
}

/** Gives an unmounted slot file a fresh UUID: a new deployment. */
export async function renewSlotId(file: string): Promise<void> {
  await runChecked(['tune2fs', '-f', '-U', 'random', file]);
}

/** Grows an unmounted slot file to at least `sizeBytes`; the new part is preallocated. */
export async function growSlotFile(file: string, sizeBytes: number): Promise<void> {
  const { size } = statSync(file);
  if (size >= sizeBytes) return;
  requireSpace(dirname(file), sizeBytes - size, file);
  await runChecked(['fallocate', '--offset', String(size), '--length', String(sizeBytes - size), file]);
  await checkSlotFile(file, { repair: true });
  await runChecked(['resize2fs', file]);
}

/**
 * Checks the filesystem of an unmounted slot file and puts the file on the disk.
 * @throws HoldfastError HF-DEPLOY when it isn't clean.
 */
export async function checkSlotFile(file: string, options: { repair?: boolean } = {}): Promise<void> {
  const result = await run(['e2fsck', '-f', options.repair ? '-p' : '-n', file]);
  // e2fsck(8): 0 clean, 1 errors were corrected.
  if (result.status === 0 || (options.repair && result.status === 1)) return fsyncPath(file);
  throw new HoldfastError('HF-DEPLOY', `the filesystem in ${file} is damaged`, { cause: commandFailed(result) });
}
