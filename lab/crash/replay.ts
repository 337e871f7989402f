// A disk as it was at any instant of a recording: the image from before, to which the log is applied forward. Each state
// is a clone that shares its blocks, put into a file that stays the same one, so that a loop device can stay attached.

import { execFileSync } from 'node:child_process';
import { closeSync, constants, copyFileSync, openSync, readSync, writeSync } from 'node:fs';
import type { Applied, CutPoint } from './cut-points.ts';
import type { LogEntry } from './write-log.ts';

const CHUNK = 8 << 20;

export class Replay {
  readonly #log: readonly LogEntry[];
  readonly #data: number;
  /** How many requests of the log the base holds. */
  #done = 0;
  readonly base: string;

  /** @param base a copy of the disk from before the recording, on a filesystem that can clone; it is changed. */
  constructor(options: { base: string; logFile: string; log: readonly LogEntry[] }) {
    this.base = options.base;
    this.#log = options.log;
    this.#data = openSync(options.logFile, 'r');
  }

  /** Makes `file` the disk at an instant. Instants must come in the order of the log. */
  makeState({ from, extra }: Pick<CutPoint, 'from' | 'extra'>, file: string): void {
    this.advance(from);
    copyFileSync(this.base, file, constants.COPYFILE_FICLONE_FORCE);
    this.#apply(file, extra);
  }

  /** Applies everything before the request with this index to the base. */
  advance(to: number): void {
    const rest: Applied[] = [];
    for (; this.#done < to; this.#done++) rest.push({ entry: this.#done });
    this.#apply(this.base, rest);
  }

  #apply(file: string, requests: readonly Applied[]): void {
    if (requests.length === 0) return;
    const fd = openSync(file, 'r+');
    try {
      for (const { entry, bytes } of requests) {
        const request = this.#log[entry];
        if (request === undefined || request.kind === 'flush') continue;
        const size = Math.min(bytes ?? request.size, request.size);
        if (request.kind === 'zero') punchHole(file, request.offset, size);
        else this.#copy(fd, request, size);
      }
    } finally {
      closeSync(fd);
    }
  }

  #copy(fd: number, { offset, dataAt }: LogEntry, size: number): void {
    const chunk = Buffer.allocUnsafe(Math.min(size, CHUNK));
    for (let done = 0; done < size; done += chunk.length) {
      const length = Math.min(chunk.length, size - done);
      readSync(this.#data, chunk, 0, length, dataAt + done);
      writeSync(fd, chunk, 0, length, offset + done);
    }
  }

  close(): void {
    closeSync(this.#data);
  }
}

function punchHole(file: string, offset: number, length: number): void {
  execFileSync('fallocate', ['--punch-hole', '--offset', String(offset), '--length', String(length), file]);
}
