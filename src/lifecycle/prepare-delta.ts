// Whether an upgrade can start from an installed image's pristine and write only what differs. All of it is found out
// before the first write; whatever doesn't fit is said in a line, and the image is fetched as a whole.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ChunkSpool } from '../image/chunk-spool.ts';
import { type Delta, type DeltaCost, figuresOfTree, layersToAskAbout, planDelta } from '../image/delta.ts';
import { type Digest, isDigest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import { readIndexFile } from '../image/index-file.ts';
import type { OciImage } from '../image/oci-image.ts';
import type { ChunkSource, LayerIndex } from '../image/tree-index.ts';
import { treeOf } from '../image/tree-model.ts';
import { FETCH_DIRECTORY, pristineFile, pristineIndexFile } from '../slots/names.ts';
import type { InstallationState } from '../slots/state-file.ts';
import { hasPristine } from '../slots/swap.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { Session } from './session.ts';
import { openSlotFile } from './target.ts';

/** A delta that was decided on. */
export interface PreparedDelta {
  /** Digest of the image whose pristine it starts from. */
  digest: string;
  delta: Delta;
  /** Of all layers that have one. */
  sources: readonly ChunkSource[];
}

/** What a plan says of a delta. */
export interface DeltaFacts {
  /** How many of the image's lowest layers it makes. */
  layers: number;
  /** What their tree takes in the new slot. */
  contentBytes: number;
  entries: number;
  cost: DeltaCost;
}

type DeltaSession = Pick<Session, 'undo' | 'workDirectory' | 'signal' | 'events'>;

/** Where chunks of an image are kept until its upgrade is done. */
export function chunkSpoolOf(stateDirectory: string, imageDigest: string): string {
  return join(stateDirectory, FETCH_DIRECTORY, `${imageDigest.replace(/^sha256:/, '')}.chunks`);
}

export function deltaFactsOf({ delta }: PreparedDelta): DeltaFacts {
  return { layers: delta.layers, ...figuresOfTree(delta.wanted), cost: delta.cost };
}

/**
 * Looks for the cheapest way from what is installed to an image; changes nothing.
 * @returns undefined where there is none, or none that is cheaper than the whole image.
 * @throws HoldfastError HF-INTERRUPTED, and HF-IMAGE when the image can't be unpacked at all.
 */
export async function prepareDelta(
  session: DeltaSession,
  installed: InstallationState,
  image: Image,
  stateDirectory: string,
): Promise<PreparedDelta | undefined> {
  if (image.kind !== 'oci') return undefined;
  // Its own is the cheapest, where a plan has built it before.
  const all = [image.digest, installed.active?.digest, installed.passive?.digest];
  const digests = all.filter((digest) => digest !== undefined);
  for (const digest of new Set(digests)) {
    if (!isDigest(digest) || !hasPristine(stateDirectory, digest)) continue;
    const prepared = await prepareFrom(session, digest, image, stateDirectory).catch((error: unknown) => {
      if (error instanceof HoldfastError && error.code === 'HF-INTERRUPTED') throw error;
      say(session, `the difference to the installed image can't be worked out: ${messageOf(error)}`);
      return undefined;
    });
    if (prepared !== undefined) return prepared;
  }
  return undefined;
}

async function prepareFrom(
  session: DeltaSession,
  digest: Digest,
  image: OciImage,
  stateDirectory: string,
): Promise<PreparedDelta | undefined> {
  const index = await readIndexFile(join(stateDirectory, pristineIndexFile(digest)), digest);
  if (index === undefined) return undefined;
  const tree = treeOf(index.layers);
  const asked = layersToAskAbout(image, index.layers, tree);
  const { openSeekableLayers } = await import('../image/seekable/open-seekable.ts');
  const notice = (text: string) => say(session, text);
  const seekable = await openSeekableLayers(image, {
    ...{ base: { digest }, layers: asked, signal: session.signal, notice },
  });
  const { root, close } = await openPristine(session, stateDirectory, digest);
  try {
    const spooled = ChunkSpool.look(chunkSpoolOf(stateDirectory, image.digest));
    const base = { layers: index.layers, tree, directory: root.directory };
    const delta = await planDelta({ image, base, seekable, spooled });
    return delta && { digest, delta, sources: [...new Set([...seekable.values()].map(({ source }) => source))] };
  } finally {
    await close();
  }
}

/** The pristine of an image, read-only. */
export function openPristine(
  { undo, workDirectory }: Pick<Session, 'undo' | 'workDirectory'>,
  stateDirectory: string,
  digest: string,
): ReturnType<typeof openSlotFile> {
  const file = join(stateDirectory, pristineFile(digest));
  return openSlotFile(undo, file, join(workDirectory, 'pristine'), { readOnly: true });
}

/** What is known of the lowest layers of a pristine; nothing when its index is missing or damaged. */
export async function keptLayers(
  stateDirectory: string,
  digest: string,
  count: number,
): Promise<readonly LayerIndex[]> {
  const path = join(stateDirectory, pristineIndexFile(digest));
  if (!existsSync(path)) return [];
  try {
    return (await readIndexFile(path, digest))?.layers.slice(0, count) ?? [];
  } catch (error) {
    if (error instanceof HoldfastError) return [];
    throw error;
  }
}

function say({ events }: Pick<Session, 'events'>, text: string): void {
  events({ type: 'notice', level: 'info', text });
}
