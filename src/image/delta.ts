// How a new image can be made from a pristine that is at hand: which of its lowest layers are known entry by entry, what
// their tree differs in, which contents are nowhere on this machine, and what it costs to get those. Decided before
// anything is fetched; where a whole layer is cheaper, there is no delta.

import type { Layer } from './blob.ts';
import type { Digest } from './digest.ts';
import { parseEntryName } from './entrypath.ts';
import { LocalContents } from './local-contents.ts';
import type { OciImage } from './oci-image.ts';
import { isCut } from './seekable/held-contents.ts';
import type { TreePath } from './targettree.ts';
import { compareTrees, type TreeDifference } from './tree-diff.ts';
import {
  type Chunk,
  type ChunkSource,
  contentKey,
  type FileContent,
  type LayerIndex,
  type SeekableLayer,
  type TreeEntry,
  type TreeIndex,
} from './tree-index.ts';
import { TreeModel, treeOf } from './tree-model.ts';

/** A pristine whose index was kept, mounted read-only. */
export interface DeltaBase {
  layers: readonly LayerIndex[];
  /** What they make; worked out where it isn't given. */
  tree?: TreeIndex | undefined;
  directory: string;
}

export interface DeltaInputs {
  image: Pick<OciImage, 'layers'>;
  base: DeltaBase;
  /** Layers of the image of which single contents can be had, by diffId. */
  seekable: ReadonlyMap<Digest, SeekableLayer>;
  /** Chunks that an interrupted upgrade has left. */
  spooled: ReadonlySet<Digest>;
}

export interface ChunkRequest {
  source: ChunkSource;
  digests: ReadonlySet<Digest>;
}

export interface DeltaCost {
  /** Bytes to fetch: chunks, and the layers that come whole. */
  fetchBytes: number;
  requests: number;
  /** What fetching all layers would take. */
  fullBytes: number;
  /** At most so many bytes of content are written for the layers that are known. */
  writeBytes: number;
}

/** A way to make an image. */
export interface Delta {
  /** How many of the image's lowest layers are made from the pristine; the others are unpacked on top. */
  layers: number;
  /** Of those. */
  indexes: readonly LayerIndex[];
  old: TreeIndex;
  wanted: TreeIndex;
  difference: TreeDifference;
  requests: readonly ChunkRequest[];
  /** Of layers whose entries nobody vouches for. */
  proofs: readonly SeekableLayer[];
  /** Contents that are written or proven, with the chunks that they are put together from. */
  pieces: ReadonlyMap<string, readonly Chunk[]>;
  /** Chunks that are in old versions of changed files. */
  oldChunks: ReadonlyMap<Digest, { path: TreePath; offset: number }>;
  cost: DeltaCost;
}

const BLOCK_BYTES = 4096;
/** What a request costs beside its bytes: a round trip's worth. */
const REQUEST_BYTES = 32 << 10;

/**
 * Layers of the image of which this machine has not all contents: only those are worth asking about.
 * @param tree what the layers of the base make.
 */
export function layersToAskAbout(
  image: Pick<OciImage, 'layers'>,
  base: readonly LayerIndex[],
  tree: TreeIndex = treeOf(base),
): Layer[] {
  const contents = new Set<string>();
  for (const { content } of tree.values()) if (content !== undefined) contents.add(contentKey(content));
  const kept = new Map(base.map((layer) => [layer.diffId, layer]));
  return image.layers.filter(({ diffId }) => {
    const entries = kept.get(diffId)?.entries;
    return !entries?.every(({ content }) => !content || content.sizeBytes === 0 || contents.has(contentKey(content)));
  });
}

/** What the files of a tree take on a disk, counted as `measureImage` does. */
export function figuresOfTree(tree: TreeIndex): { contentBytes: number; entries: number } {
  const inodes = new Map([...tree.values()].map((entry) => [entry.inode, entry.content?.sizeBytes ?? 0]));
  const contentBytes = sum([...inodes.values()], (sizeBytes) => Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES);
  return { contentBytes, entries: inodes.size };
}

/**
 * Looks for the cheapest way; reads old versions of large files that changed, and nothing else.
 * @returns undefined when nothing is won.
 * @throws HoldfastError HF-IMAGE when the image can't be unpacked at all.
 */
export async function planDelta(inputs: DeltaInputs): Promise<Delta | undefined> {
  const { image, base, seekable } = inputs;
  const kept = new Map(base.layers.map((layer) => [layer.diffId, layer]));
  const indexes: LayerIndex[] = [];
  for (const { diffId } of image.layers) {
    const index = kept.get(diffId) ?? seekable.get(diffId);
    if (index === undefined) break;
    // Nothing of where its contents came from: it is kept until the upgrade is done.
    indexes.push({ diffId: index.diffId, entries: index.entries });
  }
  const old = base.tree ?? treeOf(base.layers);
  const shared = image.layers.findIndex(({ diffId }) => !kept.has(diffId));
  // All that is known, or just what both images have: the layers between them may cost less as a whole.
  const counts = new Set([indexes.length, shared === -1 ? indexes.length : shared]);
  let best: Delta | undefined;
  let leastCost = packedBytes(image.layers) + image.layers.length * REQUEST_BYTES;
  for (const count of counts) {
    const delta = count === 0 ? undefined : await tryDelta(inputs, old, kept, indexes.slice(0, count));
    if (delta !== undefined && worth(delta.cost) < leastCost) {
      best = delta;
      leastCost = worth(delta.cost);
    }
  }
  return best;
}

function worth({ fetchBytes, requests }: DeltaCost): number {
  return fetchBytes + requests * REQUEST_BYTES;
}

async function tryDelta(
  { image, base, seekable, spooled }: DeltaInputs,
  old: TreeIndex,
  kept: ReadonlyMap<Digest, LayerIndex>,
  indexes: readonly LayerIndex[],
): Promise<Delta | undefined> {
  const model = new TreeModel();
  for (const index of indexes) model.addLayer(index);
  const wanted = model.index();
  const difference = compareTrees(old, wanted);
  const local = new LocalContents(old, base.directory);
  const remote = indexes.flatMap(({ diffId }) => seekable.get(diffId) ?? []);
  // What this machine unpacked itself needs no proof.
  const proofs = remote.filter(({ diffId, prove }) => prove !== undefined && !kept.has(diffId));
  const available = remoteContents(remote);
  const missing = new Map<string, { content: FileContent; replaces: TreeEntry | undefined }>();
  for (const { entry, hasNewContent } of difference.files) {
    if (hasNewContent) note(missing, local, entry.content, old.get(entry.path));
  }
  // Whoever makes a pack leaves out what the old file of the same name has (held-contents.ts), hidden or not.
  for (const layer of proofs) {
    for (const { header, content } of layer.entries) note(missing, local, content, old.get(pathOf(header.name)));
  }

  const oldChunks = new Map<Digest, { path: TreePath; offset: number }>();
  const pieces = new Map<string, readonly Chunk[]>();
  const digests = new Map<ChunkSource, Set<Digest>>();
  for (const [key, { replaces }] of missing) {
    const found = available.get(key);
    if (found === undefined) return undefined;
    pieces.set(key, found.chunks);
    await cutOld(found, replaces, local, oldChunks);
  }
  for (const [key] of missing) {
    for (const { digest } of available.get(key)?.chunks ?? []) {
      if (oldChunks.has(digest) || spooled.has(digest)) continue;
      const source = available.get(key)?.source;
      if (source === undefined || !source.has(digest)) return undefined;
      digests.set(source, (digests.get(source) ?? new Set<Digest>()).add(digest));
    }
  }
  const requests = [...digests].map(([source, wantedChunks]) => ({ source, digests: wantedChunks }));
  const costs = requests.map((request) => request.source.cost(request.digests));
  const rest = image.layers.slice(indexes.length);
  const cost = {
    fetchBytes: sum(costs, ({ fetchBytes }) => fetchBytes) + packedBytes(rest),
    requests: sum(costs, (one) => one.requests) + rest.length,
    fullBytes: packedBytes(image.layers),
    writeBytes: difference.writeBytes,
  };
  return { layers: indexes.length, indexes, old, wanted, difference, requests, proofs, pieces, oldChunks, cost };
}

/** Contents that a source has, with their chunks. */
function remoteContents(layers: readonly SeekableLayer[]) {
  const contents = new Map<string, { chunks: readonly Chunk[]; source: ChunkSource }>();
  for (const { entries, source } of layers) {
    for (const { content } of entries) {
      if (content?.chunks !== undefined) contents.set(contentKey(content), { chunks: content.chunks, source });
    }
  }
  return contents;
}

function note(
  missing: Map<string, { content: FileContent; replaces: TreeEntry | undefined }>,
  local: LocalContents,
  content: FileContent | undefined,
  replaces: TreeEntry | undefined,
): void {
  if (content === undefined || content.sizeBytes === 0 || local.has(content)) return;
  const key = contentKey(content);
  if (missing.get(key)?.replaces === undefined) missing.set(key, { content, replaces });
}

/** The path that an entry's name means, as far as the name alone tells. */
function pathOf(name: string): TreePath {
  const parsed = parseEntryName(name);
  return parsed.kind === 'entry' ? parsed.parts.join('/') : '';
}

/** Finds chunks of the new version in the old one. */
async function cutOld(
  { source }: { source: ChunkSource },
  replaces: TreeEntry | undefined,
  local: LocalContents,
  oldChunks: Map<Digest, { path: TreePath; offset: number }>,
): Promise<void> {
  if (source.split === undefined || replaces?.content === undefined || !isCut(replaces.content)) return;
  const { content, path } = replaces;
  let offset = 0;
  for await (const { digest, sizeBytes } of source.split(local.read(content))) {
    if (!oldChunks.has(digest)) oldChunks.set(digest, { path, offset });
    offset += sizeBytes;
  }
}

function packedBytes(layers: readonly Layer[]): number {
  return sum(layers, ({ sizeBytes }) => sizeBytes);
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
