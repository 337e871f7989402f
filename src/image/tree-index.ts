// What an image holds, entry by entry, without the contents themselves: layers as lists of entries, trees as what layers
// make of each other. An upgrade that moves only what changed compares two of these and then asks for a few chunks.

import type { Digest } from './digest.ts';
import type { ExactTime } from './exact-time.ts';
import type { Extent } from './sparse.ts';
import type { TreePath } from './targettree.ts';
import type { TarEntry } from './tarreader.ts';

/** A piece of a file's stored bytes. */
export interface Chunk {
  /** Of the piece, unpacked. */
  digest: Digest;
  sizeBytes: number;
}

/** The stored bytes of a file; two files with the same digest, size and pieces have the same content. */
export interface FileContent {
  /** sha256 of the stored bytes: of all of the file, or of a sparse file's pieces one after another. */
  digest: Digest;
  /** Stored bytes; of a sparse file less than its size. */
  sizeBytes: number;
  /** Where the stored bytes of a sparse file belong; absent when they are the file from its first byte to its last. */
  extents?: readonly Extent[] | undefined;
  /** The pieces, in order, as a {@link ChunkSource} has them; absent where nobody can be asked for them. */
  chunks?: readonly Chunk[] | undefined;
}

/** One entry of a layer: what its tar header says, whiteouts included, and what its content is. */
export interface LayerEntry {
  header: TarEntry;
  /** Only of files (`header.type` is `file`), also of empty ones. */
  content?: FileContent | undefined;
}

/** All that a layer's tar stream says but the contents. */
export interface LayerIndex {
  diffId: Digest;
  /** In the order of the tar stream. */
  entries: readonly LayerEntry[];
}

/** One name of a tree. Hard links share everything but the path. */
export interface TreeEntry {
  path: TreePath;
  type: Exclude<TarEntry['type'], 'hardlink'>;
  /** Permission bits with the special ones; of symlinks 0o777. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970, with fraction. Undefined only for the tree itself, when no layer speaks of it. */
  mtime: number | undefined;
  /** Present where there is a fraction. */
  exactMtime?: ExactTime | undefined;
  /** Of files, holes included. */
  sizeBytes: number;
  content: FileContent | undefined;
  /** Target of a symlink, bytes as latin1. */
  linkName: string;
  deviceMajor: number;
  deviceMinor: number;
  xattrs: ReadonlyMap<string, Buffer>;
  /** The same number for all names of one file; different for different files. */
  inode: number;
}

/** A whole tree by path; `` is the tree itself, and a directory comes before what lies in it. */
export type TreeIndex = ReadonlyMap<TreePath, TreeEntry>;

export interface ChunkCost {
  /** Bytes that come over the network (packed, with what is fetched along between two of them). */
  fetchBytes: number;
  requests: number;
}

export interface FetchChunksOptions {
  signal?: AbortSignal | undefined;
  /** Called with the count of fetched bytes since the last call. */
  onBytes?: ((count: number) => void) | undefined;
}

/** Chunks by their digest, wherever they are: ranges of a seekable layer, or of a pack that was published beside it. */
export interface ChunkSource {
  /** For messages: what it is (`zstd:chunked`, `eStargz`, `chunk index`). */
  readonly name: string;
  has(digest: Digest): boolean;
  /** What it costs to get all of these, known before anything is fetched. All of them are there. */
  cost(digests: ReadonlySet<Digest>): ChunkCost;
  /**
   * Gets them, each once, in any order; the bytes were checked against the digest.
   * @throws HoldfastError HF-DIGEST, HF-NETWORK, HF-UNSUPPORTED when ranges are refused.
   */
  fetch(digests: ReadonlySet<Digest>, options?: FetchChunksOptions): AsyncIterable<{ digest: Digest; bytes: Buffer }>;
  /**
   * Cuts a file that is at hand as this source cuts files, to find pieces of an old version in a new one. Absent where
   * that finds nothing. A piece of the file is valid until the next one is asked for.
   */
  split?(bytes: AsyncIterable<Buffer>): AsyncIterable<Chunk>;
}

/** A layer of which single contents can be had. */
export interface SeekableLayer extends LayerIndex {
  source: ChunkSource;
  /**
   * Proves that the entries, with these contents, are the layer: its tar stream is put together and must have the
   * digest that the image's configuration names. Absent when the manifest itself vouches for the entries.
   * @param read gives a content's stored bytes; a piece may be valid only until the next one.
   * @throws HoldfastError HF-DIGEST
   */
  prove?(read: (content: FileContent) => AsyncIterable<Buffer>): Promise<void>;
}

/**
 * How many of these layers rest on the manifest's word alone: its tables of contents were taken for what the layers hold,
 * and nothing was compared with the digests that the image's configuration names. Who made the manifest may have lied
 * about those, so nobody may take such a layer for one that has them.
 */
export function countVouched(layers: readonly (LayerIndex | SeekableLayer)[]): number {
  return layers.filter((layer) => 'source' in layer && layer.prove === undefined).length;
}

/** Whether two contents are the same. */
export function sameContent(one: FileContent | undefined, other: FileContent | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && contentKey(one) === contentKey(other));
}

/** A text that is the same for the same content, and for no other. */
export function contentKey({ digest, sizeBytes, extents }: FileContent): string {
  const pieces = extents === undefined ? '' : extents.map(({ offset, length }) => `${offset}+${length}`).join();
  return `${digest}:${sizeBytes}:${pieces}`;
}
