// A registry's line: everybody who downloads gets the same share of it, and nobody more than the own line carries. Kept by the
// amount that each download has had so far, which is the same for all at any instant.

import { EventQueue } from './queue.ts';

export class SharedLink<T> {
  readonly #capacity: number;
  readonly #perDownload: number;
  readonly #ends = new EventQueue<T>();
  /** What a download that was there from the beginning would have had by now, in bytes. */
  #amount = 0;
  #at = 0;
  /** All that has gone over the line. */
  totalBytes = 0;

  /** @param capacity of the line, @param perDownload of each machine's own, in bytes a second. */
  constructor(capacity: number, perDownload: number) {
    this.#capacity = capacity;
    this.#perDownload = perDownload;
  }

  get downloads(): number {
    return this.#ends.size;
  }

  #rate(): number {
    return Math.min(this.#perDownload, this.#capacity / Math.max(1, this.#ends.size));
  }

  #advance(at: number): void {
    const had = (at - this.#at) * this.#rate();
    this.totalBytes += had * this.#ends.size;
    this.#amount += had;
    this.#at = at;
  }

  begin(at: number, bytes: number, value: T): void {
    this.#advance(at);
    this.#ends.push(this.#amount + bytes, value);
  }

  /** When the next download ends, if none begins before; undefined when there is none. */
  get nextAt(): number | undefined {
    const end = this.#ends.nextAt;
    return end === undefined ? undefined : this.#at + Math.max(0, end - this.#amount) / this.#rate();
  }

  /** Takes the one that ends at `nextAt`. */
  end(): { at: number; value: T } | undefined {
    const at = this.nextAt;
    if (at === undefined) return undefined;
    this.#advance(at);
    const ended = this.#ends.pop();
    return ended === undefined ? undefined : { at, value: ended.value };
  }
}
