// Mounts that don't depend on each other are done by one mount(8), which reads them as a fstab: each process costs a slow
// machine tens of milliseconds of its boot. What is mounted afterwards is looked up in the kernel's list; one that isn't
// is tried again alone, for its error.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listMounts, type Mount, mount, mountAt } from '../system/mounts.ts';
import { run } from '../system/process.ts';
import { type FstabEntry, renderFstabLine } from './fstab.ts';
import { isAtOrBelow } from './layout-places.ts';

export interface QueuedMount {
  source: string;
  /** Where, as this machine sees it now. */
  at: string;
  type: string;
  options: readonly string[];
  /** Hears how it went before anything that depends on it is done. */
  done: (result: Mount | Error) => Promise<void> | void;
}

export class MountQueue {
  readonly #directory: string;
  #waiting: QueuedMount[] = [];

  /** @param directory where the list for mount(8) may be written. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Takes a mount; what it depends on must have been asked for with {@link before}. */
  add(queued: QueuedMount): void {
    this.#waiting.push(queued);
  }

  /** To be called before anything is read or made at these paths: mounts that they lie in are done first. */
  async before(...paths: string[]): Promise<void> {
    if (this.#waiting.some(({ at }) => paths.some((path) => isAtOrBelow(path, at)))) await this.flush();
  }

  /** Does all that wait, in order. */
  async flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const together = this.#waiting;
      this.#waiting = [];
      if (together.length > 1) await this.#mountTogether(together);
      let mounts = listMounts();
      for (const queued of together) {
        const { source, at, type, options, done } = queued;
        try {
          let there = mountAt(at, mounts);
          if (there === undefined) {
            await mount(source, at, { type, options });
            mounts = listMounts();
            there = mountAt(at, mounts);
          }
          await done(there ?? new Error(`${source} is not mounted at ${at}, though mount(8) said nothing`));
        } catch (error) {
          await done(error instanceof Error ? error : new Error(String(error)));
        }
      }
    }
  }

  async #mountTogether(together: readonly QueuedMount[]): Promise<void> {
    const list = join(this.#directory, `layout-${process.pid}.fstab`);
    mkdirSync(this.#directory, { recursive: true });
    const lines = together.map(({ source, at, type, options }): FstabEntry => {
      return { source, mountPoint: at, type, options };
    });
    try {
      writeFileSync(list, `${lines.map(renderFstabLine).join('\n')}\n`);
      await run(['mount', '--all', '--fstab', list]);
    } finally {
      rmSync(list, { force: true });
    }
  }
}
