// How much one rendering may do: a template of a few characters can ask for more steps or memory than the machine has.

import { CallError } from './templateerror.ts';

/** Nodes evaluated, items visited, comparisons made. */
const MAX_STEPS = 2_000_000;
/** The longest text that a function may return, and the longest result. */
export const MAX_TEXT_BYTES = 16 << 20;
/** All texts that a rendering makes on its way. */
const MAX_MADE_BYTES = 256 << 20;
/** Values inside of values that printing, comparing and copying follow. */
const MAX_DEPTH = 200;

export class Budget {
  #steps = 0;
  #made = 0;
  #depth = 0;

  /** @throws CallError when too much was done. */
  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > MAX_STEPS) throw new CallError(`the template takes more than ${MAX_STEPS} steps`);
  }

  /** To be asked before a text of that length is made. */
  text(length: number): void {
    this.#made += length;
    if (length > MAX_TEXT_BYTES) throw new CallError(`a text of more than ${MAX_TEXT_BYTES >> 20} MiB`);
    if (this.#made > MAX_MADE_BYTES) throw new CallError(`texts of more than ${MAX_MADE_BYTES >> 20} MiB altogether`);
  }

  /** Goes one level down into a value. */
  within<T>(action: () => T): T {
    if (this.#depth >= MAX_DEPTH)
      throw new CallError(`values nested deeper than ${MAX_DEPTH}, or inside of themselves`);
    this.#depth++;
    try {
      return action();
    } finally {
      this.#depth--;
    }
  }
}
