// Time zones from the files that zic compiles (TZif, RFC 8536): which offset and abbreviation hold at an instant.

import { parseRule, type Rule } from './zonerule.ts';

/** What holds from some instant on. */
export interface Offset {
  /** East of Greenwich. */
  seconds: number;
  /** `CET` */
  abbreviation: string;
}

export interface Zone {
  name: string;
  /** @param seconds since 1970 */
  at: (seconds: number) => Offset;
}

export const UTC: Zone = { name: 'UTC', at: () => ({ seconds: 0, abbreviation: 'UTC' }) };

/** A zone that never changes. Without an abbreviation the offset itself stands for one. */
export function fixedZone(seconds: number, abbreviation: string): Zone {
  return { name: abbreviation, at: () => ({ seconds, abbreviation }) };
}

/** Reads a zone; undefined when the bytes are none. */
export function parseZone(name: string, bytes: Uint8Array): Zone | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const first = parseHeader(view, 0);
    if (first === undefined) return undefined;
    // The second block has 64-bit times; the first is for old readers.
    const second = first.version >= 2 ? parseHeader(view, first.end) : undefined;
    const data = parseData(view, second ?? first, second === undefined ? 4 : 8);
    const footer = second === undefined ? '' : text(bytes.subarray(second.end8)).split('\n')[1];
    return { name, at: lookup(data, footer ? parseRule(footer) : undefined) };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

interface Header {
  version: number;
  start: number;
  transitions: number;
  types: number;
  /** Where the block ends, with times of 4 and of 8 bytes. */
  end: number;
  end8: number;
}

function parseHeader(view: DataView, at: number): Header | undefined {
  if (view.getUint32(at) !== 0x545a6966) return undefined;
  const version = view.getUint8(at + 4);
  const [isUt = 0, isStandard = 0, leaps = 0, transitions = 0, types = 0, characters = 0] = [0, 1, 2, 3, 4, 5].map(
    (index) => view.getUint32(at + 20 + 4 * index),
  );
  const start = at + 44;
  const length = (time: number) =>
    transitions * (time + 1) + types * 6 + characters + leaps * (time + 4) + isStandard + isUt;
  return {
    version: version === 0 ? 1 : version - 0x30,
    start,
    transitions,
    types,
    end: start + length(4),
    end8: start + length(8),
  };
}

interface ZoneData {
  /** Instants, ascending, and what holds from each on. */
  times: readonly number[];
  offsets: readonly Offset[];
  /** What holds before the first. */
  before: Offset;
}

function parseData(view: DataView, { start, transitions, types }: Header, timeBytes: 4 | 8): ZoneData {
  const indices = start + transitions * timeBytes;
  const records = indices + transitions;
  const names = records + types * 6;
  const kinds = Array.from({ length: types }, (_, index) => {
    const at = records + 6 * index;
    let name = '';
    for (let letter = names + view.getUint8(at + 5); view.getUint8(letter) !== 0; letter++) {
      name += String.fromCharCode(view.getUint8(letter));
    }
    return { seconds: view.getInt32(at), abbreviation: name, isDaylight: view.getUint8(at + 4) !== 0 };
  });
  const fallback = { seconds: 0, abbreviation: 'UTC' };
  const times = Array.from({ length: transitions }, (_, index) =>
    timeBytes === 8 ? Number(view.getBigInt64(start + 8 * index)) : view.getInt32(start + 4 * index),
  );
  const offsets = times.map((_, index) => kinds[view.getUint8(indices + index)] ?? fallback);
  return { times, offsets, before: kinds.find(({ isDaylight }) => !isDaylight) ?? kinds[0] ?? fallback };
}

function lookup({ times, offsets, before }: ZoneData, rule: Rule | undefined): Zone['at'] {
  return (seconds) => {
    const last = times.at(-1);
    if (rule !== undefined && (last === undefined || seconds >= last)) return rule(seconds);
    let [low, high] = [0, times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((times[middle] ?? 0) <= seconds) low = middle + 1;
      else high = middle;
    }
    return offsets[low - 1] ?? before;
  };
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
