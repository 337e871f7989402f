// Streams layers past a visitor, lowest first. Every byte of every layer is read, past the end of its tar stream too,
// so that both digests are checked before a layer counts.

import { HoldfastError } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import type { Layer } from './blob.ts';
import type { OciImage } from './oci-image.ts';
import { type TarEvent, TarReader } from './tarreader.ts';

/** Sees one layer. */
export interface LayerVisitor {
  /** A promise only where something must be waited for: waiting for each event would cost more than the work. */
  handle(event: TarEvent): Promise<void> | undefined;
  /** The layer is complete and is what its digests say. */
  end?(): Promise<void>;
  /** The last call, after success and failure. */
  close?(): void;
}

export interface VisitOptions {
  signal?: AbortSignal | undefined;
  /** In bytes of packed layers. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Of all unpacked tar streams together. */
  maxBytes: number;
}

/**
 * @param visitor makes the visitor of a layer.
 * @returns bytes of the unpacked tar streams, and of the packed layers.
 * @throws HoldfastError HF-IMAGE, HF-DIGEST, HF-INTERRUPTED, and what visitors throw.
 */
export async function visitLayers(
  image: Pick<OciImage, 'readLayer' | 'prefetch'>,
  layers: readonly Layer[],
  options: VisitOptions,
  visitor: (layer: Layer) => LayerVisitor,
): Promise<{ bytes: number; packedBytes: number }> {
  const { signal, onProgress, maxBytes } = options;
  const total = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let packedBytes = 0;
  let bytes = 0;
  const onBytes = (count: number) => {
    packedBytes += count;
    onProgress?.({ done: packedBytes, total, unit: 'bytes' });
  };
  const reading = layers.length > 1 ? image.prefetch?.(layers, { signal }) : undefined;
  try {
    for (const layer of layers) {
      const reader = new TarReader();
      const visiting = visitor(layer);
      try {
        for await (const chunk of (reading ?? image).readLayer(layer, { signal, onBytes })) {
          bytes += chunk.length;
          if (bytes > maxBytes) throw tooMuch(`more than ${maxBytes} bytes`);
          for (const event of reader.push(chunk)) {
            const waiting = visiting.handle(event);
            if (waiting !== undefined) await waiting;
          }
        }
        reader.finish();
        await visiting.end?.();
      } finally {
        visiting.close?.();
      }
    }
  } finally {
    await reading?.close();
  }
  return { bytes, packedBytes };
}

/** The error for an image above a limit. */
export function tooMuch(what: string): HoldfastError {
  return new HoldfastError('HF-IMAGE', `the image is refused: it unpacks to ${what}`, {
    hint: 'no ordinary system is that large; the image was built by a broken tool or was made to do harm',
  });
}
