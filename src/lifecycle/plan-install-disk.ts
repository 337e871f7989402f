// Where the partitions of an install come from: new ones, those that are there, or a stage file's. Pure.

import { DEFAULT_LABELS, type PartitionRole } from '../slots/names.ts';
import { MIB, type PartitionWishes, planPartitions } from '../slots/partitions.ts';
import { HoldfastError } from '../system/errors.ts';
import type { InstallAction, InstallFacts, InstallRequest } from './install.ts';
import type { DiskContent } from './install-refusals.ts';
import { formatBytes } from './sizes.ts';

/**
 * The actions that give an install its partitions.
 * @param sizes of the slot file and the recovery system in bytes, and whether GRUB for BIOS needs a place.
 * @throws HoldfastError HF-TARGET, HF-CONFIG, HF-NO-SPACE when they can't hold what is installed.
 */
export function planInstallDisk(
  request: InstallRequest,
  { disk, content }: InstallFacts,
  { slotBytes, recoveryBytes, bios }: { slotBytes: number; recoveryBytes: number; bios: boolean },
): InstallAction[] {
  const { partitioning = { kind: 'new' }, labels = DEFAULT_LABELS } = request;
  const adopt = (): InstallAction => ({
    kind: 'adopt-partitions',
    summary: `Use the partitions ${Object.values(labels.partitions).join(', ')} of ${disk.path}`,
    labels: labels.partitions,
  });
  if (partitioning.kind === 'keep') {
    requireRoom(content, { slotBytes, recoveryBytes });
    return [adopt()];
  }
  const wishes: PartitionWishes = { ...partitioning.wishes, labels: labels.partitions };
  const all = planPartitions({ diskBytes: disk.sizeBytes, slotBytes, recoveryBytes, wishes });
  const partitions = partitioning.kind === 'layout' ? all.filter(({ role }) => role === 'efi') : all;
  const sizes = partitions.map(({ label, name, sizeBytes }) => `${label ?? name} ${formatBytes(sizeBytes)}`).join(', ');
  const unfinished = content.kind === 'unfinished' ? ', where an install was cut short' : '';
  return [
    { kind: 'partition', summary: `Partition ${disk.path}${unfinished}: ${sizes}`, disk, partitions, bios },
    { kind: 'format', summary: 'Make the filesystems', partitions },
    ...(partitioning.kind === 'layout'
      ? [
          {
            kind: 'run-layout' as const,
            summary: `Make the other partitions by the stage partitioning of ${partitioning.file.name}`,
            file: partitioning.file,
          },
          adopt(),
        ]
      : []),
  ];
}

/** The partitions that are kept must have room for the new system beside the old one. */
function requireRoom(content: DiskContent, need: { slotBytes: number; recoveryBytes: number }): void {
  const { free } = content;
  if (free === undefined) return;
  // Without clones the passive slot is a file of its own.
  const bytes: Partial<Record<PartitionRole, number>> = {
    state: need.slotBytes * (free.stateClones ? 1 : 2),
    recovery: need.recoveryBytes,
  };
  for (const role of ['state', 'recovery'] as const) {
    const [needed, there] = [(bytes[role] ?? 0) + 64 * MIB, free[role]];
    if (there === undefined || there >= needed) continue;
    const figures = `${formatBytes(needed)} needed, ${formatBytes(there)} free`;
    throw new HoldfastError('HF-NO-SPACE', `not enough space on the partition ${role}: ${figures}`, {
      hint: 'remove what is not needed there, or install without --no-format; nothing was changed',
    });
  }
}
