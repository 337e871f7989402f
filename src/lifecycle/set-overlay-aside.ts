// What becomes of a root overlay when another system takes the place of the one that it belongs to: nothing is removed.

import { writeArgument } from '../overlay/grub-argument.ts';
import type { ApplyContext } from '../system/plan.ts';
import { removePendingCarry } from './pending-carry.ts';

/**
 * The new system is what its image is, and nothing over it: an overlay belongs to one system, and with the argument left in
 * place every boot would say that it doesn't fit. What was written over the old one stays on its disk.
 */
export async function setOverlayAside(
  context: ApplyContext,
  { stateDirectory, oemDirectory }: { stateDirectory: string; oemDirectory: string | undefined },
): Promise<void> {
  removePendingCarry(stateDirectory);
  if (!(await writeArgument({ stateDirectory, oemDirectory }, undefined))) return;
  const text =
    'the root overlay is not used any more: what it holds stays on its disk until you remove it (holdfast overlay list, drop); ' +
    'a blank one for the new system: holdfast overlay create SET --enable';
  context.events({ type: 'notice', level: 'info', text });
}
