// A file system in the view: filled to the brim, and written to without a pause while the power may be cut.

import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type ViewSeen, view } from './block-experiments.ts';
import { type FileState, roundOf, wrongFiles } from './rounds.ts';
import { command, Snapshot, type SnapshotOptions } from './snapshot.ts';

const VIEW = '/run/view';

/** What happens to a view before it is mounted. */
export interface ViewOptions extends SnapshotOptions {
  /** Adds a small journal, as the boot does when it begins a COW over a base without one. */
  journal?: boolean;
  /** Checks and mends it first, as each boot does. */
  check?: boolean;
}

function withView<T>(options: ViewOptions, work: (snapshot: Snapshot) => T): T {
  const snapshot = Snapshot.open(options);
  try {
    mkdirSync(VIEW, { recursive: true });
    if (options.journal) command('tune2fs', '-j', '-J', 'size=4', '-e', 'remount-ro', snapshot.device);
    // 1: something was mended.
    if (options.check) command('sh', '-c', 'e2fsck -p "$1" || [ $? -eq 1 ]', 'sh', snapshot.device);
    command('mount', snapshot.device, VIEW);
    try {
      return work(snapshot);
    } finally {
      command('umount', VIEW);
    }
  } finally {
    snapshot.close();
  }
}

export interface FilledView {
  /** What the write that didn't fit said, in each round. */
  errors: string[];
  statuses: string[];
  freeBytes: number;
}

/** Fills the view's file system, empties it, and fills it again, with other content in other places. */
export function fillFiles(options: ViewOptions & { rounds: number }): FilledView {
  return withView(options, (snapshot) => {
    const seen: FilledView = { errors: [], statuses: [], freeBytes: -1 };
    for (let round = 0; round < options.rounds; round++) {
      seen.errors.push(fillDirectory(round));
      seen.statuses.push(snapshot.status());
      const { bavail, bsize } = statfsSync(VIEW);
      seen.freeBytes = bavail * bsize;
      if (round < options.rounds - 1) for (let n = 0; n < 1000; n++) rmSync(join(VIEW, `fill-${n}`), { force: true });
    }
    return seen;
  });
}

function fillDirectory(round: number): string {
  for (let n = 0; ; n++) {
    const fd = openSync(join(VIEW, `fill-${n}`), 'w');
    try {
      // Odd sizes, so that blocks are taken in another order each time.
      const data = Buffer.alloc((97 + ((n * 31 + round * 17) % 160)) * 4096, `${round} ${n}\n`);
      writeSync(fd, data);
      fsyncSync(fd);
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : String(error);
    } finally {
      closeSync(fd);
    }
  }
}

/** Where an experiment notes how far it has come. */
export interface Notes {
  device: string;
  /** Bytes from its start, a multiple of 4096. */
  at: number;
}

export interface Rounds {
  /** The first and the last one. */
  from: number;
  to: number;
  seed: number;
}

/**
 * Writes, replaces and deletes files in the view; after each round everything is synced, and then the round's number is
 * noted on the disk outside the file system.
 */
export function writeRounds(options: ViewOptions & Rounds & { notes?: Notes }): string {
  return withView(options, (snapshot) => {
    const directory = join(VIEW, 'rounds');
    mkdirSync(directory, { recursive: true });
    for (let round = options.from; round <= options.to; round++) {
      for (const { name, data } of roundOf(round, options.seed)) apply(directory, name, data);
      command('sync', '--file-system', VIEW);
      if (options.notes !== undefined) note(options.notes, `round ${round}\n`);
    }
    return snapshot.status();
  });
}

function note({ device, at }: Notes, text: string): void {
  const fd = openSync(device, constants.O_RDWR | constants.O_DSYNC);
  try {
    writeSync(fd, Buffer.alloc(4096, text), 0, 4096, at);
  } finally {
    closeSync(fd);
  }
}

/** Writes rounds until the COW takes no more. @returns the last round of which all was synced, and how it ended. */
export function writeUntilFull(options: ViewOptions & { seed: number; enough: number }): {
  synced: number;
  error: string;
  status: string;
} {
  const seen = { synced: 0, error: 'none', status: '' };
  try {
    withView(options, (snapshot) => {
      const directory = join(VIEW, 'rounds');
      mkdirSync(directory, { recursive: true });
      try {
        for (; seen.synced < options.enough; seen.synced++) {
          for (const { name, data } of roundOf(seen.synced + 1, options.seed)) apply(directory, name, data);
          command('sync', '--file-system', VIEW);
        }
      } finally {
        seen.status = snapshot.status();
      }
    });
  } catch (error) {
    seen.error = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
  return seen;
}

/**
 * What a boot does with a view that was cut off: reads it, checks it, looks at the rounds' files, and goes on writing.
 * @returns what is wrong with the files, and the view before and after.
 */
export function resumeRounds(options: ViewOptions & Rounds & { synced: number }): {
  wrong: string[];
  before: ViewSeen;
  after: ViewSeen;
} {
  const before = view(options);
  const wrong = withView(options, () => wrongFiles(join(VIEW, 'rounds'), options.synced, options.seed));
  writeRounds(options);
  return { wrong, before, after: view(options) };
}

function apply(directory: string, name: string, data: FileState['data']): void {
  const path = join(directory, name);
  if (data === 'gone') {
    rmSync(path, { force: true });
    return;
  }
  // As programs replace files: all of the old one or all of the new one.
  const fd = openSync(`${path}.new`, 'w');
  try {
    writeSync(fd, data);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
}

/** Fills a file system with one file until nothing more fits. */
export function takeRoom({ directory }: { directory: string }): boolean {
  const fd = openSync(join(directory, 'filler'), 'w');
  const block = Buffer.alloc(1 << 16, 'full\n');
  try {
    for (;;) writeSync(fd, block);
  } catch {
    fsyncSync(fd);
    return true;
  } finally {
    closeSync(fd);
    writeFileSync('/proc/sys/vm/drop_caches', '1');
  }
}
