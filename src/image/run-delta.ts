// Makes the lower layers of an image out of a copy of a pristine: fetches the chunks that are nowhere on this machine,
// writes the difference, and proves that the result is what the image's configuration says.

import { HoldfastError } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import { applyDelta } from './apply-delta.ts';
import { verify } from './blob.ts';
import type { ChunkSpool } from './chunk-spool.ts';
import type { Delta } from './delta.ts';
import type { Digest } from './digest.ts';
import { LocalContents } from './local-contents.ts';
import { shortDigest } from './manifest.ts';
import { through } from './streamstage.ts';
import { type ChunkSource, contentKey, type FileContent } from './tree-index.ts';

export interface RunDeltaOptions {
  /** Holds the old tree, and is turned into the new one. */
  directory: string;
  /** Holds the old tree, and stays as it is. */
  pristineDirectory: string;
  /** Where fetched chunks are kept. */
  spool: ChunkSpool;
  /** Beside them so much room stays free, in bytes. */
  reserveBytes?: number | undefined;
  /** Asked for chunks that the delta took for kept, and that are gone since. */
  sources?: readonly ChunkSource[] | undefined;
  signal?: AbortSignal | undefined;
  /** In bytes that are fetched. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/**
 * Carries a delta out. After an error the directory is of no use, but what was fetched is in the spool.
 * @throws HoldfastError HF-DIGEST when the result is not the image, HF-STATE when the pristine isn't what its index says,
 *   HF-NETWORK, HF-NO-SPACE, HF-INTERRUPTED.
 */
export async function runDelta(
  delta: Delta,
  options: RunDeltaOptions,
): Promise<{ fetchedBytes: number; writtenBytes: number }> {
  const { directory, pristineDirectory, spool, signal } = options;
  const fetchedBytes = await fetchChunks(delta, options);
  const old = new LocalContents(delta.old, pristineDirectory);
  const read = (content: FileContent) => readContent(content, delta, old, spool);
  const { writtenBytes } = await applyDelta(directory, { old: delta.old, difference: delta.difference, read, signal });
  const now = new LocalContents(delta.wanted, directory);
  for (const layer of delta.proofs) {
    await layer.prove?.((content) => {
      if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while the new system was checked');
      return now.has(content) ? now.read(content) : read(content);
    });
  }
  return { fetchedBytes, writtenBytes };
}

/**
 * Fetches every chunk that is needed and nowhere here, whatever was known when it was planned. How much comes is known
 * before: a chunk is as long as its content says, or it is refused.
 */
async function fetchChunks(
  delta: Delta,
  { spool, reserveBytes = 0, sources = [], signal, onProgress }: RunDeltaOptions,
): Promise<number> {
  const missing = missingChunks(delta, spool);
  if (missing.size === 0) return 0;
  const sizes = [...missing.values()];
  spool.requireRoom(sum(sizes), sizes.length, reserveBytes);
  let fetchedBytes = 0;
  const onBytes = (count: number) => {
    fetchedBytes += count;
    onProgress?.({ done: fetchedBytes, total: Math.max(delta.cost.fetchBytes, fetchedBytes), unit: 'bytes' });
  };
  for (const [source, digests] of sourcesOf(missing.keys(), delta, sources)) {
    for await (const { digest, bytes } of source.fetch(digests, { signal, onBytes })) {
      if (missing.get(digest) !== bytes.length) throw absent(source.name, digest);
      spool.add(digest, bytes);
    }
    for (const digest of digests) {
      if (!spool.has(digest)) throw absent(source.name, digest);
    }
  }
  return fetchedBytes;
}

/** The chunks that contents are put together from and that aren't on this machine, with their sizes. */
function missingChunks({ pieces, oldChunks }: Delta, spool: ChunkSpool): Map<Digest, number> {
  const chunks = [...pieces.values()].flat();
  const needed = chunks.filter(({ digest }) => !oldChunks.has(digest) && !spool.has(digest));
  return new Map(needed.map(({ digest, sizeBytes }) => [digest, sizeBytes]));
}

/** Where each chunk comes from: as it was planned, else from any that has it. */
function sourcesOf(
  digests: Iterable<Digest>,
  { requests }: Delta,
  others: readonly ChunkSource[],
): Map<ChunkSource, Set<Digest>> {
  const all = [...requests.map(({ source }) => source), ...others];
  const found = new Map<ChunkSource, Set<Digest>>();
  for (const digest of digests) {
    const planned = requests.find((request) => request.digests.has(digest))?.source;
    const source = planned ?? all.find((one) => one.has(digest));
    if (source === undefined) throw absent('no source', digest);
    found.set(source, (found.get(source) ?? new Set<Digest>()).add(digest));
  }
  return found;
}

/** The stored bytes of a content: from the pristine, or put together from chunks. */
async function* readContent(
  content: FileContent,
  { pieces, oldChunks }: Delta,
  old: LocalContents,
  spool: ChunkSpool,
): AsyncGenerator<Buffer> {
  if (old.has(content)) {
    yield* old.read(content);
    return;
  }
  const chunks = pieces.get(contentKey(content));
  if (chunks === undefined) throw absent('the difference', content.digest);
  for (const chunk of chunks) {
    const place = oldChunks.get(chunk.digest);
    // A chunk of an old file is checked by itself: the index that speaks of it was made from another reading.
    if (place === undefined) yield spool.get(chunk);
    else
      yield* through(old.readPart(place.path, place.offset, chunk.sizeBytes), verify('a part of an old file', chunk));
  }
}

function absent(where: string, digest: string): HoldfastError {
  return new HoldfastError('HF-IMAGE', `${where} does not have ${shortDigest(digest)}, which it promised`, {
    hint: 'the image is fetched as a whole instead',
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
