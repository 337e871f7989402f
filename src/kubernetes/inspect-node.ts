// What is on a node, for the decision of a pod that runs on it: which system runs, which one starts next, and what has failed.
// It only looks; COS_STATE is mounted to be read where it isn't.

import { join } from 'node:path';
import { inspectAssessment } from '../lifecycle/assessment.ts';
import { RUN_DIRECTORY } from '../lifecycle/leftovers.ts';
import { bootId } from '../lifecycle/pending-carry.ts';
import { readInstallation } from '../lifecycle/records.ts';
import { readPartition, type Session } from '../lifecycle/session.ts';
import { ActionRecord } from '../record/action-record.ts';
import { inspectBooted } from '../slots/booted.ts';
import { locatePartitions } from '../slots/locate.ts';
import type { Labels } from '../slots/names.ts';
import type { InstallationState } from '../slots/state-file.ts';
import { type EventSink, silent } from '../system/events.ts';
import { UndoStack } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import { requireTools } from '../system/tools.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';
import type { NodeFacts } from './decide-upgrade.ts';

const NODE_TOOLS = ['blkid', 'flock', 'mount', 'umount'] as const;

export interface InspectNodeOptions {
  labels: Labels;
  signal: AbortSignal;
  events: EventSink;
  /** The node's own tree. */
  root: Root;
}

/**
 * Looks at the node that this process runs on.
 * @throws HoldfastError HF-STATE for one without an installed system, HF-TOOL-MISSING, HF-MOUNT.
 */
export async function inspectNode({ labels, signal, events, root }: InspectNodeOptions): Promise<NodeFacts> {
  requireTools(NODE_TOOLS);
  const undo = new UndoStack();
  const workDirectory = join(RUN_DIRECTORY, `suc-upgrade-${process.pid}`);
  undo.always(`remove ${workDirectory}`, () => removeWorkDirectory(workDirectory));
  try {
    // It only looks, so it needs no lock.
    const session: Session = {
      name: 'upgrade',
      events: silent,
      signal,
      dryRun: true,
      command: '',
      now: '',
      labels,
      hookSources: undefined,
      undo,
      workDirectory,
      booted: await inspectBooted(),
      partitions: await locatePartitions(labels),
      warnings: [],
      record: new ActionRecord('upgrade', { command: '' }),
    };
    const stateDirectory = await readPartition(session, 'state');
    const { state, ids, problems } = await readInstallation(session, stateDirectory);
    const assessment = inspectAssessment(stateDirectory);
    for (const text of [...problems, ...assessment.problems]) events({ type: 'notice', level: 'warning', text });
    const { uuid, slot } = session.booted;
    return {
      bootId: bootId(),
      runningUuid: uuid,
      runningSlot: slot,
      running: deploymentOf(state, uuid),
      activeUuid: ids.active,
      active: state.active,
      failed: assessment.failed,
      onTrial: assessment.unproven,
      osRelease: readOsRelease(root),
    };
  } finally {
    for (const text of await undo.unwind(false)) events({ type: 'notice', level: 'warning', text });
  }
}

/** The deployment of a file system, whatever its slot is called by now. */
function deploymentOf(state: InstallationState, uuid: string | undefined) {
  if (uuid === undefined) return undefined;
  return [state.active, state.passive, state.recovery].find((deployment) => deployment?.uuid === uuid);
}

/** os-release as it stands; undefined where there is none. */
export function readOsRelease(root: Root): string | undefined {
  return root.readTextIfThere('/etc/os-release') ?? root.readTextIfThere('/usr/lib/os-release');
}
