// Notes what a layer holds while it streams past on its way to the disk: no second reading, one more hash.

import { createHash, type Hash } from 'node:crypto';
import type { Layer } from './blob.ts';
import { finishDigest } from './digest.ts';
import type { LayerVisitor } from './layervisitor.ts';
import { addRun, type Extent } from './sparse.ts';
import type { TarEntry, TarEvent } from './tarreader.ts';
import type { LayerEntry, LayerIndex } from './tree-index.ts';

/** Of one layer; above it, remembering costs more memory than a small machine has to spare. */
export const MAX_INDEXED_ENTRIES = 400_000;

/** Sees a layer's events; its index is complete, and is the layer's, once {@link end} was called. */
export class LayerIndexer implements LayerVisitor {
  readonly #diffId: Layer['diffId'];
  readonly #entries: LayerEntry[] = [];
  #current: { header: TarEntry; hash: Hash | undefined; extents: Extent[] } | undefined;
  #isComplete = false;
  #isTooLarge = false;

  constructor(layer: Pick<Layer, 'diffId'>) {
    this.#diffId = layer.diffId;
  }

  handle(event: TarEvent): undefined {
    if (event.kind === 'data') {
      const { offset, bytes } = event;
      this.#current?.hash?.update(bytes);
      if (this.#current !== undefined) addRun(this.#current.extents, offset, bytes.length);
    } else if (event.kind === 'entry') {
      const { entry } = event;
      this.#current = {
        header: entry,
        hash: entry.type === 'file' ? createHash('sha256') : undefined,
        extents: [],
      };
    } else if (this.#current !== undefined) {
      const { header, hash, extents } = this.#current;
      const isSparse = header.storedBytes !== header.sizeBytes;
      const content = hash && {
        digest: finishDigest(hash),
        sizeBytes: header.storedBytes,
        ...(isSparse && { extents }),
      };
      if (this.#entries.length < MAX_INDEXED_ENTRIES) this.#entries.push({ header, ...(content && { content }) });
      else this.#isTooLarge = true;
      this.#current = undefined;
    }
  }

  end(): Promise<void> {
    this.#isComplete = !this.#isTooLarge;
    return Promise.resolve();
  }

  /** Undefined when the layer was not read to its end, was not what its digest says, or has too many entries. */
  get index(): LayerIndex | undefined {
    return this.#isComplete ? { diffId: this.#diffId, entries: this.#entries } : undefined;
  }
}
