// Finds out everything about a disk that a layout is planned from: its table, what each partition holds and how large
// that is, and what uses it. Reads only.

import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, statfsSync, statSync } from 'node:fs';
import { MIB } from '../../slots/partitions.ts';
import { HoldfastError } from '../../system/errors.ts';
import type { FilesystemIdentity } from '../../system/filesystems.ts';
import { listMounts } from '../../system/mounts.ts';
import { run, runChecked } from '../../system/process.ts';
import { isClaimed, isReadOnly, kernelDevice, kernelName, nodeOf, partDevices, usesOfDevice } from './blockdevices.ts';
import { partitionProbe } from './probe.ts';
import { type DiskUse, type FoundDisk, usesWithin } from './space.ts';
import { type FilesystemSize, HEAD_BYTES, readFilesystemSize } from './superblock.ts';
import { type FoundPartition, type PartitionTable, parseTable, type TablePartition } from './table.ts';

/** The table of a disk or image; undefined when there is none that sfdisk knows. */
export async function readTable(path: string, diskBytes: number): Promise<ReturnType<typeof parseTable>> {
  const result = await run(['sfdisk', '--json', path]);
  if (result.status !== 0) return undefined;
  return parseTable(JSON.parse(result.stdout), diskBytes);
}

/**
 * @param path a whole disk's node, or an image file.
 * @throws HoldfastError HF-TARGET when it can't be written, or has a table of another kind.
 */
export async function inspectDisk(path: string): Promise<FoundDisk> {
  const name = kernelName(path);
  if (name !== undefined && isReadOnly(name)) throw new HoldfastError('HF-TARGET', `${path} is read-only`);
  const sizeBytes =
    name === undefined ? statSync(path).size : Number((await runChecked(['blockdev', '--getsize64', path])).trim());
  const sectorBytes = name === undefined ? 512 : Number((await runChecked(['blockdev', '--getss', path])).trim());
  const table = await readTable(path, sizeBytes);
  if (table !== undefined && 'other' in table) {
    throw new HoldfastError('HF-TARGET', `${path} has a partition table of the kind "${table.other}"`, {
      hint: 'GPT and msdos tables can be changed; nothing was changed',
    });
  }
  const uses = findUses(path, sizeBytes);
  const disk: FoundDisk = { path, sizeBytes, sectorBytes, uses, blank: false, freshId: randomUUID().toUpperCase() };
  if (table === undefined) return { ...disk, blank: await isBlank(path, sizeBytes) };
  const damaged = damageOf(table, sizeBytes);
  if (damaged !== undefined) return { ...disk, damaged };
  const partitions: FoundPartition[] = [];
  for (const partition of table.partitions) {
    partitions.push({ ...partition, filesystem: await readFilesystem(disk, partition) });
  }
  return { ...disk, table: { ...table, partitions } };
}

/** Why a table can't be trusted. sfdisk itself uses the other one of a GPT's two when one is broken, and mends it. */
function damageOf({ kind, partitions, endBytes }: PartitionTable, sizeBytes: number): string | undefined {
  if (kind === 'dos' && partitions.some(({ typeId }) => typeId === 'ee')) {
    return 'it has the protective MBR of a GPT, and both copies of the GPT are damaged or out of place';
  }
  const beyond = partitions.find((partition) => partition.startBytes + partition.sizeBytes > sizeBytes);
  if (beyond !== undefined) return `partition ${beyond.number} ends behind the end of the disk`;
  const late = partitions.find((partition) => partition.startBytes + partition.sizeBytes > endBytes);
  if (kind === 'gpt' && late !== undefined) return `partition ${late.number} covers the backup of the table`;
  const sorted = [...partitions]
    .sort((a, b) => a.startBytes - b.startBytes)
    .filter(({ number }) => number <= 4 || kind === 'gpt');
  const overlapping = sorted.find(
    ({ startBytes }, index) => index > 0 && endOfPartition(sorted[index - 1]) > startBytes,
  );
  return overlapping === undefined ? undefined : `partition ${overlapping.number} overlaps another one`;
}

function endOfPartition(partition: TablePartition | undefined): number {
  return partition === undefined ? 0 : partition.startBytes + partition.sizeBytes;
}

async function readFilesystem(
  disk: FoundDisk,
  partition: TablePartition,
): Promise<FilesystemIdentity & { size?: FilesystemSize }> {
  const node = kernelDevice(disk.path, partition)?.node;
  const identity = await partitionProbe(disk.path, partition, node);
  if (identity.type === undefined) return identity;
  const mountPoint = usesWithin(disk, partition).find((use) => use.mountPoint !== undefined)?.mountPoint;
  const length = Math.min(HEAD_BYTES, partition.sizeBytes);
  const head = node === undefined ? readAt(disk.path, partition.startBytes, length) : readAt(node, 0, length);
  const mountedBytes = mountPoint === undefined ? undefined : mountedSize(mountPoint);
  const size = readFilesystemSize(identity.type, head, partition.sizeBytes, mountedBytes);
  return size === undefined ? identity : { ...identity, size };
}

function mountedSize(mountPoint: string): number {
  const { blocks, bsize } = statfsSync(mountPoint);
  return blocks * bsize;
}

/** Whether there is neither a signature nor anything else at the start and at the end. */
async function isBlank(path: string, sizeBytes: number): Promise<boolean> {
  const known = await run(['blkid', '--probe', path]);
  if (known.status !== 2) return false;
  const edge = Math.min(MIB, sizeBytes);
  return [0, sizeBytes - edge].every((at) => readAt(path, at, edge).every((byte) => byte === 0));
}

function readAt(path: string, at: number, length: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    const got = readSync(fd, bytes, 0, length, at);
    return bytes.subarray(0, got);
  } finally {
    closeSync(fd);
  }
}

/** What uses the disk or a part of it, also parts that its table doesn't have any more. */
function findUses(path: string, sizeBytes: number): DiskUse[] {
  const mounts = listMounts();
  const parts = partDevices(path).flatMap((part): DiskUse[] => {
    const place = { startBytes: part.startBytes, sizeBytes: part.sizeBytes };
    const uses = usesOfDevice(part.name, mounts);
    if (uses.length === 0) return isClaimed(part.node) ? [{ what: `${part.node} is in use`, ...place }] : [];
    return uses.map(({ what, mount }) => {
      const writable = mount !== undefined && !mount.options.includes('ro') && !mount.superOptions.includes('ro');
      return {
        what: mount !== undefined && !writable ? `${what} (read-only)` : what,
        ...place,
        // A loop device has the size that it was given; only the kernel's partitions can be told of a new one.
        ...(writable && part.kind === 'partition' ? { mountPoint: mount.mountPoint } : {}),
      };
    });
  });
  const name = kernelName(path);
  if (name === undefined) return parts;
  const whole = usesOfDevice(name, mounts).map(({ what }) => what);
  // Who has a partition has the disk as well.
  if (whole.length === 0 && parts.length === 0 && isClaimed(nodeOf(name))) whole.push(`${path} is in use`);
  return [...parts, ...whole.map((what): DiskUse => ({ what, startBytes: 0, sizeBytes }))];
}
