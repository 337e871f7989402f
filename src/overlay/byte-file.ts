// A file that is read and written at given places, with limits: short reads and writes are finished, a file that ends
// early is an error, and long work lets interruptions through.

import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';

/** Told about finished bytes. */
export interface Work {
  signal?: AbortSignal | undefined;
  progress?: ((done: number, total: number) => void) | undefined;
}

/** How much is done between two looks at the signal. */
export const STEP_BYTES = 16 << 20;

/** Lets signals and listeners run, and ends the work when it was interrupted. */
export async function breathe({ signal, progress }: Work, done: number, total: number): Promise<void> {
  progress?.(done, total);
  await new Promise((resolve) => setImmediate(resolve));
  if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted');
}

/** What is written is never reached through a link that somebody has put there. */
const FLAGS = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR | constants.O_NOFOLLOW,
  create: constants.O_RDWR | constants.O_NOFOLLOW | constants.O_CREAT | constants.O_EXCL,
};

export class ByteFile {
  readonly path: string;
  readonly #fd: number;

  constructor(path: string, access: 'read' | 'write' | 'create') {
    this.path = path;
    this.#fd = openSync(path, FLAGS[access], 0o600);
  }

  get sizeBytes(): number {
    return fstatSync(this.#fd).size;
  }

  /** Reads up to the end of the file. @returns how many bytes there were. */
  readSome(buffer: Uint8Array, position: number): number {
    let done = 0;
    while (done < buffer.length) {
      const read = readSync(this.#fd, buffer, done, buffer.length - done, position + done);
      if (read === 0) break;
      done += read;
    }
    return done;
  }

  /** @throws HoldfastError HF-IO when the file ends before the buffer is full. */
  read(buffer: Uint8Array, position: number): void {
    const done = this.readSome(buffer, position);
    if (done === buffer.length) return;
    throw new HoldfastError(
      'HF-IO',
      `${this.path} ends at byte ${position + done}, in the middle of what belongs to it`,
    );
  }

  write(buffer: Uint8Array, position: number): void {
    for (let done = 0; done < buffer.length; ) {
      done += writeSync(this.#fd, buffer, done, buffer.length - done, position + done);
    }
  }

  sync(): void {
    fsyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Opens a file for as long as `work` runs. */
export async function withFile<T>(
  path: string,
  access: 'read' | 'write' | 'create',
  work: (file: ByteFile) => Promise<T> | T,
): Promise<T> {
  const file = new ByteFile(path, access);
  try {
    return await work(file);
  } finally {
    file.close();
  }
}
