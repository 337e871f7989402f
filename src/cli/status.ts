// `holdfast status`: what is booted and what each slot holds.

import { formatBytes } from '../lifecycle/sizes.ts';
import { inspectStatus, type MachineStatus } from '../lifecycle/status.ts';
import type { CommandContext } from './program.ts';

export async function statusCommand({ reporter }: CommandContext): Promise<number> {
  const status = await inspectStatus();
  reporter.result({ ...status }, statusLines(status));
  return 0;
}

/** The status of a machine as lines of text. */
export function statusLines(status: MachineStatus): string[] {
  const lines = [`booted     ${status.booted.slot ?? 'not from a slot'}`];
  for (const slot of status.slots) {
    const marks = [
      ...(slot.slot === status.booted.slot && !status.rebootPending ? ['running'] : []),
      ...(slot.slot === 'active' && status.rebootPending ? ['starts at the next reboot'] : []),
      ...(slot.sizeBytes === undefined ? [] : [formatBytes(slot.sizeBytes)]),
      ...(slot.deployment?.digest === undefined ? [] : [`${slot.deployment.digest.slice(0, 19)}…`]),
      ...(slot.problem === undefined ? [] : [`PROBLEM: ${slot.problem}`]),
    ];
    lines.push(`${slot.slot.padEnd(10)} ${slot.prettyName ?? 'unknown'}  (${marks.join(', ')})`);
  }
  lines.push(`COS_STATE  ${formatBytes(status.stateFreeBytes)} free`);
  for (const problem of status.problems) lines.push(`PROBLEM    ${problem}`);
  return lines;
}
