// What machines that run an older image have at hand, as an upgrade looks for it: whole contents anywhere in the tree, and
// single chunks in the file that has the same path. What all of them have needn't be in a pack.

import type { Digest } from '../digest.ts';
import { contentKey, type FileContent, type LayerIndex, type TreeIndex } from '../tree-index.ts';
import { treeOf } from '../tree-model.ts';
import { MIN_CHUNK_BYTES } from './chunker.ts';

export interface HeldContents {
  /** Whether the whole content is there. */
  hasContent(content: FileContent): boolean;
  /** Whether a chunk is part of the file at that path, without leading slash. */
  hasChunk(path: string, chunk: Digest): boolean;
}

/**
 * Whether an upgrade looks for chunks in an old content. What is left out of a pack depends on it, on another machine:
 * it may become true for more contents, and for none less.
 */
export function isCut({ sizeBytes, extents }: FileContent): boolean {
  return extents === undefined && sizeBytes > MIN_CHUNK_BYTES;
}

/**
 * What a machine has that runs an image of these layers, whose contents list their chunks. Lower files that upper ones
 * hide are not there.
 */
export function heldByImage(layers: readonly LayerIndex[]): HeldContents {
  const tree: TreeIndex = treeOf(layers);
  const contents = new Set<string>();
  const chunksByPath = new Map<string, ReadonlySet<Digest>>();
  for (const { path, content } of tree.values()) {
    if (content === undefined) continue;
    contents.add(contentKey(content));
    if (content.chunks !== undefined && isCut(content)) {
      chunksByPath.set(path, new Set(content.chunks.map(({ digest }) => digest)));
    }
  }
  return {
    hasContent: (content) => contents.has(contentKey(content)),
    hasChunk: (path, chunk) => chunksByPath.get(path)?.has(chunk) ?? false,
  };
}

/** What all of them have; nothing when there are none. */
export function heldByAll(held: readonly HeldContents[]): HeldContents {
  return {
    hasContent: (content) => held.length > 0 && held.every((one) => one.hasContent(content)),
    hasChunk: (path, chunk) => held.length > 0 && held.every((one) => one.hasChunk(path, chunk)),
  };
}
