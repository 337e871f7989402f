// Modification times to the nanosecond. Functions of Node take seconds as a double, which keeps microseconds; the
// executable's runtime can call the C library's utimensat(2), and does where an image says more than that.

import { lstatSync, lutimesSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Since 1970, in two parts; nanoseconds count forward from the second, also before 1970. */
export interface ExactTime {
  seconds: number;
  /** 0 to 999,999,999. */
  nanoseconds: number;
}

/** When a file was changed. */
export interface FileTime {
  /** Seconds since 1970, with fraction; right to the microsecond. */
  mtime: number;
  /** Present where there is a fraction. */
  exactMtime?: ExactTime | undefined;
}

/** Node cuts the fraction to microseconds, Bun keeps what a double holds: without this .123456 could become .123455. */
const NUDGE_SECONDS = 2e-7;
const IS_NODE = process.versions['bun'] === undefined;

/**
 * What a decimal number of seconds says, where it has a fraction: a double keeps that about, not exactly.
 * @param text as in a PAX header: `1400000000.123456789`; digits after the ninth don't count (as in Go's archive/tar).
 */
export function exactTimeOf(text: string): ExactTime | undefined {
  const [, sign, whole = '0', fraction = ''] = /^(-?)(\d+)\.(\d{0,9})/.exec(text) ?? [];
  const nanoseconds = Number(fraction.padEnd(9, '0'));
  if (nanoseconds === 0) return undefined;
  if (sign === '-') return { seconds: -Number(whole) - 1, nanoseconds: 1e9 - nanoseconds };
  return { seconds: Number(whole), nanoseconds };
}

/** Whether two files say the same time. */
export function isSameTime(
  one: { mtime: number | undefined; exactMtime?: ExactTime | undefined },
  other: { mtime: number | undefined; exactMtime?: ExactTime | undefined },
): boolean {
  return (
    one.mtime === other.mtime &&
    one.exactMtime?.seconds === other.exactMtime?.seconds &&
    one.exactMtime?.nanoseconds === other.exactMtime?.nanoseconds
  );
}

/** The time of what has this name, links not followed; undefined when nothing has it. */
export function readTime(path: string | Buffer): FileTime | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  return fileTimeOf(stats.mtimeNs);
}

/** Nanoseconds since 1970, as stat(2) has them. */
export function fileTimeOf(mtimeNs: bigint): FileTime {
  const rest = ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const mtime = Number(mtimeNs / 1000n) / 1e6;
  if (rest === 0n) return { mtime };
  return { mtime, exactMtime: { seconds: Number((mtimeNs - rest) / 1_000_000_000n), nanoseconds: Number(rest) } };
}

/**
 * Sets the modification time, and that of access with it, of what has this name; a link at the end is not followed.
 * @throws as lutimesSync.
 */
export function setTime(path: string | Buffer, time: FileTime): void {
  if (setExactTime(path, time)) return;
  const rounded = timeOf(time);
  lutimesSync(path, rounded, rounded);
}

/** As {@link setTime} where there is something that only the C library can say; false when it wasn't done. */
export function setExactTime(path: string | Buffer, { exactMtime }: FileTime): boolean {
  if (exactMtime === undefined) return false;
  exactSetter ??= loadSetter();
  return exactSetter(path, exactMtime);
}

/** Whether this runtime can set exactly that time. */
export function canKeep({ exactMtime }: FileTime): boolean {
  if (exactMtime === undefined || exactMtime.nanoseconds % 1000 === 0) return true;
  exactSetter ??= loadSetter();
  return exactSetter !== cannot;
}

/** What Node's functions take for a time; nanoseconds are cut off, never rounded up to a later time. */
export function timeOf({ mtime, exactMtime }: FileTime): number | Date {
  const seconds =
    exactMtime === undefined ? mtime : exactMtime.seconds + Math.floor(exactMtime.nanoseconds / 1000) / 1e6;
  // Numbers below zero mean "now" to Node; dates don't.
  if (seconds < 0) return new Date(Math.round(seconds * 1000));
  const rounded = Math.round(seconds * 1e6) / 1e6;
  if (!IS_NODE && Number.isInteger(rounded)) return rounded;
  // From 2038 on, doubles are half a microsecond apart.
  return rounded + (seconds < 2 ** 31 ? NUDGE_SECONDS : NUDGE_SECONDS * 2.5);
}

type ExactSetter = (path: string | Buffer, time: ExactTime) => boolean;

let exactSetter: ExactSetter | undefined;

const cannot: ExactSetter = () => false;

/** The parts of Bun's foreign function interface that are used here. */
interface ForeignFunctions {
  dlopen(
    library: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { symbols: { utimensat(directory: number, path: number, times: number, flags: number): number } };
  ptr(bytes: Uint8Array | BigInt64Array): number;
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;

function loadSetter(): ExactSetter {
  if (IS_NODE) return cannot;
  try {
    const { dlopen, ptr }: ForeignFunctions = createRequire(import.meta.url)('bun:ffi');
    const { symbols } = dlopen('libc.so.6', {
      utimensat: { args: ['i32', 'ptr', 'ptr', 'i32'], returns: 'i32' },
    });
    return (path, { seconds, nanoseconds }) => {
      const name = Buffer.concat([Buffer.from(path), Buffer.alloc(1)]);
      // struct timespec[2]: access, modification.
      const times = new BigInt64Array([seconds, nanoseconds, seconds, nanoseconds].map(BigInt));
      return symbols.utimensat(AT_FDCWD, ptr(name), ptr(times), AT_SYMLINK_NOFOLLOW) === 0;
    };
  } catch {
    // Another C library: microseconds, and who unpacks says so.
    return cannot;
  }
}
