// Streams that end in memory, up to a size that was agreed on before.

import { badIndex } from './bad-index.ts';

/**
 * All of a stream.
 * @param what for the message.
 * @throws HoldfastError HF-IMAGE as soon as it is longer than `maxBytes`.
 */
export async function readWithin(stream: AsyncIterable<Buffer>, maxBytes: number, what: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of stream) {
    length += part.length;
    if (length > maxBytes) throw badIndex(`${what} are longer than the ${maxBytes} bytes that were said`);
    parts.push(part);
  }
  return Buffer.concat(parts, length);
}

/** Bytes at hand as a stream. */
export async function* streamOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
