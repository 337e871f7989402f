// Which instants of a recording are looked at: the disk at every flush, and between two flushes with some of the writes
// that nobody had waited for. A disk may carry those out in any order, and may be in the middle of one. Pure: the same
// seed gives the same states, so that a failure can be looked at again.

import type { LogEntry } from './write-log.ts';

/** A page of a flash disk or a physical sector of a magnetic one: that much is written as a whole or not at all. */
export const ATOMIC_BYTES = 4096;

/** One request of the log, or its beginning. */
export interface Applied {
  /** Index in the log. */
  entry: number;
  /** Only so many bytes of it, a multiple of {@link ATOMIC_BYTES}. */
  bytes?: number;
}

export interface CutPoint {
  /** Stable and short: `f12` is the twelfth flush, `f12+random-3` something after it. */
  name: string;
  kind: 'flush' | 'prefix' | 'drop' | 'random' | 'torn';
  /** All requests before this index have reached the disk. */
  from: number;
  /** And these. */
  extra: readonly Applied[];
}

/** Small and good enough: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The requests between two flushes that nobody had waited for. */
interface Window {
  number: number;
  from: number;
  writes: number[];
}

function windowsOf(log: readonly LogEntry[]): Window[] {
  const windows: Window[] = [{ number: 0, from: 0, writes: [] }];
  for (const [index, { kind }] of log.entries()) {
    const last = windows.at(-1);
    if (last === undefined) continue;
    if (kind !== 'flush') last.writes.push(index);
    // Flushes with nothing between them are one.
    else if (last.writes.length > 0) windows.push({ number: last.number + 1, from: index + 1, writes: [] });
  }
  return windows;
}

/** Of a sample that has no room for all flushes, so many are between them. */
const SHARE_BETWEEN = 0.4;

/**
 * Chooses states: every flush, or in a small sample some that are spread over the command, and states between flushes,
 * more of them where there are more writes that nobody had waited for.
 * @param wanted how many at most; fewer come back only when the log has fewer.
 */
export function chooseCutPoints(log: readonly LogEntry[], wanted: number, seed: number): CutPoint[] {
  const random = randomNumbers(seed);
  const windows = windowsOf(log);
  const boundaries = windows.map(
    ({ number, from }): CutPoint => ({ name: `f${number}`, kind: 'flush', from, extra: [] }),
  );
  boundaries.push({ name: 'end', kind: 'flush', from: log.length, extra: [] });
  const atFlushes = Math.min(boundaries.length, Math.ceil(wanted * (1 - SHARE_BETWEEN)));
  const between = betweenFlushes(log, windows, wanted - atFlushes, random);
  return [...evenly(boundaries, atFlushes, random), ...between].sort((a, b) => a.from - b.from);
}

/** The first and the last, and a random one of each stretch between them. */
function evenly(points: readonly CutPoint[], wanted: number, random: () => number): CutPoint[] {
  if (wanted >= points.length) return [...points];
  const chosen = new Set<CutPoint>();
  for (let index = 0; index < wanted; index++) {
    const at = (index + (index === 0 ? 0 : random())) * (points.length / wanted);
    const point = points[index === wanted - 1 ? points.length - 1 : Math.floor(at)];
    if (point !== undefined) chosen.add(point);
  }
  return [...chosen];
}

function betweenFlushes(
  log: readonly LogEntry[],
  windows: readonly Window[],
  wanted: number,
  random: () => number,
): CutPoint[] {
  const open = windows.filter(({ writes }) => writes.length > 0);
  // A window of one write has only its torn states, and one of many has more to say than the square of a few.
  const weights = open.map(({ writes }) => 0.3 + Math.sqrt(writes.length - 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const seen = new Set<string>();
  const points: CutPoint[] = [];
  for (let tries = 0; points.length < wanted && tries < wanted * 20; tries++) {
    let left = random() * total;
    const at = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    const window = open[at];
    if (window === undefined) continue;
    const made = chooseBetween(log, window, random);
    const key = JSON.stringify([window.from, made?.extra]);
    if (made === undefined || seen.has(key)) continue;
    seen.add(key);
    points.push({ ...made, name: `f${window.number}+${made.kind}-${points.length}` });
  }
  return points;
}

function chooseBetween(
  log: readonly LogEntry[],
  { from, writes }: Window,
  random: () => number,
): Omit<CutPoint, 'name'> | undefined {
  const pick = (count: number) => Math.floor(random() * count);
  const all = writes.map((entry): Applied => ({ entry }));
  const kinds = ['prefix', 'drop', 'random', 'torn'] as const;
  const kind = kinds[pick(kinds.length)] ?? 'random';
  if (kind === 'prefix') {
    if (all.length < 2) return undefined;
    return { kind, from, extra: all.slice(0, 1 + pick(all.length - 1)) };
  }
  if (kind === 'drop') {
    if (all.length < 2) return undefined;
    const without = pick(all.length);
    return { kind, from, extra: all.filter((_, index) => index !== without) };
  }
  if (kind === 'random') {
    const extra = all.filter(() => random() < 0.5);
    return extra.length === 0 || extra.length === all.length ? undefined : { kind, from, extra };
  }
  // In the middle of one write, with some of the others done.
  const torn = pick(all.length);
  const size = log[writes[torn] ?? -1]?.size ?? 0;
  const pages = Math.ceil(size / ATOMIC_BYTES);
  if (pages < 2) return undefined;
  const bytes = (1 + pick(pages - 1)) * ATOMIC_BYTES;
  const some = random();
  const extra = all.flatMap((applied, index) => {
    if (index === torn) return [{ ...applied, bytes }];
    return random() < some ? [applied] : [];
  });
  return { kind, from, extra };
}
