// What the view was when it was planned: inode number and time of change of every name, kept in a file, so that the shutdown
// can tell what changed since then. No clock is involved: an object that is touched gets another time.

import { type BigIntStats, readFileSync } from 'node:fs';
import type { TreePath } from '../../image/targettree.ts';
import { writeFileDurably } from '../../system/durable.ts';
import { HoldfastError } from '../../system/errors.ts';
import { isCarried } from './classes.ts';
import type { SeenIndex } from './model.ts';
import { comparePaths } from './tree-order.ts';
import { walkOne } from './walk.ts';

/** The first line; the records after it end with NUL, since a name may have any other byte. */
const HEADER = 'holdfast seen 1\n';
/** A system has some 100,000 names of 60 bytes; more than this is nothing that we wrote. */
const MAX_BYTES = 1 << 30;

/** What is remembered of an object. */
export function seenMark(stats: BigIntStats): string {
  return `${stats.ino}:${stats.ctimeNs}`;
}

/** Replaces the file as a whole, durably; only root can read it. */
export function writeSeen(file: string, seen: SeenIndex): void {
  const records = [...seen].map(([path, mark]) => `${mark} ${path}\0`);
  writeFileDurably(file, Buffer.from(`${HEADER}${records.join('')}`, 'latin1'), { mode: 0o600 });
}

/** @throws HoldfastError HF-STATE when the file isn't there or isn't what {@link writeSeen} wrote. */
export function readSeen(file: string): SeenIndex {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    throw damaged(file, error);
  }
  return parseSeen(file, content);
}

/** @param file for messages. */
export function parseSeen(file: string, content: Buffer): SeenIndex {
  if (content.length > MAX_BYTES) throw damaged(file);
  const text = content.toString('latin1');
  if (!text.startsWith(HEADER) || !(text.length === HEADER.length || text.endsWith('\0'))) throw damaged(file);
  const seen = new Map<TreePath, string>();
  for (const record of text.slice(HEADER.length).split('\0').slice(0, -1)) {
    const [mark] = /^\d{1,20}:-?\d{1,20}(?= )/.exec(record) ?? [];
    if (mark === undefined) throw damaged(file);
    seen.set(record.slice(mark.length + 1), mark);
  }
  return seen;
}

/**
 * The names that were made, removed or touched since, in order; classes that are never carried are left out.
 * @param oldView the view's directory, running or not.
 * @throws HoldfastError HF-IO, HF-INTERRUPTED.
 */
export async function changedSince(
  seen: SeenIndex,
  oldView: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<TreePath[]> {
  const missing = new Set(seen.keys());
  const changed: TreePath[] = [];
  await walkOne(oldView, {
    signal: options.signal,
    onSeen: (path, stats) => {
      if (!isCarried(path)) return;
      missing.delete(path);
      if (seen.get(path) !== seenMark(stats)) changed.push(path);
    },
  });
  return [...changed, ...missing].sort(comparePaths);
}

function damaged(file: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF-STATE', `${file} does not say what the view was when the upgrade was planned`, {
    cause,
    hint: 'everything is compared again: holdfast overlay rebase',
  });
}
