// How much memory what is said about an image's layers may take before anything of it is proven. Documents pack to a
// thousandth when they are made to, and all layers of an image are held at once: the limits are those of the image.

import { badIndex } from './bad-index.ts';

/** Far above systems in use: a document has about 600 bytes for each file. */
export const INDEX_LIMITS = {
  /** Bytes of documents, unpacked. */
  documentBytes: 64 << 20,
  /** As many as are kept of a layer that is unpacked. */
  entries: 400_000,
  /** Different ones. */
  chunks: 400_000,
  /** Chunks in contents, each as often as it is listed. */
  parts: 1_000_000,
};

type Item = keyof typeof INDEX_LIMITS;

const NAMES: Readonly<Record<Item, string>> = {
  documentBytes: 'bytes of documents',
  entries: 'entries',
  chunks: 'chunks',
  parts: 'chunks in contents',
};

/** What is left for the next layer of an image. */
export class IndexBudget {
  readonly #limits: Readonly<Record<Item, number>>;
  readonly #left: Record<Item, number>;

  constructor(limits: Partial<Record<Item, number>> = {}) {
    this.#limits = { ...INDEX_LIMITS, ...limits };
    this.#left = { ...this.#limits };
  }

  left(item: Item): number {
    return this.#left[item];
  }

  /** @throws HoldfastError HF-IMAGE when so much isn't left; then nothing is. */
  take(item: Item, count: number): void {
    if (count > this.#left[item]) {
      this.#left[item] = 0;
      throw badIndex(`the layers of its image have more than ${this.#limits[item]} ${NAMES[item]}`);
    }
    this.#left[item] -= count;
  }
}
