// An integer of Go with its type; arithmetic wraps around as there.

/** Types that functions return; `time.Month` and the like print as a name. */
export type IntegerType =
  | 'int'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint32'
  | 'uint64'
  | 'time.Month'
  | 'time.Weekday'
  | 'time.Duration';

const BITS: Readonly<Record<IntegerType, number>> = {
  int: 64,
  int32: 32,
  int64: 64,
  uint8: 8,
  uint32: 32,
  uint64: 64,
  'time.Month': 64,
  'time.Weekday': 64,
  'time.Duration': 64,
};

export class Integer {
  readonly type: IntegerType;
  readonly value: bigint;
  /** What is printed instead of the digits. */
  readonly name: string | undefined;

  constructor(type: IntegerType, value: bigint, name?: string) {
    this.type = type;
    this.value = type.startsWith('u') ? BigInt.asUintN(BITS[type], value) : BigInt.asIntN(BITS[type], value);
    this.name = name;
  }

  get unsigned(): boolean {
    return this.type.startsWith('u');
  }

  /** The kind behind a named type. */
  get kind(): string {
    if (this.type === 'time.Duration') return 'int64';
    return this.type.startsWith('time.') ? 'int' : this.type;
  }

  toString(): string {
    return this.name ?? String(this.value);
  }
}

/** Go's `int`. */
export function int(value: bigint | number): Integer {
  return new Integer('int', BigInt(value));
}

/** Go's `int64`. */
export function int64(value: bigint): Integer {
  return new Integer('int64', value);
}
