// The partitions: all five there, once each, with a file system that has no errors, mounted where stages and owners look
// for them, and a partition table that is whole.

import { closeSync, openSync, readSync } from 'node:fs';
import type { BlockDevice } from '../slots/block-device.ts';
import { type Labels, PARTITION_ROLES, type PartitionRole } from '../slots/names.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import { isReadOnly, listMounts, mountAt } from '../system/mounts.ts';
import { run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';
import { type Finding, inArea } from './finding.ts';
import type { Patient } from './patient.ts';

/** One partition as it was found. */
export interface FoundPartition {
  role: PartitionRole;
  /** This machine's; undefined where there is none. */
  device: string | undefined;
  /** It has a name in the table and no file system. */
  blank: boolean;
  /** Devices with the same label that are not this machine's. */
  others: readonly BlockDevice[];
  type: string | undefined;
  /** Its superblock says that there are errors. */
  hasErrors: boolean;
  mountPoint: string | undefined;
  readOnly: boolean;
}

export interface PartitionFacts {
  found: readonly FoundPartition[];
  labels: Labels;
  /** Why it can't be told which partitions are this machine's. */
  problem: string | undefined;
  /** The system that runs came from a slot. */
  bootedFromSlot: boolean;
  efi: boolean;
  /** What sfdisk says of the table; undefined where it was not asked, empty where all is well. */
  table: { disk: string; problems: readonly string[] } | undefined;
}

const { ok, skipped, warning, failed } = inArea('partitions');

/** What each partition is for, and what gets one back. */
const ROLES: Readonly<Record<PartitionRole, { loss: string; severe: boolean; mend: string; mountPoint?: string }>> = {
  efi: {
    loss: 'the firmware finds no boot loader on this disk',
    severe: true,
    mend: 'from a live medium: holdfast install DISK --no-format --force',
  },
  oem: {
    loss: 'there are no stage files of this machine, and what is chosen for the next boot is not kept',
    severe: false,
    mend: 'from the recovery system: holdfast reset --oem',
    mountPoint: '/oem',
  },
  recovery: {
    loss: 'there is nothing to boot when active and passive fail',
    severe: false,
    mend: 'install this machine anew, or make the partition and: holdfast upgrade --recovery IMAGE',
  },
  state: {
    loss: 'there is no system to boot or to upgrade',
    severe: true,
    mend: 'from the recovery system: holdfast reset --format-state',
  },
  persistent: {
    loss: 'nothing below /usr/local and no persistent path is kept over a reboot',
    severe: false,
    mend: 'from the recovery system: holdfast reset --persistent',
    mountPoint: '/usr/local',
  },
};

/** Pure. */
export function judgePartitions(facts: PartitionFacts): Finding[] {
  const { found, labels, problem, bootedFromSlot, table } = facts;
  if (problem !== undefined) {
    return [
      failed(
        problem,
        'no command can tell which disk is this machine’s, so all refuse',
        'detach the disk that is not meant',
      ),
    ];
  }
  if (found.every(({ device }) => device === undefined)) {
    return [skipped('no disk with an installed system is attached')];
  }
  const findings = found.flatMap((partition) => judgePartition(partition, facts));
  if (table !== undefined) {
    findings.push(
      ...table.problems.map((text) =>
        warning(
          `the partition table of ${table.disk}: ${text}`,
          'a copy of the table is missing when the other one is damaged',
          `sfdisk --relocate gpt-bak-std ${table.disk}`,
        ),
      ),
    );
  }
  if (findings.length === 0) {
    const { device } = found.find(({ role }) => role === 'state') ?? {};
    const where = bootedFromSlot ? '' : `, on the disk of ${device}`;
    findings.push(ok(`${found.map(({ role }) => labels.partitions[role]).join(', ')} are there, once each${where}`));
  }
  return findings;
}

function judgePartition(partition: FoundPartition, { labels, bootedFromSlot, efi }: PartitionFacts): Finding[] {
  const { role, device, blank, others, type, hasErrors, mountPoint, readOnly } = partition;
  const label = labels.partitions[role];
  const { loss, severe, mend, mountPoint: place } = ROLES[role];
  const say = severe ? failed : warning;
  if (device === undefined) {
    // Machines with BIOS don't need one.
    if (role === 'efi' && !efi) return [];
    return [say(`there is no partition with the label ${label}`, loss, mend)];
  }
  if (blank) return [say(`${device} should be ${label} and has no file system`, loss, mend)];
  const findings: Finding[] = others.map((other) =>
    warning(
      `the label ${label} is on ${other.path} too (disk ${other.disk}); ${device} is used`,
      'another boot, or another order of disks, may choose the other one',
      `detach that disk, or give it another label: ${relabel(other.path, type)}`,
    ),
  );
  if (hasErrors) {
    findings.push(
      failed(
        `the file system of ${label} (${device}) notes errors`,
        'what is written to it may be lost',
        mountPoint === undefined
          ? `e2fsck -f ${device}`
          : `boot with fsck.mode=force, or from another system: e2fsck -f ${device}`,
      ),
    );
  }
  if (place !== undefined && bootedFromSlot && mountPoint !== place) {
    const where = mountPoint === undefined ? 'is not mounted' : `is mounted at ${mountPoint}`;
    findings.push(
      warning(
        `${label} (${device}) ${where}, not at ${place}`,
        loss,
        'holdfast status says what the boot could not mount',
      ),
    );
  } else if (place !== undefined && mountPoint === place && readOnly) {
    findings.push(
      warning(
        `${place} is mounted read-only`,
        'nothing can be kept there; the kernel does that to a file system with errors',
        `journalctl -k -b | grep ${device.split('/').at(-1)}`,
      ),
    );
  }
  return findings;
}

function relabel(device: string, type: string | undefined): string {
  if (type === 'xfs') return `xfs_admin -L OTHER ${device}`;
  return type === 'vfat' ? `fatlabel ${device} OTHER` : `e2label ${device} OTHER`;
}

export async function checkPartitions(patient: Patient): Promise<Finding[]> {
  const { labelled, partitions, labels, booted, partitionsProblem: problem } = patient;
  const mounts = listMounts();
  const found: FoundPartition[] = [];
  for (const role of PARTITION_ROLES) {
    const own = partitions[role];
    const { type } = own === undefined || own.blank ? {} : await probeFilesystem(own.device);
    const mounted = own?.mountPoint === undefined ? undefined : mountAt(own.mountPoint, mounts);
    const device = labelled[role].find(({ path }) => path === own?.device);
    found.push({
      role,
      device: own?.device,
      blank: own?.blank ?? false,
      others: labelled[role].filter((other) => other.path !== own?.device && other.disk !== device?.disk),
      type,
      hasErrors: own !== undefined && /^ext[234]$/.test(type ?? '') && notesErrors(own.device),
      mountPoint: own?.mountPoint,
      readOnly: mounted !== undefined && isReadOnly(mounted),
    });
  }
  const state = labelled.state.find(({ path }) => path === partitions.state?.device);
  return judgePartitions({
    found,
    labels,
    problem,
    bootedFromSlot: booted.slot === 'active' || booted.slot === 'passive',
    efi: patient.root.exists('/sys/firmware/efi'),
    table: state === undefined ? undefined : await lookAtTable(state),
  });
}

/** ext4's superblock: s_state, bit 1. It is read from the device, where the kernel writes it at once. */
function notesErrors(device: string): boolean {
  const superblock = Buffer.alloc(64);
  const fd = openSync(device, 'r');
  try {
    readSync(fd, superblock, 0, superblock.length, 1024);
  } finally {
    closeSync(fd);
  }
  return superblock.readUInt16LE(0x38) === 0xef53 && (superblock.readUInt16LE(0x3a) & 2) !== 0;
}

async function lookAtTable({ disk }: BlockDevice): Promise<PartitionFacts['table']> {
  if (findProgram('sfdisk') === undefined) return undefined;
  const path = disk.startsWith('/') ? disk : `/dev/${disk}`;
  const { stdout, stderr } = await run(['sfdisk', '--verify', path], { env: { ...process.env, LC_ALL: 'C' } });
  return { disk: path, problems: parseVerify(`${stdout}\n${stderr}`) };
}

/** What sfdisk --verify complains of; gaps and unused sectors are no trouble. Pure. */
export function parseVerify(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().replace(/\.$/, ''))
    .filter((line) => /backup|corrupt|invalid|overlap|mismatch/i.test(line))
    .map((line) => line.charAt(0).toLowerCase() + line.slice(1));
}
