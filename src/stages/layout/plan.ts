// Decides what a layout does to a disk: a pure function of the layout and of what was found. Partitions that exist are
// never moved, shrunk or formatted; each new one is written to the table as "in progress", formatted, labelled, and only
// then given its type and name, so that a run which is interrupted anywhere is completed by the next one.

import { MIB } from '../../slots/partitions.ts';
import { HoldfastError } from '../../system/errors.ts';
import { planExpansion } from './expand.ts';
import { FORMATS, partitionType } from './formats.ts';
import { type EntryState, hasLabel, matchEntries } from './match.ts';
import { isInProgress, markerUuid, progressType } from './progress.ts';
import { describePartition, type LayoutRequest, type PartitionRequest } from './request.ts';
import {
  alignDown,
  type Draft,
  endOf,
  type FoundDisk,
  freeBytes,
  type LayoutPlan,
  MIN_FREE_BYTES,
  mib,
  refuseUses,
  type Space,
} from './space.ts';
import { emptyGpt, type FoundPartition, type PartitionTable, type TablePartition } from './table.ts';
import { URL_NAMESPACE, uuidV5 } from './uuid.ts';

/** Names of GPT attribute bits; yip 1.19 sets the first for a bootable FAT and the second for other bootable ones. */
const REQUIRED = 'RequiredPartition';
const LEGACY_BOOT = 'LegacyBIOSBootable';

/**
 * @throws HoldfastError HF-TARGET when the disk can't be changed, HF-NO-SPACE with the figures when it is too small,
 *   HF-CONFIG for what the layout can't ask of this disk. Nothing was written then.
 */
export function planLayout(request: LayoutRequest, disk: FoundDisk): LayoutPlan {
  const plan: LayoutPlan = { title: `partitions of ${disk.path}`, actions: [], warnings: [...request.warnings] };
  const table = planTable(request, disk, plan);
  if (table.kind === 'dos' && request.expandMib !== undefined) refuseUnmarked(request.partitions, disk);
  const states = matchEntries(request.partitions, table);
  warnOfStrangers(table, states, plan);
  const drafts = table.partitions.map((found): Draft => ({ at: { ...found }, found }));
  const space: Space = { table, disk, drafts };

  // yip expands after adding, Elemental before; a file for either works. What takes all that is left comes last, so that
  // what is added has room. A size is meant for the partition that was the last one when the file was written: the one
  // before those that it adds, unless there are only those.
  const { expandMib } = request;
  const own = new Set(states.flatMap(({ partition }) => (partition === undefined ? [] : [partition])));
  const before = drafts.filter(({ found }) => found !== undefined && !own.has(found));
  const expandFirst = expandMib !== undefined && expandMib > 0 && before.length > 0;
  if (expandFirst) expand(space, lastOf(before), expandMib, plan);
  for (const state of states) {
    const draft = drafts.find(({ found }) => found === state.partition);
    if (state.unfinished && draft !== undefined) draft.entry = state.entry;
  }
  const missing = states.filter(({ partition }) => partition === undefined).map(({ entry }) => entry);
  allocate(missing, { begun: own.size > 0 }, space, plan);
  if (expandMib !== undefined && !expandFirst) expand(space, lastOf(drafts), expandMib, plan);
  for (const draft of drafts) emit(draft, space, plan);
  return plan;
}

/** The table to work on: the one that is there, or a new one where that is asked for. */
function planTable(request: LayoutRequest, disk: FoundDisk, plan: LayoutPlan): PartitionTable<FoundPartition> {
  if (disk.damaged !== undefined) {
    throw new HoldfastError('HF-TARGET', `${disk.path}: ${disk.damaged}; nothing was changed`, {
      hint: 'rescue what is on it (gdisk, testdisk); only then remove the rest of the table: wipefs --all',
    });
  }
  const { initName, partitions } = request;
  const id = initName === undefined ? disk.freshId : uuidV5(URL_NAMESPACE, initName);
  if (disk.table !== undefined) {
    if (initName === undefined || (disk.table.kind === 'gpt' && disk.table.id === id)) return disk.table;
    const { table } = disk;
    const [known] = partitions.filter(
      ({ fsLabel, pLabel }) =>
        (fsLabel !== '' && table.partitions.some((found) => hasLabel(found, fsLabel))) ||
        (pLabel !== '' && table.partitions.some(({ name }) => name === pLabel)),
    );
    if (known !== undefined) {
      plan.warnings.push(
        `layout: ${disk.path} is not initialised: it has ${describePartition(known)} already, although not the identifier of "${initName}"`,
      );
      return table;
    }
  } else if (initName === undefined && (partitions.length === 0 || !disk.blank)) {
    throw new HoldfastError('HF-TARGET', `${disk.path} has no partition table`, {
      hint: disk.blank ? 'it is empty; name another disk' : 'init_disk makes one; what is on the disk is lost then',
    });
  }
  refuseUses(disk, { startBytes: 0, sizeBytes: disk.sizeBytes }, `${disk.path} gets no new partition table`);
  plan.actions.push({ kind: 'create-table', summary: `write a new partition table (GPT) to ${disk.path}`, id });
  return emptyGpt(id, disk.sizeBytes, disk.sectorBytes);
}

/** On an msdos table an entry without a label is known by its size alone, which expanding changes. */
function refuseUnmarked(entries: readonly PartitionRequest[], { path }: FoundDisk): void {
  const unmarked = entries.find(({ fsLabel }) => fsLabel === '');
  if (unmarked === undefined) return;
  throw new HoldfastError(
    'HF-CONFIG',
    `${describePartition(unmarked)} would not be recognised on the next run: the table of ${path} is msdos, and expand_partition changes sizes`,
    { hint: 'give it an fsLabel; nothing was changed' },
  );
}

/** Says which partitions an interrupted run left that no entry wants any more. */
function warnOfStrangers(table: PartitionTable<FoundPartition>, states: readonly EntryState[], plan: LayoutPlan): void {
  for (const partition of table.partitions) {
    if (!isInProgress(table.kind, partition) || states.some((state) => state.partition === partition)) continue;
    plan.warnings.push(
      `layout: partition ${partition.number} was begun by a run that was interrupted, and no entry of add_partitions asks for it any more; it is left as it is`,
    );
  }
}

/** Gives the missing entries their places behind all that is there. */
function allocate(
  entries: readonly PartitionRequest[],
  { begun }: { begun: boolean },
  space: Space,
  plan: LayoutPlan,
): void {
  const { table, disk, drafts } = space;
  if (entries.length === 0) return;
  const free = freeBytes(space);
  const needed = entries.reduce((sum, entry) => sum + (entry.sizeMib * MIB || leastBytes(entry)), 0);
  // An interrupted run may have left less than that for what is still missing.
  if (free < MIN_FREE_BYTES && !(begun && needed <= alignDown(free))) {
    plan.warnings.push(
      `layout: ${disk.path} has ${mib(free)} left, less than ${mib(MIN_FREE_BYTES)}: ${entries.map(describePartition).join(', ')} not added`,
    );
    return;
  }
  const tooMany = drafts.filter(({ at }) => at.number <= table.maxPartitions).length + entries.length;
  if (tooMany > table.maxPartitions) {
    throw new HoldfastError(
      'HF-TARGET',
      `${disk.path} would get ${tooMany} partitions, its table (${table.kind}) has room for ${table.maxPartitions}`,
      { hint: 'nothing was changed' },
    );
  }
  for (const entry of entries) {
    const startBytes = endOf(space);
    const rest = alignDown(table.endBytes) - startBytes;
    const sizeBytes = entry.sizeMib === 0 ? rest : entry.sizeMib * MIB;
    if (sizeBytes < leastBytes(entry) && entry.sizeMib > 0) {
      throw new HoldfastError(
        'HF-CONFIG',
        `${describePartition(entry)} is too small: ${entry.filesystem} needs ${mib(leastBytes(entry))}`,
        { hint: 'nothing was changed' },
      );
    }
    if (startBytes + sizeBytes > table.endBytes || sizeBytes < leastBytes(entry)) {
      throw new HoldfastError(
        'HF-NO-SPACE',
        `${disk.path} is too small for ${describePartition(entry)}: the missing partitions need ${mib(needed)}, ${mib(free)} are left on it`,
        { hint: 'nothing was changed; use a larger disk or smaller partitions, and size 0 for the last one only' },
      );
    }
    refuseUses(disk, { startBytes, sizeBytes }, `${describePartition(entry)} can't be added`);
    drafts.push({ at: finalPartition(entry, table, { number: nextNumber(space), startBytes, sizeBytes }), entry });
  }
}

function leastBytes({ filesystem }: PartitionRequest): number {
  return filesystem === 'none' ? MIB : FORMATS[filesystem].minBytes;
}

function finalPartition(
  entry: PartitionRequest,
  table: PartitionTable,
  place: { number: number; startBytes: number; sizeBytes: number },
): TablePartition {
  const { filesystem, bootable, pLabel } = entry;
  const typeId = partitionType(filesystem, table.kind, bootable);
  if (table.kind === 'dos') return { ...place, typeId, ...(bootable ? { bootable } : {}) };
  const fat = filesystem !== 'none' && FORMATS[filesystem].type === 'vfat';
  const uuid = markerUuid(table, entry);
  return {
    ...place,
    typeId,
    ...(uuid === undefined ? {} : { uuid }),
    ...(pLabel === '' ? {} : { name: pLabel }),
    ...(bootable ? { attributes: fat ? REQUIRED : LEGACY_BOOT } : {}),
  };
}

function expand(space: Space, target: Draft | undefined, sizeMib: number, plan: LayoutPlan): void {
  if (target === undefined) {
    throw new HoldfastError('HF-TARGET', `${space.disk.path} has no partition to expand`);
  }
  planExpansion(space, target, sizeMib, plan);
}

/** The actions that make a partition what its draft says. */
function emit(draft: Draft, { table, disk }: Space, plan: LayoutPlan): void {
  const { at, found, entry, expansion } = draft;
  const { actions } = plan;
  if (entry === undefined) {
    actions.push(...(expansion ?? []));
    return;
  }
  const what = describePartition(entry);
  const { filesystem, fsLabel: label } = entry;
  if (filesystem === 'none') {
    actions.push({ kind: 'add', summary: `add ${what} as partition ${at.number} of ${disk.path}`, partition: at });
    return;
  }
  // Begun before: its place is the one that it has, its final form is made anew.
  const place = { number: at.number, startBytes: at.startBytes, sizeBytes: at.sizeBytes };
  const final =
    found === undefined ? at : { ...finalPartition(entry, table, place), ...(found.uuid && { uuid: found.uuid }) };
  const { uuid } = final;
  const begun: TablePartition = {
    ...place,
    typeId: progressType(table.kind, entry),
    ...(uuid === undefined ? {} : { uuid }),
  };
  if (found === undefined) {
    actions.push({ kind: 'add', summary: `add ${what} as partition ${at.number} of ${disk.path}`, partition: begun });
  } else if (found.sizeBytes !== at.sizeBytes) {
    actions.push({ kind: 'grow-partition', summary: `grow partition ${at.number} of ${disk.path}`, partition: begun });
  }
  const complete = found !== undefined && label !== '' && hasLabel(found, label);
  if (!complete) {
    if (found !== undefined) refuseUses(disk, found, `partition ${found.number}, begun before, can't be formatted`);
    actions.push({ kind: 'format', summary: `format ${what}`, partition: begun, filesystem, label });
  }
  actions.push({ kind: 'finish', summary: `give partition ${at.number} its type and name`, partition: final });
}

/** One more than the highest, as in the originals; where the table ends there, the first that is free. */
function nextNumber({ drafts, table }: Space): number {
  const taken = drafts.map(({ at }) => at.number);
  const next = Math.max(0, ...taken) + 1;
  if (next <= table.maxPartitions) return next;
  let free = 1;
  while (taken.includes(free)) free += 1;
  return free;
}

/** The last one on the disk, whatever its number. */
function lastOf(drafts: readonly Draft[]): Draft | undefined {
  return drafts.reduce<Draft | undefined>(
    (last, draft) => (last === undefined || draft.at.startBytes > last.at.startBytes ? draft : last),
    undefined,
  );
}
