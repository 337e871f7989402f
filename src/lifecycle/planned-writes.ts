// What hooks write to /oem and /usr/local while a plan is made goes into the upper halves of overlays on COS_STATE: the
// partitions stay as they are, and applying the plan writes just that. So applying needs neither the hooks nor a network, and
// what it does is what the plan says.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PLANNED_WRITES } from '../slots/names.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { syncFilesystem } from '../system/filesystems.ts';
import { bindMount, mount, unmount } from '../system/mounts.ts';
import type { ApplyContext } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { sha256Of } from './planned-inputs.ts';
import type { OwnerMounts } from './target.ts';

const PARTITIONS = ['oem', 'persistent'] as const;
export type OwnerPartition = (typeof PARTITIONS)[number];
/** Package files and the like; they are named by what they hold, and worth keeping whatever becomes of a plan. */
const CACHES = '.holdfast';
const MOST_WRITES = 20_000;

/** One path that a hook has left different. */
export interface PlannedWrite {
  partition: OwnerPartition;
  /** Relative to the partition. */
  path: string;
  what: 'written' | 'removed';
  /** What was there, in short; applying refuses when it is something else by then. */
  before: string;
  /** What is there afterwards. */
  after: string;
}

/** Holdfast's own caches and notes: told apart, since no owner has asked for them. */
export function isOwnWrite({ partition, path }: Pick<PlannedWrite, 'partition' | 'path'>): boolean {
  return partition === 'oem' && /^holdfast(\/|$)/.test(path);
}

/** How a path of a partition is called in the running system. */
export function ownerPath({ partition, path }: Pick<PlannedWrite, 'partition' | 'path'>): string {
  return partition === 'oem' ? `/oem/${path}` : `/usr/local/${path}`;
}

interface Places {
  stateDirectory: string;
  workDirectory: string;
}

/**
 * Puts an overlay over each partition.
 * @returns where hooks shall see them, and a function that takes the overlays away and says what was written.
 * @throws HoldfastError HF-UNSUPPORTED where the kernel has no overlayfs.
 */
export async function coverOwner(
  { undo }: Pick<ApplyContext, 'undo'>,
  { stateDirectory, workDirectory }: Places,
  owner: OwnerMounts,
): Promise<{ covered: OwnerMounts; uncover: () => Promise<PlannedWrite[]> }> {
  rmSync(join(stateDirectory, PLANNED_WRITES), { recursive: true, force: true });
  undo.onFailure('remove what hooks wrote', () =>
    rmSync(join(stateDirectory, PLANNED_WRITES), { recursive: true, force: true }),
  );
  const covered: OwnerMounts = {};
  if (owner.persistent !== undefined) {
    covered.caches = join(owner.persistent, CACHES);
    mkdirSync(covered.caches, { recursive: true, mode: 0o700 });
  }
  const closes: (() => Promise<void>)[] = [];
  for (const partition of PARTITIONS) {
    const lower = owner[partition];
    if (lower === undefined) continue;
    const [upper, work] = ['upper', 'work'].map((name) => join(stateDirectory, PLANNED_WRITES, partition, name));
    for (const directory of [upper, work]) if (directory !== undefined) mkdirSync(directory, { recursive: true });
    const at = join(workDirectory, `planned-${partition}`);
    // What is written must be whole in the upper half: nothing of it may point into the partition.
    const options = [`lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`, 'redirect_dir=off', 'metacopy=off'];
    await mountOverlay(at, options);
    closes.push(undo.always(`unmount ${at}`, () => unmount(at)));
    covered[partition] = at;
    if (partition !== 'persistent' || covered.caches === undefined) continue;
    // Who works on a package file sees it in the same place from outside and from inside of the new system.
    const cachesAt = join(at, CACHES);
    await bindMount(covered.caches, cachesAt);
    closes.push(undo.always(`unmount ${cachesAt}`, () => unmount(cachesAt)));
  }
  const uncover = async () => {
    const writes = PARTITIONS.flatMap((partition) => {
      const [lower, merged] = [owner[partition], covered[partition]];
      if (lower === undefined || merged === undefined) return [];
      return listWrites({ partition, lower, merged, upper: upperOf(stateDirectory, partition) });
    });
    for (const close of closes.reverse()) await close();
    for (const partition of PARTITIONS) {
      rmSync(join(stateDirectory, PLANNED_WRITES, partition, 'work'), { recursive: true, force: true });
    }
    if (writes.length > MOST_WRITES) {
      throw new HoldfastError(
        'HF-DEPLOY',
        `hooks write ${writes.length} files to /oem and /usr/local; a plan keeps at most ${MOST_WRITES}`,
        {
          hint: 'run holdfast upgrade without --plan',
        },
      );
    }
    return writes;
  };
  return { covered, uncover };
}

function upperOf(stateDirectory: string, partition: OwnerPartition): string {
  return join(stateDirectory, PLANNED_WRITES, partition, 'upper');
}

async function mountOverlay(at: string, options: readonly string[]): Promise<void> {
  try {
    await mount('overlay', at, { type: 'overlay', options });
  } catch (error) {
    throw new HoldfastError(
      'HF-UNSUPPORTED',
      'a plan needs overlayfs, to keep apart what hooks write to /oem and /usr/local',
      {
        cause: error,
        hint: 'holdfast upgrade --dry-run lists what an upgrade does; holdfast upgrade does it',
      },
    );
  }
}

/** What is different between a partition and the overlay over it; both are mounted. */
export function listWrites(places: {
  partition: OwnerPartition;
  lower: string;
  merged: string;
  upper: string;
}): PlannedWrite[] {
  const { partition, lower, merged, upper } = places;
  const writes: PlannedWrite[] = [];
  const visit = (directory: string) => {
    const below = namesIn(join(lower, directory));
    const shown = namesIn(join(merged, directory));
    const own = new Set(namesIn(join(upper, directory)));
    const add = (path: string, what: PlannedWrite['what']) => {
      if (path.includes('\uFFFD')) throw nameIsNoText(ownerPath({ partition, path: directory }));
      const after = stateOf(join(merged, path));
      // Who takes a directory away says what was in it.
      const isTaken = !after.startsWith('directory:');
      const before = isTaken ? stateWithin(join(lower, path)) : stateOf(join(lower, path));
      if (before !== after) writes.push({ partition, path, what, before, after });
    };
    for (const name of below) if (!shown.includes(name)) add(join(directory, name), 'removed');
    for (const name of shown) {
      const path = join(directory, name);
      // What is not in the upper half is the partition's own.
      if (!own.has(name)) continue;
      add(path, 'written');
      if (lstatSync(join(merged, path)).isDirectory()) visit(path);
    }
  };
  visit('');
  return writes;
}

/** Paths are kept as text; of those that a hook wrote, not of what is there anyway. */
function nameIsNoText(directory: string): HoldfastError {
  return new HoldfastError('HF-DEPLOY', `a hook wrote or removed something below ${directory} whose name is no text`, {
    hint: 'a plan can’t keep it; run holdfast upgrade without --plan',
  });
}

function namesIn(directory: string): string[] {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return [];
  // As bytes first: of a name that is no text, Bun gives no string.
  return readdirSync(directory, { encoding: 'buffer' })
    .map((name) => name.toString('utf8'))
    .sort();
}

/** What is at a path, in short: type, mode, owner, content. Times don't count. */
export function stateOf(path: string): string {
  const stats = lookAt(path);
  if (stats === undefined) return 'nothing';
  const who = `${(stats.mode & 0o7777).toString(8)}:${stats.uid}:${stats.gid}`;
  if (stats.isSymbolicLink()) return `link:${stats.uid}:${stats.gid}:${readlinkSync(path)}`;
  if (stats.isDirectory()) return `directory:${who}`;
  if (stats.isFile()) return `file:${who}:${stats.size}:${sha256Of(path)}`;
  return `${specialType(stats)}:${who}:${stats.rdev}`;
}

const TREE = 'tree:';

/** The same, of a directory with everything below it. */
function stateWithin(path: string): string {
  if (!lookAt(path)?.isDirectory()) return stateOf(path);
  const hash = createHash('sha256');
  const visit = (at: string, name: string) => {
    hash.update(`${name}\0${stateOf(at)}\0`);
    for (const each of namesIn(at)) visit(join(at, each), join(name, each));
  };
  visit(path, '');
  return `${TREE}${hash.digest('hex')}`;
}

/** A path below something that is no directory is none. */
function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function specialType(stats: Stats): string {
  if (stats.isFIFO()) return 'fifo';
  return stats.isSocket() ? 'socket' : 'device';
}

/**
 * Why what hooks wrote can't be written to the partitions any more, a sentence each. What is there already counts as
 * written: an earlier try may have been cut off.
 */
export function staleWrites(writes: readonly PlannedWrite[], owner: OwnerMounts): string[] {
  return writes.flatMap((write) => {
    const at = owner[write.partition];
    if (at === undefined) return [`the partition for ${ownerPath(write)} is not there`];
    const path = join(at, write.path);
    const isTree = write.before.startsWith(TREE);
    if (stateOf(path) === write.after || (isTree ? stateWithin(path) : stateOf(path)) === write.before) return [];
    return [`${ownerPath(write)} was changed since, and the plan writes it`];
  });
}

/**
 * Writes to the partitions what hooks have written while the plan was made, each file as a whole.
 * @param owner where the partitions are mounted, writable.
 */
export async function applyWrites(
  { undo }: Pick<ApplyContext, 'undo'>,
  { stateDirectory, workDirectory }: Places,
  writes: readonly PlannedWrite[],
  owner: OwnerMounts,
): Promise<void> {
  for (const partition of PARTITIONS) {
    const own = writes.filter((write) => write.partition === partition);
    const to = owner[partition];
    if (own.length === 0 || to === undefined) continue;
    const at = join(workDirectory, `planned-${partition}`);
    const empty = join(workDirectory, 'empty');
    mkdirSync(empty, { recursive: true });
    // Seen through an overlay, files are without the marks that overlays put on them.
    await mountOverlay(at, [`lowerdir=${upperOf(stateDirectory, partition)}:${empty}`, 'ro']);
    const close = undo.always(`unmount ${at}`, () => unmount(at));
    for (const write of own) await applyWrite(write, join(at, write.path), join(to, write.path));
    await close();
    await syncFilesystem(to);
  }
}

async function applyWrite({ what, after }: PlannedWrite, from: string, to: string): Promise<void> {
  if (stateOf(to) === after) return;
  if (what === 'removed') {
    rmSync(to, { recursive: true, force: true });
    return;
  }
  const isDirectory = after.startsWith('directory:');
  const found = lstatSync(to, { throwIfNoEntry: false });
  if (found !== undefined && found.isDirectory() !== isDirectory) rmSync(to, { recursive: true, force: true });
  if (isDirectory) {
    const { uid, gid, mode } = lstatSync(from);
    mkdirSync(to, { recursive: true });
    chownSync(to, uid, gid);
    chmodSync(to, mode & 0o7777);
    return;
  }
  if (!existsSync(dirname(to))) mkdirSync(dirname(to), { recursive: true });
  const temporary = `${to}.holdfast.tmp`;
  rmSync(temporary, { force: true });
  await runChecked(['cp', '--archive', '--no-target-directory', from, temporary]);
  renameSync(temporary, to);
}
