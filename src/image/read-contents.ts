// What is in an image, without unpacking it: its tree, and the few files that say which system it is. Layers with a table
// of contents that the manifest vouches for are not read; the others are, once, from end to end.

import { HoldfastError } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import type { Layer } from './blob.ts';
import { type Digest, digestOf } from './digest.ts';
import { parseEntryName } from './entrypath.ts';
import { LayerIndexer } from './layer-indexer.ts';
import { visitLayers } from './layervisitor.ts';
import { shortDigest } from './manifest.ts';
import type { OciImage } from './oci-image.ts';
import { isPackageList, isRpmDatabase, MAX_LIST_BYTES, type Packages, parsePackages } from './packages.ts';
import { openSeekableLayers } from './seekable/open-seekable.ts';
import type { TreePath } from './targettree.ts';
import type { TarEvent } from './tarreader.ts';
import type { Chunk, ChunkSource, LayerIndex, TreeIndex } from './tree-index.ts';
import { treeOf } from './tree-model.ts';
import { allowedBytes, DEFAULT_LIMITS } from './unpack.ts';

export interface ImageContents {
  tree: TreeIndex;
  /** Undefined where the list is in a form that isn't read here (rpm), or where there is none. */
  packages: Packages | undefined;
  /** The text of os-release, if there is one. */
  osRelease: string | undefined;
  /** Bytes of packed layers that were read. */
  readBytes: number;
}

export interface ReadContentsOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  notice?: ((text: string) => void) | undefined;
  /** What was read of other images: layers that are in several are read once. */
  memory?: ReadMemory | undefined;
}

/** Layers and files that were read. */
export class ReadMemory {
  readonly indexes = new Map<Digest, LayerIndex>();
  readonly texts = new Map<Digest, Buffer>();
}

const OS_RELEASE: readonly TreePath[] = ['etc/os-release', 'usr/lib/os-release'];

/**
 * Reads what an image holds.
 * @throws HoldfastError HF-DIGEST and HF-IMAGE when it isn't what it claims to be, HF-NETWORK, HF-INTERRUPTED.
 */
export async function readContents(image: OciImage, options: ReadContentsOptions = {}): Promise<ImageContents> {
  const { signal, onProgress, notice, memory = new ReadMemory() } = options;
  const { indexes, texts } = memory;
  const sources: ChunkSource[] = [];
  for (const [diffId, seekable] of await openSeekableLayers(image, { signal, notice })) {
    // What only proves itself when everything was fetched is no saving.
    if (seekable.prove !== undefined) continue;
    indexes.set(diffId, seekable);
    sources.push(seekable.source);
  }
  const keeper = new Keeper(texts);
  const unread = image.layers.filter(({ diffId }) => !indexes.has(diffId));
  const indexers: { layer: Layer; indexer: LayerIndexer }[] = [];
  const visit = { signal, onProgress, maxBytes: allowedBytes(DEFAULT_LIMITS, unread) };
  const { packedBytes } = await visitLayers(image, unread, visit, (layer) => {
    const indexer = new LayerIndexer(layer);
    indexers.push({ layer, indexer });
    return {
      handle: (event) => {
        indexer.handle(event);
        keeper.handle(event);
        return undefined;
      },
      end: () => indexer.end(),
    };
  });
  for (const { layer, indexer } of indexers) {
    if (indexer.index === undefined) {
      throw new HoldfastError('HF-IMAGE', `layer ${shortDigest(layer.digest)} has too many entries to be looked at`);
    }
    indexes.set(layer.diffId, indexer.index);
  }
  const tree = treeOf(image.layers.flatMap(({ diffId }) => indexes.get(diffId) ?? []));
  const text = (path: TreePath) => readText(tree, path, texts, sources, signal);
  const packages = await readPackages(tree, text);
  let osRelease: string | undefined;
  for (const path of OS_RELEASE) osRelease ??= await text(path);
  return { tree, packages, osRelease, readBytes: packedBytes };
}

async function readPackages(
  tree: TreeIndex,
  text: (path: TreePath) => Promise<string | undefined>,
): Promise<Packages | undefined> {
  const lists = [...tree.keys()].filter(isPackageList);
  if (lists.length === 0 || [...tree.keys()].some(isRpmDatabase)) return undefined;
  const packages = new Map<string, string>();
  for (const path of lists) {
    for (const [name, version] of parsePackages(path, (await text(path)) ?? '')) packages.set(name, version);
  }
  return packages;
}

async function readText(
  tree: TreeIndex,
  path: TreePath,
  kept: ReadonlyMap<Digest, Buffer>,
  sources: readonly ChunkSource[],
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const content = tree.get(path)?.content;
  if (content === undefined || content.extents !== undefined || content.sizeBytes > MAX_LIST_BYTES) return undefined;
  const whole = kept.get(content.digest);
  if (whole !== undefined) return whole.toString('utf8');
  const chunks = content.chunks ?? (content.sizeBytes === 0 ? [] : undefined);
  const source = sources.find((one) => chunks?.every(({ digest }) => one.has(digest)));
  return chunks === undefined || source === undefined ? undefined : fetchText(chunks, source, signal);
}

async function fetchText(
  chunks: readonly Chunk[],
  source: ChunkSource,
  signal: AbortSignal | undefined,
): Promise<string> {
  const pieces = new Map<Digest, Buffer>();
  for await (const { digest, bytes } of source.fetch(new Set(chunks.map((chunk) => chunk.digest)), { signal })) {
    pieces.set(digest, bytes);
  }
  return Buffer.concat(chunks.flatMap(({ digest }) => pieces.get(digest) ?? [])).toString('utf8');
}

/** Keeps the few contents that are read, while layers stream past. */
class Keeper {
  readonly #texts: Map<Digest, Buffer>;
  #parts: Buffer[] | undefined;

  constructor(texts: Map<Digest, Buffer>) {
    this.#texts = texts;
  }

  handle(event: TarEvent): void {
    if (event.kind === 'entry') {
      const { entry } = event;
      const name = parseEntryName(entry.name);
      const path = name.kind === 'entry' ? name.parts.join('/') : '';
      const isWanted = entry.type === 'file' && (isPackageList(path) || OS_RELEASE.includes(path));
      this.#parts = isWanted && entry.sizeBytes <= MAX_LIST_BYTES ? [] : undefined;
    } else if (event.kind === 'data') {
      this.#parts?.push(Buffer.from(event.bytes));
    } else if (this.#parts !== undefined) {
      const bytes = Buffer.concat(this.#parts);
      this.#texts.set(digestOf(bytes), bytes);
      this.#parts = undefined;
    }
  }
}
