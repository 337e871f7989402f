// What a partition holds, read by its place on the disk: a node of its own is used where there is one, and not needed.

import { type FilesystemIdentity, parseBlkidExport } from '../../system/filesystems.ts';
import { run } from '../../system/process.ts';
import type { TablePartition } from './table.ts';

/**
 * What blkid recognises at a place on a disk or image.
 * @param node the kernel's own device for just this place, if there is one: while anything of the disk is in use, the
 *   disk's own node may show what it had before something was written by way of the partition's.
 * @returns the type `several signatures` when there are more than one, and nothing when there is none.
 */
export async function partitionProbe(
  disk: string,
  { startBytes, sizeBytes }: Pick<TablePartition, 'startBytes' | 'sizeBytes'>,
  node?: string,
): Promise<FilesystemIdentity> {
  const place = node === undefined ? ['--offset', String(startBytes), '--size', String(sizeBytes), disk] : [node];
  const result = await run(['blkid', '--probe', '--output', 'export', ...place]);
  // blkid(8): 8 means an ambivalent result.
  if (result.status === 8) return { type: 'several signatures' };
  return parseBlkidExport(result.stdout);
}
