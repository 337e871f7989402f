// When a disk is not installed on: it is in use, holds a system, or holds anything at all, and nobody said that it may be
// lost. What an install of ours left that was cut short is no reason.

import { HoldfastError } from '../system/errors.ts';
import type { InstallFacts, InstallRequest } from './install.ts';

/** What is on a disk before an install. */
export interface DiskContent {
  kind: /** Nothing at all in its first MiB. */
    | 'nothing'
    /** An install of ours that was cut short: nothing on it was ever in use. */
    | 'unfinished'
    /** Slots that may boot. */
    | 'system'
    /** Our partitions without a slot. */
    | 'partitions'
    /** Something else. */
    | 'other';
  /** Labels that say so. */
  labels: readonly string[];
  /** Whether a partition for GRUB for BIOS is there. */
  hasBiosPartition: boolean;
  /** What may be written to partitions that are kept, in bytes. */
  free?: { state: number | undefined; recovery: number | undefined; stateClones: boolean } | undefined;
}

/** @throws HoldfastError HF-TARGET, HF-ALREADY-INSTALLED */
export function refuseContent(
  request: Pick<InstallRequest, 'force' | 'partitioning'>,
  { disk: { path }, users, content }: Pick<InstallFacts, 'disk' | 'users' | 'content'>,
): void {
  if (users.length > 0) {
    throw new HoldfastError('HF-TARGET', `${path} is in use: ${users.join(', ')}`, {
      hint: 'unmount or detach it first; --force does not override this',
    });
  }
  if (request.partitioning?.kind === 'keep') {
    refuseKept(request.force, path, content);
    return;
  }
  if (request.force || content.kind === 'nothing' || content.kind === 'unfinished') return;
  const found = content.labels.length > 0 ? ` (${content.labels.join(', ')})` : '';
  const hint = "use '--force' flag to overwrite it; everything on the disk is lost then";
  switch (content.kind) {
    case 'system':
      throw new HoldfastError('HF-ALREADY-INSTALLED', `${path} already holds an installed system${found}`, { hint });
    case 'partitions':
      throw new HoldfastError(
        'HF-ALREADY-INSTALLED',
        `${path} has the partitions of an installed system${found}, but no system that boots`,
        { hint: `${hint}; to install onto these partitions and keep /oem and /usr/local: --no-format` },
      );
    case 'other':
      throw new HoldfastError('HF-TARGET', `${path} is not empty`, { hint });
  }
}

function refuseKept(force: boolean, path: string, { kind, labels }: DiskContent): void {
  if (kind === 'nothing' || kind === 'other' || kind === 'unfinished') {
    throw new HoldfastError(
      'HF-TARGET',
      `${path} has no partitions to install on${kind === 'unfinished' ? ': an install was cut short there' : ''}`,
      {
        hint: 'install without --no-format, which makes them',
      },
    );
  }
  if (kind === 'system' && !force) {
    throw new HoldfastError(
      'HF-ALREADY-INSTALLED',
      `there is already an active deployment in the system, use '--force' flag to overwrite it (${path}: ${labels.join(', ')})`,
      { hint: 'the partitions and what is in /oem and /usr/local stay; the slots are replaced' },
    );
  }
}
