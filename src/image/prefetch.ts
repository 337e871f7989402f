// Layers that come over a network: while one is unpacked, the next ones are on their way already, in bounded memory.

import { HoldfastError } from '../system/errors.ts';
import { type Layer, unpackedLayer } from './blob.ts';
import { ReadAhead } from './read-ahead.ts';
import type { ReadOptions, Repository } from './repository.ts';

/** Connections at once; one is rarely the fastest, and registries refuse many. */
const PARALLEL = 3;
const MAX_WAITING_BYTES = 24 << 20;

/** A series of layers that is being read. */
export interface LayerReading {
  /** The tar stream of a layer; those of the series in its order. */
  readLayer(layer: Layer, options?: ReadOptions): AsyncIterable<Buffer>;
  /** The last call, after success and failure. */
  close(): Promise<void>;
}

/**
 * Begins to read layers.
 * @param layers in the order in which they will be asked for.
 */
export function prefetchLayers(
  repository: Repository,
  layers: readonly Layer[],
  { signal }: Pick<ReadOptions, 'signal'> = {},
): LayerReading {
  const sources = layers.map((layer) => (ending: AbortSignal) => repository.blob(layer, { signal: ending }));
  const ahead = new ReadAhead(sources, {
    parallel: PARALLEL,
    maxBytes: MAX_WAITING_BYTES,
    sizeOf: ({ length }) => length,
    signal,
  });
  let turn = 0;
  return {
    readLayer: (layer, options = {}) => {
      // Out of turn it is read by itself.
      if (layers[turn] !== layer) return layerStream(repository, layer, repository.blob(layer, options));
      turn += 1;
      return layerStream(repository, layer, counted(ahead.next(), options.onBytes));
    },
    close: () => ahead.close(),
  };
}

/** The tar stream of a layer, whose packed bytes came from a repository. */
export async function* layerStream(
  repository: Pick<Repository, 'forget'>,
  layer: Layer,
  packed: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  try {
    yield* unpackedLayer(layer, packed);
  } catch (error) {
    const isWrong = error instanceof HoldfastError && (error.code === 'HF-DIGEST' || error.code === 'HF-IMAGE');
    if (isWrong) repository.forget?.(layer);
    throw error;
  }
}

async function* counted(
  stream: AsyncIterable<Buffer>,
  onBytes: (count: number) => void = () => {},
): AsyncGenerator<Buffer> {
  for await (const chunk of stream) {
    onBytes(chunk.length);
    yield chunk;
  }
}
