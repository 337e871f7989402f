// The systems of a disk image as slot files: the active and the passive one, and the recovery system.

import { linkSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureImage } from '../image/measure.ts';
import { openTree } from '../image/tree.ts';
import { type BuiltSystem, describeSystem } from '../lifecycle/build-slot.ts';
import { RECOVERY_SQUASHFS, SLOT_FILES } from '../slots/names.ts';
import { MIB } from '../slots/partitions.ts';
import { checkSlotFile, filledSize, slotSize } from '../slots/slot-file.ts';
import type { ApplyContext, Performers } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { labelExt4, makeExt4 } from './disk-ext4.ts';
import type { BuildDiskAction } from './disk-plan.ts';
import { type BuildDiskState, had } from './disk-state.ts';
import { mediumUuid } from './identity.ts';
import type { SystemTree } from './system-tree.ts';

type SlotAction = Extract<BuildDiskAction, { kind: 'make-slots' | 'make-recovery' }>;

export const slotPerformers: Performers<SlotAction, BuildDiskState> = {
  'make-slots': async (_, context, state) => {
    const { request, staging } = state;
    const system = had(state.system, 'system');
    const { slotBytes } = had(state.layoutRequest, 'layout');
    const file = join(staging.state, SLOT_FILES.active);
    const { slots } = request.labels;
    state.built = await makeSlot(context, state, system, { file, sizeBytes: slotBytes, label: slots.active });
    const passive = join(staging.state, SLOT_FILES.passive);
    // As install does it on ext4; a system that looks for its root by the label of its slot file needs a file of its own.
    if (!state.built.rootByImageLabel) linkSync(file, passive);
    else await copySlot(file, passive, slots.passive, system.timeSeconds);
  },

  'make-recovery': async (_, context, state) => {
    const { request, staging } = state;
    const { recovery, labels } = request;
    const system = had(state.system, 'system');
    const { recoveryBytes: sizeBytes } = had(state.layoutRequest, 'layout');
    const label = labels.slots.recovery;
    const file = join(staging.recovery, SLOT_FILES.recovery);
    mkdirSync(join(staging.recovery, 'cOS'), { recursive: true });
    if (recovery?.kind === 'file') {
      const { file: from, type } = recovery;
      if (type === 'image') return copySlot(from, file, label, system.timeSeconds);
      await runChecked(['cp', '--sparse=auto', '--', from, join(staging.recovery, RECOVERY_SQUASHFS)]);
      return;
    }
    const tree = state.recoverySystem ?? system;
    const isCopy = state.recoverySystem === undefined && state.built !== undefined;
    if (isCopy) {
      await copySlot(join(staging.state, SLOT_FILES.active), file, label, system.timeSeconds);
      state.recoveryBuilt = state.built;
      return;
    }
    state.recoveryBuilt = await makeSlot(context, state, tree, { file, sizeBytes, label });
  },
};

/** How large slot files of a tree become: one that is written to, and one that only has to hold what is there. */
export async function slotSizes(
  tree: SystemTree,
  signal: AbortSignal,
): Promise<{ roomyBytes: number; tightBytes: number }> {
  const { contentBytes, entries } = await measureImage(openTree(tree.directory), { signal });
  const tight = filledSize(contentBytes, entries) * 1.03 + 64 * MIB;
  return { roomyBytes: slotSize(contentBytes, entries), tightBytes: Math.ceil(tight / MIB) * MIB };
}

async function makeSlot(
  context: Pick<ApplyContext, 'signal'>,
  state: BuildDiskState,
  tree: SystemTree,
  { file, sizeBytes, label }: { file: string; sizeBytes: number; label: string },
): Promise<BuiltSystem> {
  const { identity } = had(state.layoutRequest, 'layout');
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '', { flag: 'wx', mode: 0o644 });
  truncateSync(file, sizeBytes);
  // Two slots of the same tree are one system.
  const uuid = mediumUuid({ ...identity, seed: tree.seed, purpose: 'slot' });
  const { timeSeconds, directory } = tree;
  await makeExt4(context, { file, sizeBytes, label, uuid, timeSeconds, directory, kind: 'slot', fileTimes: 'kept' });
  await checkSlotFile(file);
  return { uuid, ...describeSystem(tree.root) };
}

async function copySlot(from: string, to: string, label: string, timeSeconds: number): Promise<void> {
  await runChecked(['cp', '--sparse=always', '--reflink=auto', '--', from, to]);
  await labelExt4(to, label, timeSeconds);
}

/** The bytes of a recovery system that comes as a file. */
export function fileBytes(file: string): number {
  return Math.ceil(statSync(file).size / MIB) * MIB;
}
