// A file that is being downloaded: beside its target under a hidden name, and in its place only when it is whole. What
// a killed process left behind is removed by the next one.

import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  futimesSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fsyncPath } from '../../system/durable.ts';
import { HoldfastError } from '../../system/errors.ts';
import { type Placement, writing } from '../placement.ts';

const COMPARE_BYTES = 1 << 20;

export class Incoming {
  readonly #target: string;
  readonly #path: string;
  readonly #file: string;
  #fd: number | undefined;
  #size = 0;

  /**
   * @param target where it will be, on this machine; its directory must exist.
   * @param path the same as messages have it.
   * @param announcedBytes how long it will be, if that is known: without room for it nothing is begun.
   * @throws HoldfastError HF-NO-SPACE, HF-IO.
   */
  constructor(target: string, path: string, announcedBytes?: number) {
    this.#target = target;
    this.#path = path;
    const directory = dirname(target);
    sweep(directory, basename(target));
    if (announcedBytes !== undefined) requireSpace(directory, path, announcedBytes);
    this.#file = join(directory, temporaryName(basename(target), process.pid));
    this.#fd = this.#guard(() => openSync(this.#file, 'wx+', 0o600));
  }

  /** Takes the next piece. */
  readonly sink = (chunk: Uint8Array): void => {
    const fd = this.#open;
    this.#guard(() => {
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at, chunk.length - at);
    });
    this.#size += chunk.length;
  };

  /** Whether the target holds the same bytes. */
  equalsTarget(): boolean {
    if (statSync(this.#target, { throwIfNoEntry: false })?.size !== this.#size) return false;
    const other = openSync(this.#target, 'r');
    try {
      const a = Buffer.allocUnsafe(COMPARE_BYTES);
      const b = Buffer.allocUnsafe(COMPARE_BYTES);
      for (let at = 0; at < this.#size; ) {
        const length = readSync(this.#open, a, 0, COMPARE_BYTES, at);
        // Two reads may stop at different places.
        const same = readSync(other, b, 0, Math.max(1, length), at);
        if (length === 0 || same === 0) return false;
        const both = Math.min(length, same);
        if (!a.subarray(0, both).equals(b.subarray(0, both))) return false;
        at += both;
      }
      return true;
    } finally {
      closeSync(other);
    }
  }

  /** Replaces the target. @param time its time of change; default now. */
  finish({ uid, gid, mode }: Placement, time: Date | undefined): void {
    const fd = this.#open;
    this.#guard(() => {
      fchownSync(fd, uid, gid);
      // After chown, which clears the set-id bits.
      fchmodSync(fd, mode);
      if (time !== undefined) futimesSync(fd, time, time);
      fsyncSync(fd);
      renameSync(this.#file, this.#target);
    });
    closeSync(fd);
    this.#fd = undefined;
    fsyncPath(dirname(this.#target));
  }

  /** Removes what came so far, unless it has been put in its place. */
  discard(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    rmSync(this.#file, { force: true });
  }

  get #open(): number {
    if (this.#fd === undefined) throw new HoldfastError('HF-STATE', `${this.#path}: its download is over`);
    return this.#fd;
  }

  /** Trouble with the disk is no trouble with the network: as a HoldfastError it isn't tried again. */
  #guard<T>(action: () => T): T {
    return writing(this.#path, action);
  }
}

function temporaryName(name: string, pid: number | string): string {
  // The whole name must not become too long for a file.
  return `.${Buffer.from(name)
    .subarray(0, 200)
    .toString('latin1')
    .replace(/[^\w.-]/g, '_')}.${pid}.download`;
}

/** Removes what processes that don't exist any more have left of this file. */
function sweep(directory: string, name: string): void {
  const [before = '', after = ''] = temporaryName(name, '/').split('/');
  for (const entry of readdirSync(directory)) {
    const pid = entry.slice(before.length, -after.length);
    if (entry !== before + pid + after || !/^\d+$/.test(pid)) continue;
    if (Number(pid) === process.pid || !existsSync(`/proc/${pid}`)) rmSync(join(directory, entry), { force: true });
  }
}

function requireSpace(directory: string, path: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize >= bytes) return;
  throw new HoldfastError(
    'HF-NO-SPACE',
    `there is no room for ${path}: it has ${bytes} bytes, and only ${bavail * bsize} are free`,
  );
}
