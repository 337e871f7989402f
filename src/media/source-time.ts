// The one point in time of a medium. Everything that a builder's clock would get into (file times, file systems, the
// volume itself) says this time instead, and files that are newer are set back to it.

import { lutimesSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { walkFiles } from './walk-files.ts';

/** FAT knows no earlier time; image builders write 1970 for "none". */
const EARLIEST_SECONDS = Date.UTC(1980, 0, 1) / 1000;
/** squashfs counts seconds in 32 bits. */
const LATEST_SECONDS = 0xffffffff;

export interface SourceTime {
  seconds: number;
  /** Where it is from, for people. */
  basis: string;
}

export interface SourceTimeOptions {
  environment: NodeJS.ProcessEnv;
  /** When the image's builder says that it was made (RFC 3339). */
  created: string | undefined;
  /** Of the newest file of the image, asked only when nothing else says it. */
  newestFile: () => number;
}

/**
 * SOURCE_DATE_EPOCH (reproducible-builds.org), else the image's own date, else its newest file. Pure but for what it is
 * handed.
 * @throws HoldfastError HF-USAGE for a SOURCE_DATE_EPOCH that is no number of seconds.
 */
export function sourceTime({ environment, created, newestFile }: SourceTimeOptions): SourceTime {
  const wanted = sourceDateEpoch(environment);
  if (wanted !== undefined) return { seconds: wanted, basis: 'SOURCE_DATE_EPOCH' };
  const createdSeconds = created === undefined ? Number.NaN : Math.floor(Date.parse(created) / 1000);
  if (createdSeconds >= EARLIEST_SECONDS && createdSeconds <= LATEST_SECONDS) {
    return { seconds: createdSeconds, basis: 'the image’s own date' };
  }
  const newest = Math.min(Math.max(Math.floor(newestFile()), EARLIEST_SECONDS), LATEST_SECONDS);
  return { seconds: newest, basis: 'the image’s newest file' };
}

/**
 * SOURCE_DATE_EPOCH in seconds, if it is set.
 * @throws HoldfastError HF-USAGE when it is no number of seconds.
 */
export function sourceDateEpoch(environment: NodeJS.ProcessEnv): number | undefined {
  const given = environment['SOURCE_DATE_EPOCH'];
  if (given === undefined || given === '') return undefined;
  const seconds = Number(given);
  if (!/^\d{1,10}$/.test(given) || seconds < EARLIEST_SECONDS || seconds > LATEST_SECONDS) {
    throw new HoldfastError('HF-USAGE', `SOURCE_DATE_EPOCH is ${JSON.stringify(given)}`, {
      hint: 'it is a number of seconds since 1970, not before 1980: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)',
    });
  }
  return seconds;
}

/** The time of the newest file below a directory, in seconds. The directory itself doesn't count: unpacking sets it. */
export function newestFileSeconds(directory: string): number {
  let newest = 0;
  for (const { stats } of walkFiles(directory)) newest = Math.max(newest, stats.mtimeMs);
  return newest / 1000;
}

/**
 * Sets files that are newer than a medium's time back to it, the directory itself included.
 * @returns how many there were.
 */
export function clampTimes(directory: string, seconds: number): number {
  let clamped = 0;
  // Nothing is added or removed on the way, so no directory's time changes after it was set.
  for (const { path, stats } of walkFiles(directory, { withTop: true })) {
    if (stats.mtimeMs <= seconds * 1000) continue;
    lutimesSync(path, seconds, seconds);
    clamped += 1;
  }
  return clamped;
}

/**
 * What the programs that make file systems get as their environment: the medium's time, and nothing of the builder's
 * language and time zone.
 */
export function reproducibleEnvironment(
  seconds: number,
  environment: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  return {
    ...environment,
    SOURCE_DATE_EPOCH: String(seconds),
    E2FSPROGS_FAKE_TIME: String(seconds),
    LC_ALL: 'C',
    TZ: 'UTC0',
  };
}
