// Contents that a tree on this machine has, by what they are.

import { closeSync, constants, openSync, readSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { SpareBuffer } from './spare-buffer.ts';
import { bytesOf, type TreePath } from './targettree.ts';
import { contentKey, type FileContent, type TreeIndex } from './tree-index.ts';

const READ_BYTES = 1 << 18;

export class LocalContents {
  readonly #paths = new Map<string, TreePath>();
  readonly #prefix: string;
  readonly #buffers = new SpareBuffer(READ_BYTES);

  /** @param directory holds the tree, and stays as it is. */
  constructor(tree: TreeIndex, directory: string) {
    this.#prefix = `${Buffer.from(directory, 'utf8').toString('latin1')}/`;
    for (const { path, content } of tree.values()) {
      if (content !== undefined) this.#paths.set(contentKey(content), path);
    }
  }

  has(content: FileContent): boolean {
    return content.sizeBytes === 0 || this.#paths.has(contentKey(content));
  }

  /** The stored bytes of a content that is here; unchecked. Each piece is valid until the next one is asked for. */
  async *read(content: FileContent): AsyncGenerator<Buffer> {
    if (content.sizeBytes === 0) return;
    const path = this.#paths.get(contentKey(content));
    if (path === undefined) throw new HoldfastError('HF-IO', `a content of the image is missing: ${content.digest}`);
    for (const { offset, length } of content.extents ?? [{ offset: 0, length: content.sizeBytes }]) {
      yield* this.readPart(path, offset, length);
    }
  }

  /** A part of one of the files. Each piece is valid until the next one is asked for. */
  async *readPart(path: TreePath, start: number, length: number): AsyncGenerator<Buffer> {
    // No directory on the way is a link: paths of a tree are resolved ones.
    const fd = openSync(bytesOf(this.#prefix + path), constants.O_RDONLY | constants.O_NOFOLLOW);
    const buffer = this.#buffers.take();
    try {
      for (let done = 0; done < length; ) {
        const read = readSync(fd, buffer, 0, Math.min(buffer.length, length - done), start + done);
        if (read === 0) throw new HoldfastError('HF-DIGEST', 'a file of the installed image is shorter than it was');
        done += read;
        yield buffer.subarray(0, read);
      }
    } finally {
      this.#buffers.giveBack(buffer);
      closeSync(fd);
    }
  }
}
