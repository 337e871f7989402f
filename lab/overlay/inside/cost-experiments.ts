// What writing through a snapshot costs, beside the same on plain ext4: the same files, the same program, the same disk.
// Seconds are the guest's; what the disk was asked for is counted by the kernel and is the same on any machine.

import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { someChunks } from './chunks.ts';
import { command, dropCaches, Snapshot, type SnapshotOptions } from './snapshot.ts';

const BLOCK = 4096;
const LARGE = 1 << 20;
const MOUNT_POINT = '/run/measured';

/** Where the files are: a directory of the disk's own file system, an image in it, or an image seen through a COW. */
export type Place =
  | { kind: 'directory'; directory: string }
  | { kind: 'loop'; image: string }
  | ({ kind: 'overlay' } & SnapshotOptions);

export interface Work {
  /** Name of a file at the top that is there before anything is measured, as those of an image are. */
  oldFile: string;
  /** Of the file that is written and read from one end to the other. */
  sequentialMib: number;
  /** Blocks of 4 KiB that are written and read at random; the file is four times as large. */
  randomBlocks: number;
  /** Debian packages, in a directory of the guest. */
  packages: string;
}

export interface Cost {
  name: string;
  seconds: number;
  bytes: number;
  /** What the guest's disk was asked for, its own file system's part included. */
  diskWrites: number;
  diskWrittenBytes: number;
  diskFlushes: number;
}

/**
 * Measures one place, whose root has to be a whole Debian system with the old file in it.
 * @param disk the block device that carries all of it.
 */
export function measure({ place, work, disk }: { place: Place; work: Work; disk: string }): Cost[] {
  return withPlace(place, (root) => {
    const [fresh, old] = [join(root, 'measured-new'), join(root, work.oldFile)];
    const costs: Cost[] = [];
    const run = (name: string, bytes: number, act: () => void) => costs.push(measureOne(disk, name, bytes, act));
    const sequential = work.sequentialMib << 20;
    const random = work.randomBlocks * BLOCK;
    run('write a new file', sequential, () => writeAll(fresh, sequential));
    run('write it again', sequential, () => writeAll(fresh, sequential));
    dropCaches();
    run('read it', sequential, () => readAll(fresh));
    const blocks = someChunks(work.randomBlocks, work.randomBlocks * 4, 1);
    run('blocks at random, each synced', random, () => writeBlocks(old, blocks, constants.O_DSYNC));
    run('the same blocks again', random, () => writeBlocks(old, blocks, constants.O_DSYNC));
    const others = someChunks(work.randomBlocks, work.randomBlocks * 4, 2);
    run('blocks at random, synced once', random, () => writeBlocks(old, others, 0));
    dropCaches();
    run('read blocks at random', random, () => readBlocks(old, blocks));
    rmSync(fresh);
    run('install packages', 0, () => installPackages(root, work.packages));
    return costs;
  });
}

function withPlace<T>(place: Place, work: (root: string) => T): T {
  if (place.kind === 'directory') return work(place.directory);
  const snapshot = place.kind === 'overlay' ? Snapshot.open(place) : undefined;
  mkdirSync(MOUNT_POINT, { recursive: true });
  try {
    const source = place.kind === 'loop' ? ['-o', 'loop', place.image] : [snapshot?.device ?? ''];
    command('mount', ...source, MOUNT_POINT);
    try {
      return work(MOUNT_POINT);
    } finally {
      command('umount', MOUNT_POINT);
    }
  } finally {
    snapshot?.close();
  }
}

function measureOne(disk: string, name: string, bytes: number, act: () => void): Cost {
  command('sync');
  const before = diskCounters(disk);
  const started = performance.now();
  act();
  const seconds = (performance.now() - started) / 1000;
  command('sync');
  const after = diskCounters(disk);
  return {
    name,
    seconds,
    bytes,
    diskWrites: after.writes - before.writes,
    diskWrittenBytes: (after.sectors - before.sectors) * 512,
    diskFlushes: after.flushes - before.flushes,
  };
}

/** The kernel's own, Documentation/block/stat.rst. */
function diskCounters(disk: string): { writes: number; sectors: number; flushes: number } {
  const name = basename(command('readlink', '-f', disk).trim());
  const fields = readFileSync(`/sys/block/${name}/stat`, 'utf8').trim().split(/\s+/).map(Number);
  return { writes: fields[4] ?? 0, sectors: fields[6] ?? 0, flushes: fields[15] ?? 0 };
}

function writeAll(file: string, bytes: number): void {
  const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT, 0o600);
  const block = Buffer.alloc(LARGE, 'sequential\n');
  try {
    for (let at = 0; at < bytes; at += block.length) writeSync(fd, block, 0, block.length, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function readAll(file: string): void {
  const fd = openSync(file, 'r');
  const block = Buffer.alloc(LARGE);
  try {
    while (readSync(fd, block) > 0);
  } finally {
    closeSync(fd);
  }
}

function writeBlocks(file: string, blocks: readonly number[], flags: number): void {
  const fd = openSync(file, constants.O_WRONLY | flags);
  const data = Buffer.alloc(BLOCK, 'random\n');
  try {
    for (const block of blocks) writeSync(fd, data, 0, BLOCK, block * BLOCK);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function readBlocks(file: string, blocks: readonly number[]): void {
  const fd = openSync(file, 'r');
  const data = Buffer.alloc(BLOCK);
  try {
    for (const block of blocks) readSync(fd, data, 0, BLOCK, block * BLOCK);
  } finally {
    closeSync(fd);
  }
}

function installPackages(root: string, packages: string): void {
  const inside = join(root, 'packages');
  mkdirSync(inside, { recursive: true });
  command('mount', '--bind', packages, inside);
  try {
    command('chroot', root, 'sh', '-c', 'DEBIAN_FRONTEND=noninteractive dpkg --install /packages/*.deb');
    command('sync');
  } finally {
    command('umount', inside);
  }
}
