// Power cuts while a view is written to: one guest's writes are recorded, and the disk is rebuilt as it was at any
// instant, between two flushes too, where a disk may have done any of the writes that nobody had waited for.

import { closeSync, copyFileSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createBlankCow } from '../../src/overlay/cow-create.ts';
import { fullCoverBytes } from '../../src/overlay/sizes.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';
import { chooseCutPoints } from '../crash/cut-points.ts';
import { Replay } from '../crash/replay.ts';
import { readLog } from '../crash/write-log.ts';
import { DISK_DIRECTORY, makeDisk, NOTE_BYTES, SnapshotGuest } from './snapshot-guest.ts';

const DISK_MIB = 256;
const BASE_MIB = 48;
/** How the bases are made: with today's journal, and without one as images of cOS are. */
export const KINDS = ['ext4', 'ext2'] as const;
export type BaseKind = (typeof KINDS)[number];

/** One recording: both bases are written to, one after the other. */
export interface CutRecording {
  /** The disk from before. */
  before: string;
  log: string;
  seed: number;
}

export interface RecordOptions {
  directory: string;
  /** For each base. */
  rounds: number;
  seed: number;
  say: (line: string) => void;
}

/** Runs the guest. */
export async function recordRounds({ directory, rounds, seed, say }: RecordOptions): Promise<CutRecording> {
  const content = join(directory, 'content');
  mkdirSync(content, { recursive: true });
  for (const kind of KINDS) {
    const journal = kind === 'ext4' ? ['-J', 'size=4'] : [];
    await runChecked([`mkfs.${kind}`, '-q', '-b', '4096', ...journal, join(content, `${kind}.base`), `${BASE_MIB}M`]);
  }
  const before = join(directory, 'before.img');
  await makeDisk(before, { sizeMib: DISK_MIB, content });
  const mounted = join(directory, 'mounted');
  mkdirSync(mounted, { recursive: true });
  await mount(before, mounted, { options: ['loop'] });
  try {
    for (const kind of KINDS) await createBlankCow(join(mounted, `${kind}.cow`), fullCoverBytes(BASE_MIB << 20));
  } finally {
    await unmount(mounted);
  }
  const disk = join(directory, 'disk.img');
  copyFileSync(before, disk);
  const log = join(directory, 'log.img');
  const guest = await SnapshotGuest.boot({ directory, disk, log, say });
  try {
    for (const kind of KINDS) {
      const files = { base: `${DISK_DIRECTORY}/${kind}.base`, cow: `${DISK_DIRECTORY}/${kind}.cow` };
      const notes = { device: '/dev/crash', at: noteAt(kind) };
      const options = { ...files, journal: kind === 'ext2', seed: seedOf(seed, kind) };
      say(`${kind}: ${await guest.experiment('writeRounds', { ...options, from: 1, to: rounds, notes })}`);
    }
    await guest.off();
  } finally {
    await guest.cut();
  }
  return { before, log, seed };
}

export function seedOf(seed: number, kind: BaseKind): number {
  return seed * 100 + KINDS.indexOf(kind);
}

function noteAt(kind: BaseKind): number {
  return DISK_MIB * 2 ** 20 - NOTE_BYTES + KINDS.indexOf(kind) * 4096;
}

/** A disk as a power cut has left it. */
export interface CutDisk {
  name: string;
  image: string;
  /** The last round of which all was synced before the cut; 0 before the first. */
  synced: Record<BaseKind, number>;
}

/**
 * Rebuilds the disk at so many instants, one after the other.
 * @param scratch a directory on a file system that can clone.
 */
export async function forEachCut(
  recording: CutRecording,
  { states, scratch }: { states: number; scratch: string },
  look: (disk: CutDisk) => Promise<void>,
): Promise<void> {
  const log = readLog(recording.log);
  const base = join(scratch, 'base.img');
  copyFileSync(recording.before, base);
  const replay = new Replay({ base, logFile: recording.log, log });
  try {
    for (const point of chooseCutPoints(log, states, recording.seed)) {
      const image = join(scratch, 'state.img');
      // Another file each time: a loop device that is still being given back would be taken for this one's.
      rmSync(image, { force: true });
      replay.makeState(point, image);
      await look({
        name: point.name,
        image,
        synced: { ext4: readNote(image, 'ext4'), ext2: readNote(image, 'ext2') },
      });
    }
  } finally {
    replay.close();
  }
}

function readNote(image: string, kind: BaseKind): number {
  const buffer = Buffer.alloc(32);
  const fd = openSync(image, 'r');
  try {
    readSync(fd, buffer, 0, buffer.length, noteAt(kind));
  } finally {
    closeSync(fd);
  }
  return Number(/^round (\d+)\n/.exec(buffer.toString('latin1'))?.[1] ?? 0);
}
