// Which of the recorded writes a partition of a state has seen. Two states with the same answer hold the same bytes there,
// so what was found out about one is true of the other: nothing else is ever taken for granted.

import type { CutPoint } from './cut-points.ts';
import type { PartitionPlace } from './hidden-loops.ts';
import type { LogEntry } from './write-log.ts';

export class Fingerprints {
  readonly #log: readonly LogEntry[];
  readonly #place: PartitionPlace;
  /** For each request, the last one before it that touched the partition; -1 for none. */
  readonly #lastBefore: Int32Array;

  constructor(log: readonly LogEntry[], place: PartitionPlace) {
    this.#log = log;
    this.#place = place;
    this.#lastBefore = new Int32Array(log.length + 1).fill(-1);
    let last = -1;
    for (let index = 0; index < log.length; index++) {
      if (this.#touches(index)) last = index;
      this.#lastBefore[index + 1] = last;
    }
  }

  #touches(index: number): boolean {
    const request = this.#log[index];
    if (request === undefined || request.kind === 'flush') return false;
    const { startBytes, sizeBytes } = this.#place;
    return request.offset < startBytes + sizeBytes && request.offset + request.size > startBytes;
  }

  of({ from, extra }: Pick<CutPoint, 'from' | 'extra'>): string {
    const more = extra.filter(({ entry }) => this.#touches(entry));
    return `${this.#lastBefore[from]}:${more.map(({ entry, bytes }) => `${entry}/${bytes ?? 'all'}`).join(',')}`;
  }
}
