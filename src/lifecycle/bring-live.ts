// Brings what is new in a slot to the running system: looks at both, decides, puts the slot's read-only directories over those
// that show now, with everything that is mounted below them, and writes into the layers in memory. Undone by the reboot; an
// error on the way takes the mounts away again.

import { linkSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compareTrees, type TreeDifference, type TreeObject, type TreePath } from '../ledger/compare-trees.ts';
import { addDigests, readObjects } from '../overlay/rebase/read-object.ts';
import { LIVE_FILE_PREFIX, SLOT_FILES } from '../slots/names.ts';
import { bindMount, listMounts, mount, mountAt, unmount } from '../system/mounts.ts';
import { type ApplyContext, UndoStack } from '../system/plan.ts';
import type { LiveResult } from './go-live.ts';
import { planLive } from './live-changes.ts';
import { copyLive, coverDirectory } from './live-mounts.ts';
import { type LivePlaces, livePlaces } from './live-places.ts';
import { LIVE_DIRECTORY, readLive, writeLive } from './live-record.ts';

export interface BringLiveOptions {
  /** Where COS_STATE is mounted, writable. */
  stateDirectory: string;
  workDirectory: string;
  /** Of the new active slot. */
  uuid: string;
  now: string;
  /** Both slots came out of one pristine by cloning. */
  related: boolean;
}

/**
 * @returns what was done, and the paths that are new in the running system.
 * @throws HoldfastError HF-MOUNT, HF-IO, HF-INTERRUPTED; nothing of the running system has changed then but files in memory.
 */
export async function bringLive(
  context: ApplyContext,
  options: BringLiveOptions,
): Promise<LiveResult & { newPaths: readonly TreePath[] }> {
  const { stateDirectory, workDirectory, uuid, now, related } = options;
  const id = uuid.slice(0, 8);
  const file = join(stateDirectory, `${LIVE_FILE_PREFIX}${id}`);
  const slot = join(LIVE_DIRECTORY, id);
  // Of its own: what shows in the running system stays when the plan has ended.
  const undo = new UndoStack();
  let failed = true;
  try {
    rmSync(file, { force: true });
    // A name of its own: the next change replaces the slot's, and a file that is in use and has none keeps its partition from
    // becoming read-only.
    linkSync(join(stateDirectory, SLOT_FILES.active), file);
    mkdirSync(slot, { recursive: true });
    // With this option the kernel lets go of the device with its last mount.
    await mount(file, slot, { type: 'ext4', options: ['loop', 'ro', 'noload'] });
    undo.onFailure(`unmount ${slot}`, () => unmount(slot));

    const shown = readLive();
    const before = shown?.mountPoint ?? (await bareRoot(context, workDirectory));
    const compared = await compareTrees(before, slot, { related, signal: context.signal });
    for (const warning of compared.warnings) context.warn(warning);
    const places = livePlaces(listMounts(), shown?.directories ?? []);
    const facts = await lookAtRunning(compared.differences, places, { before, slot }, context.signal);
    const plan = planLive(facts);
    const { later, refused, added } = plan;
    const nothing = { directories: [], added: 0, copied: 0, later, refused, newPaths: [] };
    if (refused.length > 0) return { outcome: 'refused', ...nothing };
    if (plan.binds.length + plan.copies.length === 0) return { outcome: 'nothing', ...nothing };

    const directories = plan.binds.map((path) => `/${path}`);
    for (const directory of directories) {
      await coverDirectory(undo, { from: join(slot, directory), over: directory, workDirectory: `${slot}.parts` });
    }
    await copyLive(plan.copies, { from: slot, to: '/', signal: context.signal });
    const all = [...new Set([...(shown?.directories ?? []), ...directories])].sort();
    const figures = { added: added.length, copied: plan.copies.length };
    writeLive({ uuid, date: now, mountPoint: slot, directories: all, ...figures });
    failed = false;
    return { outcome: 'applied', directories, ...figures, later, refused, newPaths: added };
  } finally {
    // What stays mounted keeps its device and its name.
    for (const text of failed ? await undo.unwind(true) : []) context.warn(`cleaning up: ${text}`);
    if (failed) rmSync(file, { force: true });
  }
}

/** The running slot as it is, without what is mounted over its directories. */
async function bareRoot({ undo }: ApplyContext, workDirectory: string): Promise<string> {
  const at = join(workDirectory, 'running');
  if (mountAt(at) === undefined) {
    await bindMount('/', at);
    undo.always(`unmount ${at}`, () => unmount(at));
  }
  return at;
}

/** What the layers in memory show at the paths that differ; everything that is compared gets its digest. */
async function lookAtRunning(
  differences: readonly TreeDifference[],
  { placeOf }: LivePlaces,
  { before, slot }: { before: string; slot: string },
  signal: AbortSignal,
) {
  const inMemory = differences.filter(({ path }) => placeOf(path) === 'memory');
  const running = await readObjects(
    '/',
    inMemory.map(({ path }) => path),
  );
  const sides = (side: 'before' | 'after') =>
    inMemory.flatMap(({ path, ...difference }): [TreePath, TreeObject][] => {
      const object = difference[side];
      return object === undefined ? [] : [[path, object]];
    });
  await addDigests(before, sides('before'), signal);
  await addDigests(slot, sides('after'), signal);
  await addDigests('/', running, signal);
  return { differences, placeOf, running };
}
