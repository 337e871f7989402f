// How a partition shows, in the table itself, that a layout is still making it: a partition type of our own until its
// filesystem is complete. Whatever interrupts a run, the next one knows which partitions it may format: those and no
// other. Nobody else mounts them, since they have neither a name nor a label yet.

import { createHash } from 'node:crypto';
import { entryKey, type PartitionRequest } from './request.ts';
import type { PartitionTable, TablePartition } from './table.ts';
import { uuidV5 } from './uuid.ts';

/** The bytes of "HOLDFAST"; the rest of the type says which entry of the layout it is. */
const GPT_PREFIX = '484F4C44-4641-5354-';
/** msdos: reserved for individual or local use. */
const MSDOS_TYPE = '7f';

/** The type of a partition until its filesystem is complete. */
export function progressType(kind: PartitionTable['kind'], entry: PartitionRequest): string {
  if (kind === 'dos') return MSDOS_TYPE;
  const digits = createHash('sha1').update(entryKey(entry)).digest('hex').slice(0, 16).toUpperCase();
  return `${GPT_PREFIX}${digits.slice(0, 4)}-${digits.slice(4)}`;
}

export function isInProgress(kind: PartitionTable['kind'], { typeId }: TablePartition): boolean {
  return kind === 'dos' ? typeId === MSDOS_TYPE : typeId.startsWith(GPT_PREFIX);
}

/**
 * The UUID that an entry without any label gets on a GPT, by which it is known to be there; undefined where labels do
 * that. It depends on the disk, since a UUID stands for one partition.
 */
export function markerUuid(table: Pick<PartitionTable, 'kind' | 'id'>, entry: PartitionRequest): string | undefined {
  if (table.kind !== 'gpt' || entry.fsLabel !== '' || entry.pLabel !== '') return undefined;
  return uuidV5(table.id, entryKey(entry));
}
