// Free numbers for accounts whose own number is taken: of the same kind as the old one (login.defs(5): below 1000 the
// system's, handed out from the top; above it people's, from the bottom), and one that no side ever used.

import type { RecordTable } from './record-table.ts';

const FIRST_SYSTEM = 100;
const FIRST_USER = 1000;
/** The largest that useradd gives; 65534 and 65535 mean something else. */
const LAST_USER = 60_000;

export class NumberPool {
  readonly #used: Set<number>;

  constructor(used: Iterable<number>) {
    this.#used = new Set(used);
  }

  /** A free number of the same kind as `number`; it isn't free any more then. */
  take(number: number): number {
    const found = number < FIRST_USER ? this.#systemNumber() : this.#search(FIRST_USER, LAST_USER);
    // Thousands of accounts were there already: any number that fits the field.
    const free = found ?? this.#search(LAST_USER + 10_000, Number.MAX_SAFE_INTEGER) ?? number;
    this.#used.add(free);
    return free;
  }

  #systemNumber(): number | undefined {
    for (let free = FIRST_USER - 1; free >= FIRST_SYSTEM; free -= 1) if (!this.#used.has(free)) return free;
    return undefined;
  }

  #search(first: number, last: number): number | undefined {
    for (let free = first; free <= last; free += 1) if (!this.#used.has(free)) return free;
    return undefined;
  }
}

/** The numbers of a passwd or group file. */
export function idsInUse(table: RecordTable | undefined): number[] {
  return (table?.all ?? []).map((fields) => Number(fields[2]));
}
