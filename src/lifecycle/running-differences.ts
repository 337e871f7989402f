// How the running system differs from the slot that it was booted from: what a root overlay keeps, and what was written into
// directories that forget it at the next reboot. The running system goes on meanwhile, so a file may differ by what it was.

import { join } from 'node:path';
import { BASE_DIRECTORY, readAttachedOverlay } from '../boot/attached-overlay.ts';
import type { TreePath } from '../image/targettree.ts';
import { compareTrees, type TreeDifference } from '../ledger/compare-trees.ts';
import { type ExplainedDifference, isChangedSinceStage, type RunningCause } from '../ledger/explain.ts';
import { pathTextOf, treePathFrom } from '../ledger/path-name.ts';
import { Reach } from '../ledger/reach.ts';
import { addDigests, readObjects } from '../overlay/rebase/read-object.ts';
import { comparePaths } from '../overlay/rebase/tree-order.ts';
import { readStageWrites } from '../overlay/stage-writes.ts';
import { readChanges, type StageChange } from '../stages/stagechanges.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import { listMounts, type Mount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { bindRoot, isUnchanged } from './inspect-path.ts';
import { type LiveRecord, readLive } from './live-record.ts';

export interface RunningDifferences {
  differences: readonly ExplainedDifference<RunningCause>[];
  /** Directories whose changes are forgotten at a reboot, or kept beside the slots. */
  places: readonly { path: string; isKept: boolean }[];
  /** What `--apply-live` brought. */
  live: LiveRecord | undefined;
  warnings: readonly string[];
}

export interface RunningOptions {
  undo: UndoStack;
  workDirectory: string;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

/** @throws HoldfastError HF-STATE where the running system keeps or forgets nothing: its root is an ordinary one. */
export async function runningDifferences(options: RunningOptions): Promise<RunningDifferences> {
  const { undo, workDirectory, signal, onProgress } = options;
  const overlay = readAttachedOverlay();
  const places = changingPlaces(listMounts());
  if (overlay?.used !== true && places.length === 0) {
    throw new HoldfastError('HF-STATE', 'this system has no overlay and no directory that forgets its changes', {
      hint: 'holdfast diff active compares the installed system with its image',
    });
  }
  const root = await bindRoot(undo, workDirectory);
  const warnings: string[] = [];
  const found: ExplainedDifference<RunningCause>[] = [];
  const look = { digests: 'all' as const, signal, onProgress };
  if (overlay?.used === true) {
    const { differences, warnings: told } = await compareTrees(BASE_DIRECTORY, root, { ...look, related: true });
    warnings.push(...told);
    const writes = readStageWrites(root);
    found.push(...differences.map((one) => ({ ...one, cause: causeOnOverlay(one, writes), earlier: [] })));
  }
  let changes: ReadonlyMap<string, StageChange> = new Map();
  try {
    changes = readChanges();
  } catch (error) {
    warnings.push(`what the stages of this boot wrote is not known: ${messageOf(error)}`);
  }
  for (const { path } of places) {
    // What is mounted inside it is another place.
    const { differences } = await compareTrees(join(root, path), path, { ...look, isOverlayfs: true });
    const prefix = treePathFrom(path);
    found.push(...differences.map((one) => explain({ ...one, path: below(prefix, one.path) }, changes)));
  }
  const live = readLive();
  const differences = live === undefined ? found : await withLive(found, live.mountPoint);
  return { differences: differences.sort((one, other) => comparePaths(one.path, other.path)), places, live, warnings };
}

/** What nobody is known to have written, but is as `--apply-live` brought it, is its doing. */
export async function withLive(
  differences: readonly ExplainedDifference<RunningCause>[],
  slot: string,
): Promise<ExplainedDifference<RunningCause>[]> {
  const reach = new Reach(slot);
  const asked = differences.filter(({ cause, path }) => cause.by === 'hand' && reach.has(path)).map(({ path }) => path);
  const objects = await readObjects(slot, asked);
  await addDigests(slot, objects);
  return differences.map((one) => {
    const object = objects.get(one.path);
    return object !== undefined && isUnchanged(object, one.after) ? { ...one, cause: { by: 'live' } } : one;
  });
}

/** The directories of the layout whose changes are in another place than the slot. Pure. */
export function changingPlaces(mounts: readonly Mount[]): { path: string; isKept: boolean }[] {
  const overlays = mounts.filter(({ type, mountPoint, superOptions }) => {
    const lower = superOptions.find((option) => option.startsWith('lowerdir='))?.slice('lowerdir='.length);
    // As it was called when the initramfs mounted it.
    const names = [mountPoint, `/sysroot${mountPoint}`];
    return type === 'overlay' && lower !== undefined && lower.split(':').some((one) => names.includes(one));
  });
  const kept = ({ superOptions }: Mount) => superOptions.some((option) => /^upperdir=.*\/usr\/local\//.test(option));
  return overlays.map((mount) => ({ path: mount.mountPoint, isKept: kept(mount) }));
}

function below(prefix: TreePath, path: TreePath): TreePath {
  return path === '' ? prefix : `${prefix}/${path}`;
}

export function explain(
  difference: TreeDifference,
  changes: ReadonlyMap<string, StageChange>,
): ExplainedDifference<RunningCause> {
  const change = changes.get(pathTextOf(difference.path));
  if (change === undefined) return { ...difference, cause: { by: 'hand' }, earlier: [] };
  const { path: _, ...step } = change;
  if (isChangedSinceStage(change, difference.after)) {
    return { ...difference, cause: { by: 'hand' }, earlier: [step], isChangedSince: true };
  }
  return { ...difference, cause: { by: 'step', step }, earlier: [] };
}

function causeOnOverlay({ path, after }: TreeDifference, writes: ReadonlyMap<TreePath, string>): RunningCause {
  const written = writes.get(path);
  if (written === undefined) return { by: 'hand' };
  const isAsWritten = after === undefined ? written === 'removed' : after.digest === `sha256:${written}`;
  return isAsWritten ? { by: 'earlier-stage' } : { by: 'hand' };
}
