// Fills a transition with an image's content: as a whole, or by writing what differs from the pristine that it is a clone
// of. What the layers hold is noted on the way, for the next upgrade.

import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ChunkSpool } from '../image/chunk-spool.ts';
import { estimateImage } from '../image/estimate.ts';
import type { Image } from '../image/image.ts';
import { LayerIndexer } from '../image/layer-indexer.ts';
import { withRepository } from '../image/oci-image.ts';
import { Spool, SpooledRepository } from '../image/spool.ts';
import type { Tally } from '../image/tally.ts';
import { countVouched, type LayerIndex } from '../image/tree-index.ts';
import { unpackImage } from '../image/unpack-image.ts';
import { FETCH_DIRECTORY, TRANSITION_FILE } from '../slots/names.ts';
import { MIB } from '../slots/partitions.ts';
import { createSlotFile, RESERVE_BYTES, slotSize } from '../slots/slot-file.ts';
import { removeAtOnce } from '../slots/swap.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { freeBytes, syncFilesystem } from '../system/filesystems.ts';
import type { ApplyContext } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import { requireBootable } from './bootable.ts';
import { chunkSpoolOf, keptLayers, openPristine, type PreparedDelta } from './prepare-delta.ts';
import { enlargeFullSlot, giveHeadroom } from './slot-room.ts';
import { makeSkeleton, openSlotFile } from './target.ts';

/** What was moved for a new slot. */
export interface Moved {
  /** Over the network, or from where the image is. */
  fetchedBytes: number;
  /** What all layers of the image have, packed. */
  fullBytes: number;
  /** Content of files that was written into the slot. */
  writtenBytes: number;
}

export interface FillState {
  /** Absent when no image is unpacked. */
  image?: Image | undefined;
  /** Where COS_STATE is mounted. */
  stateDirectory: string;
  /** Where the partition is mounted on which the slot is built; default: COS_STATE. */
  buildDirectory?: string;
  /** An own directory below /run for mount points. */
  workDirectory: string;
  /** Looks at the tree as it came out of the image; throws when it isn't fit for what it is for. */
  inspectUnpacked?: ((root: Root) => void) | undefined;
  /** Set by `unpack`, where the source doesn't know it before. */
  unpacked?: Tally | undefined;
  /** How to start from a pristine, where that was decided on. */
  prepared?: PreparedDelta | undefined;
  /** The slot is at least so large. */
  minimumBytes?: number | undefined;
  /** The image whose pristine the transition is a clone of. */
  clonedFrom?: string;
  /** What was fetched is kept in COS_STATE until the action is done. */
  keepsFetched?: boolean;
  /** The transition holds all of the image. */
  isFilled?: boolean;
  /** What the image's layers hold, lowest first; missing where that isn't known. */
  layerIndexes?: readonly LayerIndex[];
  /** How many layers were taken on the manifest's word: what is in the slot may not be what their digests name. */
  vouchedLayers?: number;
  moved?: Moved;
}

/** Beside what was fetched, so much stays free for what hooks write: a clone that finds no room is damaged. */
const FREE_BESIDE_FETCHED_BYTES = RESERVE_BYTES + 512 * MIB;

/** Unpacks the layers that the transition doesn't hold yet, and finishes its tree. */
export async function unpackIntoSlot(context: ApplyContext, state: FillState, skipLayers: number): Promise<void> {
  if (state.isFilled) return;
  if (state.image === undefined) throw new HoldfastError('HF-NO-SOURCE', 'there is no image to unpack');
  const { image, keptBytes } = spooled(context, state, state.image, skipLayers);
  const known = state.layerIndexes ?? (await knownLayers(state, skipLayers));
  const indexers: LayerIndexer[] = [];
  let fetchedBytes = 0;
  let slot = await openTransition(context, state);
  const { warnings, counted } = await unpackImage(image, slot.root.directory, {
    skipLayers,
    signal: context.signal,
    onProgress: (progress) => {
      fetchedBytes = progress.done;
      context.progress(progress);
    },
    observe: (layer) => {
      const indexer = new LayerIndexer(layer);
      indexers.push(indexer);
      return indexer;
    },
    makeRoom: async () => {
      await syncFilesystem(slot.root.directory);
      await slot.close();
      await enlargeFullSlot(context, transitionOf(state));
      slot = await openTransition(context, state);
    },
  });
  for (const warning of warnings) context.warn(warning);
  state.unpacked = counted;
  state.layerIndexes = [...known, ...indexers.flatMap(({ index }) => index ?? [])];
  addMoved(state, { fetchedBytes: Math.max(0, fetchedBytes - keptBytes), writtenBytes: counted?.contentBytes ?? 0 });
  await finishTree(context, state, slot);
}

/**
 * Turns the transition, a clone of a pristine, into the lower layers of the image. When anything doesn't fit, the
 * transition is made anew from the whole image.
 * @throws HoldfastError HF-INTERRUPTED, HF-NETWORK, and whatever unpacking the whole image throws.
 */
export async function applyDeltaToSlot(
  context: ApplyContext,
  state: FillState,
  prepared: PreparedDelta,
): Promise<void> {
  const { image, stateDirectory } = state;
  if (image?.kind !== 'oci') throw new HoldfastError('HF-NO-SOURCE', 'there is no image to compare with');
  const { delta, digest } = prepared;
  const { runDelta } = await import('../image/run-delta.ts');
  const slot = await openTransition(context, state);
  const pristine = await openPristine({ ...context, workDirectory: state.workDirectory }, stateDirectory, digest);
  const spool = ChunkSpool.open(chunkSpoolOf(stateDirectory, image.digest));
  let failure: unknown;
  try {
    const moved = await runDelta(delta, {
      directory: slot.root.directory,
      pristineDirectory: pristine.root.directory,
      spool,
      // What is written into the clone needs room of its own.
      reserveBytes: FREE_BESIDE_FETCHED_BYTES + (isOnState(state) ? delta.cost.writeBytes : 0),
      sources: prepared.sources,
      signal: context.signal,
      onProgress: context.progress,
    });
    addMoved(state, moved);
    // Unmounting doesn't tell of writes that failed.
    await syncFilesystem(slot.root.directory);
    state.layerIndexes = delta.indexes;
    state.vouchedLayers = countVouched(delta.indexes);
  } catch (error) {
    failure = error;
  } finally {
    spool.close();
    await pristine.close();
  }
  if (failure === undefined && delta.layers === image.layers.length) return finishTree(context, state, slot);
  await slot.close();
  if (failure === undefined) return;
  if (isFinal(failure, delta)) throw failure;
  context.warn(`writing only what differs did not work, so all of the image is fetched: ${messageOf(failure)}`);
  const { contentBytes, entries } = await estimateImage(image, { signal: context.signal });
  const transition = transitionOf(state);
  // What was planned is no measure where it came from an index that nobody vouches for.
  const plannedBytes = delta.proofs.length > 0 ? 0 : statSync(transition).size;
  const sizeBytes = Math.max(plannedBytes, state.minimumBytes ?? 0, slotSize(contentBytes, entries));
  removeAtOnce(transition);
  // The chunks are of no use to the whole image. Where the network went, the next try may want them, if there is room.
  const needed = FREE_BESIDE_FETCHED_BYTES + (isOnState(state) ? sizeBytes : 0);
  const isOfUse = codeOf(failure) === 'HF-NETWORK' && freeBytes(stateDirectory) >= needed;
  if (!isOfUse) removeAtOnce(chunkSpoolOf(stateDirectory, image.digest));
  await createSlotFile(transition, { sizeBytes, label: 'COS_TRANSITION' });
  state.layerIndexes = [];
  await unpackIntoSlot(context, state, 0);
}

/**
 * Whether an error ends the upgrade: fetching all of the image wouldn't go better. What speaks for itself alone may
 * lie about where its chunks are, too; where it is the network, that shows up with the image.
 */
export function isFinal(failure: unknown, { proofs }: { proofs: readonly unknown[] }): boolean {
  return codeOf(failure) === 'HF-INTERRUPTED' || (codeOf(failure) === 'HF-NETWORK' && proofs.length === 0);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof HoldfastError ? error.code : undefined;
}

/** Whether the slot is built where fetched chunks are kept. */
function isOnState({ buildDirectory, stateDirectory }: FillState): boolean {
  return buildDirectory === undefined || buildDirectory === stateDirectory;
}

async function finishTree(
  context: ApplyContext,
  state: FillState,
  { root, close }: { root: Root; close: () => Promise<void> },
): Promise<void> {
  state.inspectUnpacked?.(root);
  makeSkeleton(root);
  requireBootable(root);
  await syncFilesystem(root.directory);
  await close();
  await giveHeadroom(context, transitionOf(state));
  state.isFilled = true;
}

/** An image whose layers go through the spool on COS_STATE, where that is worth something; and what is there already. */
function spooled(
  { events }: ApplyContext,
  state: FillState,
  image: Image,
  skipLayers: number,
): { image: Image; keptBytes: number } {
  if (image.kind !== 'oci') return { image, keptBytes: 0 };
  if (image.origin !== 'registry' || !state.keepsFetched) return { image, keptBytes: 0 };
  const spool = new Spool(join(state.stateDirectory, FETCH_DIRECTORY), {
    reserveBytes: FREE_BESIDE_FETCHED_BYTES,
    notice: (text) => events({ type: 'notice', level: 'info', text }),
  });
  const layers = image.layers.slice(skipLayers);
  spool.prune([image, ...layers]);
  const keptBytes = layers.reduce((sum, layer) => sum + spool.kept(layer), 0);
  return { image: withRepository(image, new SpooledRepository(image.repository, spool)), keptBytes };
}

async function knownLayers({ stateDirectory, clonedFrom }: FillState, count: number): Promise<readonly LayerIndex[]> {
  if (count === 0 || clonedFrom === undefined) return [];
  return keptLayers(stateDirectory, clonedFrom, count);
}

function addMoved(state: FillState, more: Pick<Moved, 'fetchedBytes' | 'writtenBytes'>): void {
  const { fetchedBytes = 0, writtenBytes = 0 } = state.moved ?? {};
  const layers = state.image?.kind === 'oci' ? state.image.layers : [];
  state.moved = {
    fetchedBytes: fetchedBytes + more.fetchedBytes,
    writtenBytes: writtenBytes + more.writtenBytes,
    fullBytes: layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

export function transitionOf(state: Pick<FillState, 'buildDirectory' | 'stateDirectory'>): string {
  return join(state.buildDirectory ?? state.stateDirectory, TRANSITION_FILE);
}

export function mountPointOf(state: Pick<FillState, 'workDirectory'>): string {
  return join(state.workDirectory, 'target');
}

export function openTransition(context: ApplyContext, state: FillState): ReturnType<typeof openSlotFile> {
  const mountPoint = mountPointOf(state);
  mkdirSync(mountPoint, { recursive: true });
  return openSlotFile(context.undo, transitionOf(state), mountPoint);
}
