// Makes the lower layers of an image out of a copy of a pristine: fetches the chunks that are nowhere on this machine,
// writes the difference, and proves that the result is what the image's configuration says.

import { HoldfastError } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import { applyDelta } from './apply-delta.ts';
import { verify } from './blob.ts';
import type { ChunkSpool } from './chunk-spool.ts';
import type { Delta } from './delta.ts';
import { LocalContents } from './local-contents.ts';
import { shortDigest } from './manifest.ts';
import { through } from './streamstage.ts';
import { contentKey, type FileContent } from './tree-index.ts';

export interface RunDeltaOptions {
  /** Holds the old tree, and is turned into the new one. */
  directory: string;
  /** Holds the old tree, and stays as it is. */
  pristineDirectory: string;
  /** Where fetched chunks are kept. */
  spool: ChunkSpool;
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
  { directory, pristineDirectory, spool, signal, onProgress }: RunDeltaOptions,
): Promise<{ fetchedBytes: number; writtenBytes: number }> {
  const fetchedBytes = await fetchChunks(delta, spool, signal, onProgress);
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

async function fetchChunks(
  { requests, cost }: Delta,
  spool: ChunkSpool,
  signal: AbortSignal | undefined,
  onProgress: RunDeltaOptions['onProgress'],
): Promise<number> {
  let fetchedBytes = 0;
  const onBytes = (count: number) => {
    fetchedBytes += count;
    onProgress?.({ done: fetchedBytes, total: Math.max(cost.fetchBytes, fetchedBytes), unit: 'bytes' });
  };
  for (const { source, digests } of requests) {
    const wanted = new Set([...digests].filter((digest) => !spool.has(digest)));
    if (wanted.size === 0) continue;
    for await (const { digest, bytes } of source.fetch(wanted, { signal, onBytes })) spool.add(digest, bytes);
    for (const digest of wanted) {
      if (!spool.has(digest)) throw missing(source.name, digest);
    }
  }
  return fetchedBytes;
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
  if (chunks === undefined) throw missing('the difference', content.digest);
  for (const chunk of chunks) {
    const place = oldChunks.get(chunk.digest);
    // A chunk of an old file is checked by itself: the index that speaks of it was made from another reading.
    if (place === undefined) yield spool.get(chunk);
    else
      yield* through(old.readPart(place.path, place.offset, chunk.sizeBytes), verify('a part of an old file', chunk));
  }
}

function missing(where: string, digest: string): HoldfastError {
  return new HoldfastError('HF-IMAGE', `${where} does not have ${shortDigest(digest)}, which it promised`, {
    hint: 'the image is fetched as a whole instead',
  });
}
