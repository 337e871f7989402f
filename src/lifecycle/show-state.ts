// state.yaml as it should be: what the copies say, held against the slot files that are there. Nothing is written; the next
// action writes what this shows.

import { join } from 'node:path';
import { ActionRecord } from '../record/action-record.ts';
import { inspectBooted } from '../slots/booted.ts';
import { locatePartitions } from '../slots/locate.ts';
import type { Labels, SlotName } from '../slots/names.ts';
import { formatState } from '../slots/state-file.ts';
import { silent } from '../system/events.ts';
import { UndoStack } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';
import { RUN_DIRECTORY } from './leftovers.ts';
import { readInstallation } from './records.ts';
import { readPartition, type Session } from './session.ts';

/**
 * The repaired state of this machine.
 * @returns the text, the slots whose record was not theirs, and what could not be read.
 */
export async function showState(
  labels: Labels,
  now: string,
): Promise<{ text: string; repaired: readonly SlotName[]; problems: readonly string[] }> {
  requireTools(['blkid', 'mount', 'umount']);
  const undo = new UndoStack();
  const workDirectory = join(RUN_DIRECTORY, `state-${process.pid}`);
  undo.always(`remove ${workDirectory}`, () => removeWorkDirectory(workDirectory));
  const problems: string[] = [];
  try {
    // It only looks, so it needs no lock.
    const session: Session = {
      name: 'boot',
      events: silent,
      signal: new AbortController().signal,
      dryRun: true,
      command: '',
      now,
      labels,
      hookSources: undefined,
      undo,
      workDirectory,
      booted: await inspectBooted(),
      partitions: await locatePartitions(labels),
      warnings: [],
      record: new ActionRecord('state', { command: '' }),
    };
    const { state, repaired, problems: found } = await readInstallation(session, await readPartition(session, 'state'));
    problems.push(...found);
    const dates = Object.values(state).map(({ date }) => date);
    return { text: formatState(state, dates.sort().at(-1) || now, labels), repaired, problems };
  } finally {
    problems.push(...(await undo.unwind(true)));
  }
}
