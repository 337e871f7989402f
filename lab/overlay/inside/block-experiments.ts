// What the kernel makes of a COW file, without a file system in it: views, fill levels, merges, and COW files that are
// full. Each experiment takes and returns plain data; paths are the guest's.

import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { countIntact, digestOf, someChunks, writeChunks } from './chunks.ts';
import { dropCaches, Snapshot, type SnapshotFiles, type SnapshotOptions } from './snapshot.ts';

export interface ViewSeen {
  /** As {@link Snapshot.status} shows it. */
  status: string;
  /** SHA-256 of the whole view. */
  digest: string;
}

export interface Written {
  /** Chunks of the base that get new content. */
  count: number;
  seed: number;
  /** So many are written one by one. */
  synchronous: number;
  /** Chunks are of the first so many. */
  limit: number;
}

/** Loads a COW file, writes some chunks, and loads it once more: what is on the disk is what was seen. */
export function write(options: SnapshotOptions & Written): { before: ViewSeen; again: ViewSeen } {
  const { count, seed, synchronous, limit } = options;
  const snapshot = Snapshot.open(options);
  let before: ViewSeen;
  try {
    const sizeBytes = statSync(options.base).size;
    const result = writeChunks(snapshot.device, someChunks(count, limit, seed), { seed, synchronous, sizeBytes });
    if (result !== 'ok') throw new Error(`writing ended with ${result}, ${snapshot.status()}`);
    dropCaches();
    before = { status: snapshot.status(), digest: digestOf(snapshot.device) };
  } finally {
    snapshot.close();
  }
  return { before, again: view(options) };
}

/** Loads a COW file and reads the whole view. */
export function view(options: SnapshotOptions): ViewSeen {
  const snapshot = Snapshot.open(options);
  try {
    dropCaches();
    return { status: snapshot.status(), digest: digestOf(snapshot.device) };
  } finally {
    snapshot.close();
  }
}

/** Whether the kernel takes a COW file. */
export function load(options: SnapshotOptions): { taken: boolean; status: string } {
  try {
    const snapshot = Snapshot.open(options);
    try {
      return { taken: true, status: snapshot.status() };
    } finally {
      snapshot.close();
    }
  } catch (error) {
    return { taken: false, status: error instanceof Error ? error.message : String(error) };
  }
}

/** Lets the kernel write all exceptions into the base, which is changed. @returns the digest of the base afterwards. */
export async function merge(files: SnapshotFiles): Promise<string> {
  const snapshot = Snapshot.open({ ...files, target: 'snapshot-merge' });
  try {
    const deadline = Date.now() + 120_000;
    for (;;) {
      const [, allocated, metadata] = /^snapshot-merge (\d+)\/\d+ (\d+)$/.exec(snapshot.status()) ?? [];
      if (allocated === undefined) throw new Error(`the merge ended with ${snapshot.status()}`);
      // Only metadata is left.
      if (allocated === metadata) break;
      if (Date.now() > deadline) throw new Error(`the merge does not end: ${snapshot.status()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    snapshot.close();
  }
  dropCaches();
  return digestOf(files.base);
}

export interface Filled {
  /** What the write that didn't fit said. */
  error: string;
  /** Chunks that the device had acknowledged before it, each one synced. */
  acknowledged: number;
  status: string;
  /** How many of those can be read while it is in that state. */
  readable: number;
  /** Loaded once more, as after a reboot. */
  reloaded: string;
  /** How many of the acknowledged chunks are there then. */
  intact: number;
}

/** Writes new chunks one by one until the device refuses one. */
export function fill(options: SnapshotOptions & { seed: number; limit: number }): Filled {
  const { seed, limit } = options;
  const chunks = someChunks(limit, limit, seed);
  let snapshot = Snapshot.open(options);
  let acknowledged = 0;
  let error = 'none';
  for (const chunk of chunks) {
    error = writeChunks(snapshot.device, [chunk], { seed, synchronous: 1 });
    if (error !== 'ok') break;
    acknowledged++;
  }
  const written = chunks.slice(0, acknowledged);
  dropCaches();
  const status = snapshot.status();
  const readable = countIntact(snapshot.device, written, seed);
  snapshot.close();
  try {
    snapshot = Snapshot.open(options);
  } catch (refused) {
    return { error, acknowledged, status, readable, reloaded: String(refused), intact: 0 };
  }
  dropCaches();
  const again = { reloaded: snapshot.status(), intact: countIntact(snapshot.device, written, seed) };
  snapshot.close();
  return { error, acknowledged, status, readable, ...again };
}

/** Puts bytes into a file in place. */
export function patch({ file, at, hex }: { file: string; at: number; hex: string }): boolean {
  const fd = openSync(file, 'r+');
  try {
    writeSync(fd, Buffer.from(hex, 'hex'), 0, hex.length / 2, at);
    return true;
  } finally {
    closeSync(fd);
  }
}
