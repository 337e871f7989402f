// The recovery system of an install: a copy of the installed one, a system of its own, or a file that is copied as it is.
// And the records of all three slots, which say what each of them is.

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_LABELS, RECOVERY_SQUASHFS, SLOT_FILES, TRANSITION_FILE } from '../slots/names.ts';
import { checkSlotFile, cloneSlotFile, labelSlotFile } from '../slots/slot-file.ts';
import { type Deployment, writeState } from '../slots/state-file.ts';
import { fsyncPath, renameDurably } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import type { Performers } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { type BuildSlotState, buildSlotPerformers, newDeployment } from './build-slot.ts';
import type { InstallAction } from './install.ts';
import type { InstallState } from './install-state.ts';

type RecoveryAction = Extract<InstallAction, { kind: 'build-recovery' | 'copy-recovery' }>;

export const recoveryPerformers: Performers<RecoveryAction, InstallState> = {
  'build-recovery': async ({ sizeBytes }, context, state) => {
    const { request, directories } = state;
    const { recovery, labels = DEFAULT_LABELS } = request;
    if (recovery?.kind !== 'image') throw new HoldfastError('HF-DEPLOY', 'there is no image of the recovery system');
    const build: BuildSlotState = {
      image: recovery.image,
      stateDirectory: directories.recovery,
      workDirectory: join(state.workDirectory, 'build-recovery'),
      owner: {},
    };
    mkdirSync(build.workDirectory, { recursive: true });
    const summary = '';
    await buildSlotPerformers['create-transition']({ kind: 'create-transition', summary, sizeBytes }, context, build);
    await buildSlotPerformers.unpack({ kind: 'unpack', summary, skipLayers: 0 }, context, build);
    const label = labels.slots.recovery;
    await buildSlotPerformers['finish-transition']({ kind: 'finish-transition', summary, label }, context, build);
    renameDurably(join(directories.recovery, TRANSITION_FILE), join(directories.recovery, SLOT_FILES.recovery));
    removeSquashfs(state);
    state.recoveryBuilt = build.built;
  },

  'copy-recovery': async (_, { undo, signal }, state) => {
    const { request, stateDirectory, directories } = state;
    const { recovery, labels = DEFAULT_LABELS } = request;
    const isSquashfs = recovery?.kind === 'file' && recovery.type === 'squashfs';
    const file = join(directories.recovery, isSquashfs ? RECOVERY_SQUASHFS : SLOT_FILES.recovery);
    const fresh = `${file}.new`;
    undo.onFailure(`remove ${fresh}`, () => rmSync(fresh, { force: true }));
    if (recovery?.kind === 'file') {
      await runChecked(['cp', '--sparse=auto', '--', recovery.file, fresh], { signal });
      fsyncPath(fresh);
    } else {
      await cloneSlotFile(join(stateDirectory, SLOT_FILES.active), fresh);
    }
    if (!isSquashfs) {
      if (recovery?.kind === 'file') await checkSlotFile(fresh);
      await labelSlotFile(fresh, labels.slots.recovery);
    }
    renameDurably(fresh, file);
    if (!isSquashfs) removeSquashfs(state);
    if (recovery?.kind === 'file') state.recoveryUuid = (await probeFilesystem(file)).uuid ?? '';
  },
};

/** GRUB prefers it to the image, so one that was there would hide the new system. */
function removeSquashfs({ directories }: InstallState): void {
  rmSync(join(directories.recovery, RECOVERY_SQUASHFS), { force: true });
  fsyncPath(join(directories.recovery, 'cOS'));
}

/** Writes state.yaml to both partitions that carry it. */
export function writeInstallRecords(state: InstallState): void {
  const { now, directories, request } = state;
  const deployment = newDeployment(state, { now, fromAction: 'install' });
  const slots = { active: deployment, passive: deployment, recovery: recoveryRecord(state, deployment) };
  for (const directory of [directories.state, directories.recovery]) {
    writeState(join(directory, 'state.yaml'), slots, now, request.labels);
  }
}

function recoveryRecord(
  { request: { recovery }, recoveryBuilt, recoveryUuid = '', now }: InstallState,
  system: Deployment,
): Deployment {
  if (recovery === undefined) return system;
  if (recovery.kind === 'file') {
    const { source, type } = recovery;
    const fs = type === 'squashfs' ? { fs: 'squashfs' } : {};
    const verified = 'not verified (local file)';
    return { source, layers: [], uuid: recoveryUuid, date: now, fromAction: 'install', verified, ...fs };
  }
  return newDeployment({ image: recovery.image, built: recoveryBuilt }, { now, fromAction: 'install' });
}
