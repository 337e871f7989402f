// Room: for the next system on COS_STATE, and on everything else that is written to. A full partition shows up here, not in
// the middle of an upgrade.

import { existsSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes } from '../lifecycle/sizes.ts';
import { SLOT_FILES } from '../slots/names.ts';
import { RESERVE_BYTES } from '../slots/slot-file.ts';
import { fetchedBytes, unfinishedBytes } from '../slots/swap.ts';
import { canShareBlocks, mountAt } from '../system/mounts.ts';
import { type Finding, inArea } from './finding.ts';
import { openPartition, type Patient } from './patient.ts';

/** A file system that is written to. */
export interface FoundSpace {
  /** As a person names it. */
  name: string;
  totalBytes: number;
  freeBytes: number;
  /** Both 0 where the file system makes them as it needs them. */
  totalFiles: number;
  freeFiles: number;
  /** What is lost when it is full, and how to make room. */
  loss: string;
  mend: string;
}

export interface SpaceFacts {
  places: readonly FoundSpace[];
  /** For the next system; undefined where there is no state partition. */
  slot: { wantedBytes: number; freeBytes: number; reclaimableBytes: number; shares: boolean } | undefined;
}

const { ok, skipped, warning, failed } = inArea('space');
const LOW = 0.05;
const FULL = 0.01;

/** Pure. */
export function judgeSpace({ places, slot }: SpaceFacts): Finding[] {
  const findings = places.flatMap(judgePlace);
  if (slot !== undefined) {
    const { wantedBytes, freeBytes, reclaimableBytes, shares } = slot;
    const missing = wantedBytes + RESERVE_BYTES - freeBytes - reclaimableBytes;
    const figures = `COS_STATE has ${formatBytes(freeBytes + reclaimableBytes)} for it`;
    if (missing > 0) {
      findings.push(
        warning(
          `the next system may need ${formatBytes(wantedBytes)}, and ${figures}`,
          'an upgrade to an image of this size is refused before it writes',
          'holdfast status shows what is there; take away what is not of the slots, or use a larger partition',
        ),
      );
    } else
      findings.push(
        ok(`the next system may be as large as this one: ${figures}${shares ? ', and shares what is the same' : ''}`),
      );
  }
  if (findings.length === 0) return [skipped('nothing of an installed system is mounted')];
  return findings;
}

function judgePlace({ name, totalBytes, freeBytes, totalFiles, freeFiles, loss, mend }: FoundSpace): Finding[] {
  const part = totalBytes === 0 ? 1 : freeBytes / totalBytes;
  const files = totalFiles === 0 ? 1 : freeFiles / totalFiles;
  const figures = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} free`;
  if (files < LOW)
    return [(files < FULL ? failed : warning)(`${name} has room for ${freeFiles} more files`, loss, mend)];
  if (part >= LOW) return [ok(`${name}: ${figures}`)];
  return [
    (part < FULL ? failed : warning)(`${name} is ${part < FULL ? 'full' : 'almost full'}: ${figures}`, loss, mend),
  ];
}

export async function checkSpace(patient: Patient): Promise<Finding[]> {
  const places: FoundSpace[] = [];
  const look = (name: string, path: string, loss: string, mend: string) => {
    const { blocks, bfree, bsize, files, ffree } = statfsSync(path);
    places.push({
      name,
      totalBytes: blocks * bsize,
      freeBytes: bfree * bsize,
      totalFiles: files,
      freeFiles: ffree,
      loss,
      mend,
    });
  };
  const { partitions, labels } = patient;
  if (partitions.oem?.mountPoint !== undefined) {
    look(
      labels.partitions.oem,
      partitions.oem.mountPoint,
      'stage files and the choice of the next boot can’t be kept',
      `du -xsh ${partitions.oem.mountPoint}/*`,
    );
  }
  if (partitions.persistent?.mountPoint !== undefined) {
    const at = partitions.persistent.mountPoint;
    look(
      labels.partitions.persistent,
      at,
      'nothing more can be kept below /usr/local and on the persistent paths',
      `du -xh ${at} | sort -h | tail`,
    );
  }
  if (mountAt('/run/overlay') !== undefined) {
    look(
      '/run/overlay',
      '/run/overlay',
      '/etc, /var and other ephemeral paths take no more changes',
      'reboot, or give it more room: OVERLAY in a cos-layout.env',
    );
  }
  look('/run', '/run', 'services can’t start', 'du -xh /run | sort -h | tail');
  return judgeSpace({ places, slot: patient.busy === undefined ? await lookAtSlots(patient) : undefined });
}

async function lookAtSlots(patient: Patient): Promise<SpaceFacts['slot']> {
  const directory = await openPartition(patient, 'state');
  if (directory === undefined) return undefined;
  const active = join(directory, SLOT_FILES.active);
  if (!existsSync(active)) return undefined;
  const { bfree, bsize } = statfsSync(directory);
  return {
    wantedBytes: statSync(active).size,
    freeBytes: bfree * bsize,
    reclaimableBytes: unfinishedBytes(directory) + fetchedBytes(directory),
    shares: canShareBlocks(directory),
  };
}
