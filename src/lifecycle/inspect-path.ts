// All that this machine knows about one path: what the image, the slot and the running system have there, who made the
// differences, and whether it stays. Everything is looked at read-only.

import { join } from 'node:path';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import type { TreePath } from '../image/targettree.ts';
import { compareTrees } from '../ledger/compare-trees.ts';
import { pathTextOf, treePathFrom } from '../ledger/path-name.ts';
import { Reach } from '../ledger/reach.ts';
import type { KeptPath, PathFacts } from '../ledger/why.ts';
import { differences, type TreeObject, typeOf } from '../overlay/rebase/tree-object.ts';
import { look, prefixOf, walkOne } from '../overlay/rebase/walk.ts';
import { readStageWrites } from '../overlay/stage-writes.ts';
import { adoptedPath } from '../owner/adoption.ts';
import { listRequests } from '../owner/owner-file.ts';
import { readOwnerFile } from '../owner/owner-place.ts';
import { placeOf } from '../owner/place.ts';
import type { OwnerRequest } from '../owner/request.ts';
import { inspectBooted } from '../slots/booted.ts';
import { readChanges } from '../stages/stagechanges.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { bindMount, listMounts, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { type LiveRecord, readLive, showsLive } from './live-record.ts';
import { endOf, factsOfSlot, objectAt, packageOf } from './slot-facts.ts';
import { type LookOptions, openLiveView, openSlotView, type SlotView, type ViewName } from './slot-view.ts';

export interface InspectPathOptions extends LookOptions {
  /** Look into this slot alone; default: the running system, and the slot that it was booted from. */
  slot?: ViewName | undefined;
  /** Slots that were opened for a path before, and those that are opened now. */
  views?: Map<SlotView['name'], SlotView>;
  /** Look also below a directory for what differs from the slot. */
  below?: boolean;
  warn: (text: string) => void;
}

/** A path, what is known of it, and the trees that know it, which stay mounted. */
export interface InspectedPath {
  facts: PathFacts;
  /** The same, as the trees name it. */
  treePath: TreePath;
  view: SlotView;
}

/**
 * @param text an absolute path.
 * @throws HoldfastError HF-USAGE for no path, HF-STATE where no slot can be looked into.
 */
export async function inspectPath(text: string, options: InspectPathOptions): Promise<InspectedPath> {
  const asked = treePathFrom(text);
  const { slot } = options;
  if (slot !== undefined) {
    const view = await openSlotView(slot, options);
    const real = realPath(new Root(view.directory), asked);
    return {
      facts: { ...(await factsOfSlot(view, real, options)), path: pathTextOf(asked), place: 'slot' },
      treePath: real,
      view,
    };
  }
  const booted = await inspectBooted();
  if (booted.slot === undefined) {
    throw new HoldfastError('HF-STATE', 'this system was not booted from a slot', {
      hint: `holdfast why --slot active ${text} looks into an installed slot`,
    });
  }
  const name = booted.replaced ? 'replaced' : booted.slot;
  const view = await openOnce(name, options, () => openSlotView(name, options));
  const real = realPath(new Root('/'), asked);
  const place = placeOf(pathTextOf(real), listMounts());
  const base = await factsOfSlot(view, real, options);
  const facts: PathFacts = { ...base, path: pathTextOf(asked), place };
  if (place === 'nowhere' || place === 'persistent') return { facts, treePath: real, view };
  const now = await objectAt('/', real);
  const shown = readLive();
  // What lies over the root can't be kept by its overlay.
  const isOnRoot = place === 'slot' && !showsLive(shown, pathTextOf(real));
  const kept = await factsOfRunning(real, isOnRoot, options);
  const isChanging = place === 'ephemeral' || kept.isKeptByOverlay === true;
  const isDirectory = options.below === true && isChanging && now?.type === 'directory';
  const inDirectory = async (slot: string) =>
    isDirectory ? { differsBelow: await differencesBelow(slot, '/', real) } : {};
  const live = isUnchanged(base.inSlot, now) ? undefined : await inspectLive(shown, real, now, options);
  if (live !== undefined) {
    const inside = await inDirectory(live.view.directory);
    return {
      view: live.view,
      facts: { ...live.facts, ...kept, ...inside, path: pathTextOf(asked), place },
      treePath: real,
    };
  }
  const owner = now === undefined ? undefined : await packageOf(real, '/', options.warn);
  const isPackageNew = owner !== undefined && facts.package === undefined && base.inSlot === undefined;
  return {
    facts: {
      ...facts,
      leadsTo: now?.type === 'symlink' ? await endOf('/', real, options.warn) : undefined,
      ...(isPackageNew && { package: owner, isPackageNew }),
      running: { object: now, isSameAsSlot: isUnchanged(base.inSlot, now) },
      ...kept,
      ...(await inDirectory(view.directory)),
    },
    treePath: real,
    view,
  };
}

/** A slot that may be open already. */
async function openOnce(
  name: SlotView['name'],
  options: InspectPathOptions,
  open: () => Promise<SlotView>,
): Promise<SlotView> {
  const known = options.views?.get(name);
  if (known !== undefined) return known;
  const view = await open();
  options.views?.set(name, view);
  return view;
}

/** What `--apply-live` brought to the running system, which its own slot hasn't got, is explained by the slot it came from. */
export async function inspectLive(
  live: LiveRecord | undefined,
  real: TreePath,
  now: TreeObject | undefined,
  options: InspectPathOptions,
): Promise<{ facts: Omit<PathFacts, 'path' | 'place'>; view: SlotView } | undefined> {
  if (live === undefined || now === undefined || !isUnchanged(await objectAt(live.mountPoint, real), now)) {
    return undefined;
  }
  const view = await openOnce('live', options, () => openLiveView(live, options));
  const facts = await factsOfSlot(view, real, options);
  return { facts: { ...facts, liveSince: live.date, running: { object: now, isSameAsSlot: true } }, view };
}

/**
 * Paths below a directory that aren't in the one tree what they are in the other.
 * @param path of the directory, in both trees.
 */
export async function differencesBelow(before: string, after: string, path: TreePath): Promise<string[]> {
  const name = (below: TreePath) => join(pathTextOf(path), pathTextOf(below));
  const there = join(after, pathTextOf(path));
  // Behind a link there is something else, or another tree.
  const isInBoth = new Reach(before).has(path) && look(prefixOf(before), path)?.isDirectory() === true;
  if (!isInBoth) {
    const seen: TreePath[] = [];
    await walkOne(there, { isOverlayfs: true, onSeen: (below, stats) => typeOf(stats) && seen.push(below) });
    return seen.flatMap((below) => (below === '' ? [] : [name(below)]));
  }
  const { differences: found } = await compareTrees(join(before, pathTextOf(path)), there, { isOverlayfs: true });
  return found.flatMap(({ path: below, before: was, after: is }) =>
    below === '' || isUnchanged(was, is) ? [] : [name(below)],
  );
}

/** The path without links in the directories above it. */
function realPath(root: Root, path: TreePath): TreePath {
  const text = pathTextOf(path);
  // A name that is no text can't be resolved by text, and hardly has links above it.
  if (Buffer.from(text.slice(1), 'utf8').toString('latin1') !== path) return path;
  return treePathFrom(root.inside(root.resolve(text, { followLast: false })));
}

/** A copy in an overlay has another inode number, and of what is left out of it (links, directories) another time. */
export function isUnchanged(inSlot: TreeObject | undefined, now: TreeObject | undefined): boolean {
  if (inSlot === undefined || now === undefined) return inSlot === now;
  return differences(inSlot, now).every((field) => field === 'time' || field === 'flags');
}

/** What the running system knows of a path that isn't what its slot has. */
async function factsOfRunning(
  path: TreePath,
  isOnRoot: boolean,
  options: Pick<InspectPathOptions, 'undo' | 'warn' | 'workDirectory'>,
): Promise<Partial<PathFacts>> {
  const text = pathTextOf(path);
  const bootChange = carefully(options.warn, () => readChanges().get(text));
  const kept = carefully(options.warn, () => listRequests(readOwnerFile()));
  const isKeptFile = kept?.some((request) => request.kind === 'file' && request.path === text);
  const keptCommand = kept?.find((request) => request.kind === 'command' && adoptedPath(request.text) === text);
  const keptBelow = keptBelowOf(kept ?? [], text);
  const overlay = readAttachedOverlay();
  const isKeptByOverlay = isOnRoot && overlay?.used === true && !overlay.readonly;
  const writtenByStage = isKeptByOverlay ? await isWrittenByStage(path, options) : undefined;
  return {
    ...(bootChange !== undefined && { bootChange }),
    ...(isKeptFile === true && { isKeptFile }),
    ...(keptBelow.length > 0 && { keptBelow }),
    ...(keptCommand?.kind === 'command' && { keptCommand: keptCommand.text }),
    ...(isKeptByOverlay && { isKeptByOverlay }),
    ...(writtenByStage !== undefined && { writtenByStage }),
  };
}

/** What the owner keeps of the paths below a directory. */
export function keptBelowOf(requests: readonly OwnerRequest[], directory: string): KeptPath[] {
  return requests.flatMap((request): KeptPath[] => {
    const command = request.kind === 'command' ? request.text : undefined;
    const path = request.kind === 'file' ? request.path : command && adoptedPath(command);
    return path?.startsWith(`${directory}/`) ? [{ path, ...(command !== undefined && { command }) }] : [];
  });
}

/** Whether a path of the root overlay still is as a stage wrote it. */
async function isWrittenByStage(
  path: TreePath,
  { undo, workDirectory }: Pick<InspectPathOptions, 'undo' | 'workDirectory'>,
): Promise<boolean> {
  const view = await bindRoot(undo, workDirectory);
  const written = readStageWrites(view).get(path);
  if (written === undefined) return false;
  const now = await objectAt(view, path);
  return now === undefined ? written === 'removed' : now.digest === `sha256:${written}`;
}

/** The running root alone, without what is mounted below it. */
export async function bindRoot(undo: UndoStack, workDirectory: string): Promise<string> {
  const view = join(workDirectory, 'root');
  await bindMount('/', view);
  undo.always(`unmount ${view}`, () => unmount(view));
  return view;
}

function carefully<T>(warn: (text: string) => void, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    warn(messageOf(error));
    return undefined;
  }
}
