// How much room this machine's partitions have, those that are mounted or were looked at.

import { statfsSync } from 'node:fs';

export interface PartitionSpace {
  /** As a person names it: the label. */
  name: string;
  freeBytes: number;
  totalBytes: number;
}

/** Below this part of it a partition counts as almost full. */
const LOW = 0.05;

/** @param path where the partition is mounted; undefined gives nothing. */
export function spaceOf(name: string, path: string | undefined): PartitionSpace[] {
  if (path === undefined) return [];
  const { blocks, bfree, bsize } = statfsSync(path);
  return [{ name, freeBytes: bfree * bsize, totalBytes: blocks * bsize }];
}

export function isAlmostFull({ freeBytes, totalBytes }: PartitionSpace): boolean {
  return totalBytes > 0 && freeBytes / totalBytes < LOW;
}
