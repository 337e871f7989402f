// Things that only one process of the lab may do at a time, whichever clone of the project it runs in: test files run
// beside each other, but this machine's mounts, loop devices and labels of partitions are there once. The lock is the
// kernel's, so that a process that is killed leaves nothing to others but their turn.

import { mkdirSync } from 'node:fs';
import { lockDirectoryUntilEnd } from '../src/system/lock.ts';
import { UndoStack } from '../src/system/plan.ts';

/** Outlives no boot of this machine, and is not where an action of ours would leave something. */
const DIRECTORY = '/run/holdfast-lab';
/** For "never": the longest work under a lock is an install on a busy machine. */
const WAIT_SECONDS = 1800;

export class Turn {
  readonly #directory: string;
  #users = 0;
  #held: Promise<UndoStack> | undefined;
  #released: Promise<unknown> = Promise.resolve();

  /** @param name names the lock. */
  constructor(name: string, directory: string = DIRECTORY) {
    this.#directory = `${directory}/${name}`;
  }

  /**
   * Runs `work` while no other process has this turn. Work of this process, inside other such work or beside it, shares it.
   * @throws HoldfastError HF-LOCKED when the others take more than half an hour.
   */
  async take<T>(work: () => Promise<T> | T): Promise<T> {
    this.#users += 1;
    this.#held ??= this.#released.then(() => this.#lock());
    const held = this.#held;
    try {
      await held;
      return await work();
    } finally {
      this.#users -= 1;
      if (this.#users === 0) {
        this.#held = undefined;
        this.#released = held.then(
          (undo) => undo.unwind(false),
          () => {},
        );
        await this.#released;
      }
    }
  }

  async #lock(): Promise<UndoStack> {
    mkdirSync(this.#directory, { recursive: true });
    const undo = new UndoStack();
    await lockDirectoryUntilEnd(undo, this.#directory, WAIT_SECONDS);
    return undo;
  }
}

/**
 * This machine itself: whoever attaches disk images whose partitions have a machine's labels, installs on one, or looks for
 * what that left behind. Guests run beside it.
 */
export const thisMachine = new Turn('this-machine');
