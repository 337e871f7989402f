// A partition table as sfdisk shows it, the lines that change it, and how it must look afterwards: every write is read
// back and compared, so that a partition which was not to be touched is seen to be as before. Pure.

import type { FilesystemIdentity } from '../../system/filesystems.ts';
import type { FilesystemSize } from './superblock.ts';

export interface TablePartition {
  number: number;
  startBytes: number;
  sizeBytes: number;
  /** GPT: a UUID in capitals; msdos: hexadecimal digits without leading zeros. */
  typeId: string;
  /** GPT. */
  uuid?: string;
  name?: string;
  /** GPT: the names that sfdisk gives to attribute bits. */
  attributes?: string;
  /** msdos: the boot flag. */
  bootable?: boolean;
}

export interface FoundPartition extends TablePartition {
  filesystem: FilesystemIdentity & { size?: FilesystemSize };
}

export interface PartitionTable<P extends TablePartition = TablePartition> {
  kind: 'gpt' | 'dos';
  /** The disk's GUID, or the msdos disk identifier. */
  id: string;
  sectorBytes: number;
  /** First byte after the last that partitions may use, if the table were written now. */
  endBytes: number;
  /** How many partitions it can have. */
  maxPartitions: number;
  partitions: readonly P[];
}

/** msdos: partitions that hold others. */
const EXTENDED = new Set(['5', 'f', '85']);
const GPT_ENTRY_BYTES = 128;
const MSDOS_MAX_SECTORS = 2 ** 32 - 1;

export function isExtended(table: Pick<PartitionTable, 'kind'>, { typeId }: TablePartition): boolean {
  return table.kind === 'dos' && EXTENDED.has(typeId);
}

/**
 * Reads what `sfdisk --json` printed about a disk of `diskBytes`.
 * @returns undefined when it isn't such a text; `other` when the table is of a kind that isn't known here.
 */
export function parseTable(json: unknown, diskBytes: number): PartitionTable | { other: string } | undefined {
  const table = field(json, 'partitiontable');
  const kind = text(table, 'label');
  if (kind === undefined) return undefined;
  if (kind !== 'gpt' && kind !== 'dos') return { other: kind };
  const sectorBytes = number(table, 'sectorsize') ?? 512;
  const entries = Math.max(128, number(table, 'table-length') ?? 0);
  const listed = field(table, 'partitions');
  const partitions = (Array.isArray(listed) ? listed : []).flatMap((entry: unknown): TablePartition[] => {
    const start = number(entry, 'start');
    const size = number(entry, 'size');
    const typeId = text(entry, 'type');
    const numbered = /(\d+)$/.exec(text(entry, 'node') ?? '')?.[1];
    if (start === undefined || size === undefined || typeId === undefined || numbered === undefined) return [];
    const uuid = text(entry, 'uuid');
    const name = text(entry, 'name');
    const attributes = text(entry, 'attrs');
    return [
      {
        number: Number(numbered),
        startBytes: start * sectorBytes,
        sizeBytes: size * sectorBytes,
        typeId: kind === 'gpt' ? typeId.toUpperCase() : typeId.toLowerCase().replace(/^0+(?=.)/, ''),
        ...(uuid === undefined ? {} : { uuid: uuid.toUpperCase() }),
        ...(name ? { name } : {}),
        ...(attributes ? { attributes } : {}),
        ...(field(entry, 'bootable') === true ? { bootable: true } : {}),
      },
    ];
  });
  const sectors = Math.floor(diskBytes / sectorBytes);
  // The backup: its entries, then its header in the last sector. sfdisk moves it to the end of a disk that has grown.
  const gptEnd = sectors - 1 - Math.ceil((entries * GPT_ENTRY_BYTES) / sectorBytes);
  return {
    kind,
    id: (text(table, 'id') ?? '').toUpperCase(),
    sectorBytes,
    endBytes: (kind === 'gpt' ? gptEnd : Math.min(sectors, MSDOS_MAX_SECTORS)) * sectorBytes,
    maxPartitions: kind === 'gpt' ? entries : 4,
    partitions,
  };
}

/** The end of what partitions may use on an empty GPT; see {@link parseTable}. */
export function emptyGpt(id: string, diskBytes: number, sectorBytes: number): PartitionTable<never> {
  const table = parseTable({ partitiontable: { label: 'gpt', id, sectorsize: sectorBytes } }, diskBytes);
  if (table === undefined || 'other' in table) throw new Error('an empty GPT is one');
  return { ...table, partitions: [] };
}

/** One line of sfdisk's input. `device` puts the partition at its number. */
export function sfdiskLine(partition: TablePartition, sectorBytes: number, device?: string): string {
  const { number: at, startBytes, sizeBytes, typeId, uuid, name, attributes, bootable } = partition;
  const fields = [
    `start=${startBytes / sectorBytes}`,
    `size=${sizeBytes / sectorBytes}`,
    `type=${typeId}`,
    ...(uuid === undefined ? [] : [`uuid=${uuid}`]),
    ...(name === undefined ? [] : [`name="${escapeName(name)}"`]),
    ...(attributes === undefined ? [] : [`attrs="${attributes}"`]),
    ...(bootable ? ['bootable'] : []),
  ];
  return `${device === undefined ? '' : `${partitionNode(device, at)} : `}${fields.join(', ')}\n`;
}

/** sfdisk reads \xHH in quoted names; so no character of a name means anything to it. */
function escapeName(name: string): string {
  return [...Buffer.from(name, 'utf8')]
    .map((byte) => (/[A-Za-z0-9_.-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : hex(byte)))
    .join('');
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/** What the kernel and sfdisk call a partition of a device. */
export function partitionNode(device: string, at: number): string {
  return /\d$/.test(device) ? `${device}p${at}` : `${device}${at}`;
}

/**
 * What is wrong with a table that was read back after a write.
 * @param expected all partitions as they must be; a uuid that isn't given may be any.
 */
export function tableDifference(
  expected: readonly TablePartition[],
  found: readonly TablePartition[],
): string | undefined {
  for (const wanted of expected) {
    const got = found.find((partition) => partition.number === wanted.number);
    if (got === undefined) return `partition ${wanted.number} is not there`;
    const keys = ['startBytes', 'sizeBytes', 'typeId', 'name', 'attributes', 'uuid'] as const;
    const key = keys.find((name) => got[name] !== wanted[name] && !(name === 'uuid' && wanted.uuid === undefined));
    if (key !== undefined) {
      return `partition ${wanted.number} has ${key} ${got[key] ?? 'none'} instead of ${wanted[key] ?? 'none'}`;
    }
    if ((got.bootable ?? false) !== (wanted.bootable ?? false)) {
      return `partition ${wanted.number} has another boot flag`;
    }
  }
  const extra = found.find((partition) => !expected.some(({ number: at }) => at === partition.number));
  return extra === undefined ? undefined : `partition ${extra.number} has appeared`;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

function text(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === 'string' ? found : undefined;
}

function number(value: unknown, name: string): number | undefined {
  const found = field(value, name);
  return typeof found === 'number' ? found : undefined;
}
