// Every content of a seekable layer, fetched chunk by chunk, and the layer put together from them.

import { type Digest, digestOf } from '../../../src/image/digest.ts';
import type { FileContent, SeekableLayer } from '../../../src/image/tree-index.ts';

export interface Sought {
  source: string;
  diffId: Digest;
  entries: number;
  /** Digest of the contents' digests, in the order of the layer, each from its fetched bytes. */
  contents: Digest;
  fetchBytes: number;
  proven: boolean;
}

/** @throws HoldfastError when a chunk isn't what it should be, or the layer isn't. */
export async function seekAll(layer: SeekableLayer): Promise<Sought> {
  const { source, entries, diffId } = layer;
  const contents = entries.flatMap(({ content }) => (content === undefined ? [] : [content]));
  const wanted = new Set(contents.flatMap(({ chunks = [] }) => chunks.map(({ digest }) => digest)));
  const chunks = new Map<Digest, Buffer>();
  let fetchBytes = 0;
  const onBytes = (count: number) => {
    fetchBytes += count;
  };
  for await (const { digest, bytes } of source.fetch(wanted, { onBytes })) chunks.set(digest, Buffer.from(bytes));
  const bytesOf = ({ chunks: parts = [] }: FileContent) =>
    Buffer.concat(parts.map(({ digest }) => chunks.get(digest) ?? Buffer.alloc(0)));
  await layer.prove?.(async function* (content) {
    yield bytesOf(content);
  });
  return {
    source: source.name,
    diffId,
    entries: entries.length,
    contents: digestOf(contents.map((content) => digestOf(bytesOf(content))).join()),
    fetchBytes,
    proven: layer.prove !== undefined,
  };
}
