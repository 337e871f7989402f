// An ext4 file system made whole by mkfs, at any place of a disk image, without a mount: the same files give the same bytes.
// mkfs keeps the change times of what it reads, which nobody can choose, so they are set afterwards by debugfs.

import { closeSync, openSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { SLOT_FEATURES } from '../slots/slot-file.ts';
import type { ApplyContext } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { reproducibleEnvironment } from './source-time.ts';

export const EXT4_TOOLS = ['mkfs.ext4', 'debugfs', 'e2fsck', 'tune2fs'] as const;

/** What every GRUB since 2.02 reads, named one by one: distributions change what mkfs takes without asking. */
const PARTITION_FEATURES =
  'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum';

const ROOT_INODE = 2;
/** From here on inodes are files: the first is lost+found. */
const FIRST_FILE_INODE = 11;

export interface Ext4Options {
  /** A disk image, or a file that is to be the file system; it has its size already, and holes there. */
  file: string;
  offsetBytes?: number | undefined;
  sizeBytes: number;
  label: string;
  uuid: string;
  timeSeconds: number;
  /** A slot has no journal and no checksums, as everywhere (slot-file.ts). */
  kind: 'partition' | 'slot';
  /** What is put in it; nothing where it is absent. */
  directory?: string | undefined;
  /** Files' own times of change: as they are, or the medium's. */
  fileTimes: 'kept' | 'medium';
}

/**
 * @throws HoldfastError HF-COMMAND with the tools' words, also when the files don't fit.
 */
export async function makeExt4({ signal }: Pick<ApplyContext, 'signal'>, options: Ext4Options): Promise<void> {
  const { file, offsetBytes = 0, sizeBytes, label, uuid, timeSeconds, kind, directory } = options;
  const extended = [`hash_seed=${uuid}`, 'lazy_itable_init=1', 'lazy_journal_init=1', 'nodiscard', 'root_owner=0:0'];
  const env = {
    ...reproducibleEnvironment(timeSeconds),
    // This machine's own habits are no part of the result.
    MKE2FS_CONFIG: '/dev/null',
  };
  const run = { env, signal, cwd: dirname(file) };
  // debugfs takes a question mark in a name for the beginning of options: only names of ours are given to it.
  const name = basename(file);
  await runChecked(
    [
      'mkfs.ext4',
      '-q',
      '-F',
      '-O',
      kind === 'slot' ? SLOT_FEATURES : PARTITION_FEATURES,
      ...['-b', '4096', '-I', '256', '-i', '16384', '-m', '0', '-L', label, '-U', uuid],
      ...['-E', [...extended, ...(offsetBytes > 0 ? [`offset=${offsetBytes}`] : [])].join(',')],
      ...(directory === undefined ? [] : ['-d', directory]),
      name,
      `${sizeBytes / 1024}k`,
    ],
    run,
  );
  const fields = options.fileTimes === 'kept' ? ['atime', 'ctime'] : ['atime', 'ctime', 'mtime'];
  const inodes = [ROOT_INODE];
  for (let inode = FIRST_FILE_INODE; inode <= usedInodes(file, offsetBytes); inode++) inodes.push(inode);
  const script = inodes.flatMap((inode) => fields.map((field) => `sif <${inode}> ${field} @${timeSeconds}\n`)).join('');
  await runChecked(['debugfs', '-w', '-f', '-', `${name}?offset=${offsetBytes}`], {
    ...run,
    input: script,
    maxOutputBytes: 1 << 16,
  });
}

/** Of a file system that has just been made: mkfs gives out inodes one after the other, so it is the number of the last one. */
function usedInodes(file: string, offsetBytes: number): number {
  const superblock = Buffer.alloc(32);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, superblock, 0, superblock.length, offsetBytes + 1024);
  } finally {
    closeSync(fd);
  }
  return superblock.readUInt32LE(0) - superblock.readUInt32LE(16);
}

/** Gives a file system in a file another label. */
export async function labelExt4(file: string, label: string, timeSeconds: number): Promise<void> {
  await runChecked(['tune2fs', '-L', label, file], { env: reproducibleEnvironment(timeSeconds) });
}
