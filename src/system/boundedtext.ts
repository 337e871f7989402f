// Text from files and streams, read up to a limit: what is larger, never ends or is no text is refused while it is read.

import { closeSync, constants, createReadStream, fstatSync, openSync, readSync, statSync } from 'node:fs';

/**
 * The text of a regular file.
 * @throws Error with the reason as half a sentence ("it is larger than 8 MiB"), or the system's own error.
 */
export function readTextWithin(path: string, maxBytes: number): string {
  // Opening a pipe would wait for somebody who writes, reading one or a device might never end.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (stats.isDirectory()) throw new Error('it is a directory');
    if (!stats.isFile()) throw new Error('it is no regular file');
    if (stats.size > maxBytes) throw tooLarge(maxBytes);
    // One byte more than the size, to notice a file that grows, or one of /proc, which claims to be empty.
    let buffer = Buffer.allocUnsafe(Math.max(stats.size, 4096) + 1);
    let length = 0;
    for (;;) {
      const count = readSync(fd, buffer, length, buffer.length - length, null);
      length += count;
      if (count === 0) break;
      if (length > maxBytes) throw tooLarge(maxBytes);
      if (length === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
    }
    return decodeText(buffer.subarray(0, length));
  } finally {
    closeSync(fd);
  }
}

/**
 * The text of a stream, standard input for example.
 * @throws Error with the reason as half a sentence.
 */
export async function readStreamWithin(stream: AsyncIterable<Uint8Array | string>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : Buffer.from(chunk);
    length += bytes.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(bytes);
  }
  return decodeText(Buffer.concat(chunks));
}

/**
 * The text that comes out of a pipe, as a shell's `<(…)` and `/dev/stdin` are; undefined when the path is something else.
 * @throws Error with the reason as half a sentence.
 */
export async function readPipeWithin(path: string, maxBytes: number): Promise<string | undefined> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFIFO() && !stats?.isSocket()) return undefined;
  return readStreamWithin(createReadStream(path), maxBytes);
}

/** UTF-8, or UTF-16 that begins with a byte order mark, which is left out. @throws Error "it is no UTF-8 text". */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  // go-yaml reads what Windows writes, too.
  const encoding =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new Error('it is no UTF-8 text');
  }
}

function tooLarge(maxBytes: number): Error {
  return new Error(`it is larger than ${maxBytes >> 20} MiB`);
}
