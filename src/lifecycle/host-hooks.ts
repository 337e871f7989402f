// Hooks on the running system: what they find mounted while they run. Hooks of the Go generations of elemental look for
// the partitions at /run/cos/{efi,oem,recovery,state,persistent}; they are there for as long as a hook runs.

import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PARTITION_ROLES, type PartitionRole } from '../slots/names.ts';
import { messageOf } from '../system/errors.ts';
import { bindMount, isReadOnly, mount, mountAt, unmount } from '../system/mounts.ts';
import { type ApplyContext, UndoStack } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import type { ExtraSources } from './extra-sources.ts';
import { runHook, type Strictness } from './hooks.ts';
import { EXPOSED_RECORD } from './leftovers.ts';
import { openForWriting, readPartition, type Session } from './session.ts';

const HOOK_DIRECTORY = '/run/cos';

/** Runs a hook on the running system with its partitions at /run/cos. */
export async function runHostHook(
  context: ApplyContext,
  session: Session,
  hook: string,
  options: { strictness: Strictness; extra?: ExtraSources | undefined; newSystem?: readonly string[] | undefined },
): Promise<void> {
  const undo = new UndoStack();
  try {
    for (const role of PARTITION_ROLES) {
      try {
        await expose(undo, session, role);
      } catch (error) {
        // A kernel without VFAT can't show the ESP; few hooks look for it.
        const level = role === 'efi' ? 'info' : 'warning';
        context.events({ type: 'notice', level, text: `hook ${hook} runs without ${role}: ${messageOf(error)}` });
      }
    }
    await runHook(context, hook, new Root('/'), options);
  } finally {
    for (const text of await undo.unwind(true)) context.warn(`cleaning up after hook ${hook}: ${text}`);
  }
}

async function expose(undo: UndoStack, session: Session, role: PartitionRole): Promise<void> {
  const partition = session.partitions[role];
  const at = join(HOOK_DIRECTORY, role);
  // Somebody's own mount there is what hooks are meant to find.
  if (partition === undefined || partition.blank || mountAt(at) !== undefined) return;
  mkdirSync(session.workDirectory, { recursive: true });
  // Before the mount: whoever takes away what is left of a killed action looks here.
  appendFileSync(join(session.workDirectory, EXPOSED_RECORD), `${at}\n`);
  if (role === 'efi' && partition.mountPoint === undefined) {
    await mount(partition.device, at);
  } else {
    const directory = await readPartition(session, role);
    const mounted = mountAt(directory);
    // One that the action has opened stays open when the hook is over.
    if (mounted !== undefined && isReadOnly(mounted)) await openForWriting(undo, directory);
    await bindMount(directory, at);
  }
  undo.always(`unmount ${at}`, () => unmount(at));
}
