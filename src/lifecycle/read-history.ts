// The record of this machine as `history` and others read it: COS_STATE is mounted read-only for it where it isn't mounted.
// Without an installed system there is what waits in /run, and the reason why there is no more.

import { join } from 'node:path';
import { type MachineRecord, readRecord } from '../record/record.ts';
import { locatePartitions, requirePartition } from '../slots/locate.ts';
import { DEFAULT_LABELS, type Labels } from '../slots/names.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { mount, mountAt, unmount } from '../system/mounts.ts';
import { UndoStack } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';

/** Reads the record. What can't be found is in `problems`. */
export async function readHistory(labels: Labels = DEFAULT_LABELS): Promise<MachineRecord> {
  const undo = new UndoStack();
  const workDirectory = `/run/holdfast/history-${process.pid}`;
  let record: MachineRecord;
  try {
    record = readRecord({ stateDirectory: await stateForLooking(undo, workDirectory, labels) });
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const waiting = readRecord({ stateDirectory: undefined });
    record = {
      ...waiting,
      problems: [`only what waits to be written is shown: ${messageOf(error)}`, ...waiting.problems],
    };
  }
  const problems = await undo.unwind(true);
  return problems.length === 0 ? record : { ...record, problems: [...record.problems, ...problems] };
}

async function stateForLooking(undo: UndoStack, workDirectory: string, labels: Labels): Promise<string> {
  requireTools(['blkid', 'mount', 'umount']);
  const state = requirePartition(await locatePartitions(labels), 'state', labels);
  if (state.mountPoint !== undefined) return state.mountPoint;
  const at = join(workDirectory, 'state');
  undo.always(`remove ${workDirectory}`, () => removeWorkDirectory(workDirectory));
  await mount(state.device, at, { options: ['ro'] });
  undo.always(`unmount ${at}`, async () => {
    if (mountAt(at) !== undefined) await unmount(at);
  });
  return at;
}
