// Makes the next boots use an overlay, or none: the argument in GRUB's environment blocks on this machine's partitions.

import { writeArgument } from '../overlay/grub-argument.ts';
import { HoldfastError } from '../system/errors.ts';
import { UndoStack } from '../system/plan.ts';
import { openForWriting, readPartition, readPartitionIfThere, type SessionOptions, withSession } from './session.ts';

const TOOLS = ['blkid', 'flock', 'fsfreeze', 'mount', 'umount'] as const;

/**
 * Writes `rd.live.overlay=ARGUMENT` for the active and the passive system, or takes it out.
 * @returns whether anything was changed.
 * @throws HoldfastError HF-STATE without an installed system, HF-GRUB when a block is damaged or full.
 */
export function setOverlayArgument(argument: string | undefined, options: SessionOptions): Promise<boolean> {
  return withSession('boot', { ...options, tools: TOOLS }, async (session) => {
    const stateDirectory = await readPartition(session, 'state');
    const oemDirectory = await readPartitionIfThere(session, 'oem');
    session.record.begin();
    const what =
      argument === undefined ? 'the next boots use no overlay' : `the next boots use the overlay ${argument}`;
    session.record.describe({ name: 'overlay argument', message: what });
    const undo = new UndoStack();
    try {
      await openForWriting(undo, stateDirectory);
      if (oemDirectory !== undefined) await openForWriting(undo, oemDirectory);
      return await writeArgument({ stateDirectory, oemDirectory }, argument);
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw new HoldfastError('HF-GRUB', 'the kernel argument could not be written', { cause: error });
    } finally {
      for (const text of await undo.unwind(true)) session.events({ type: 'notice', level: 'warning', text });
    }
  });
}
