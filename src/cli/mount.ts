// `holdfast mount`: the writable layout of an immutable root, run by the initramfs.

import { mountLayout } from '../boot/mount-layout.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';

export async function mountCommand(
  { reporter, signal }: CommandContext,
  _positional: string[],
  flags: { sysroot: string; dryRun?: boolean },
): Promise<number> {
  const dryRun = flags.dryRun ?? false;
  const result = await mountLayout({ sysroot: flags.sysroot, events: reporter.events, signal, dryRun });
  if (result.outcome === 'skipped') reporter.result({ ...result }, [`Nothing to mount: ${result.reason}`]);
  else if (dryRun) reporter.result({ ...result }, planLines(result.plan));
  else reporter.result({ ...result }, [`The layout is mounted below ${flags.sysroot}.`]);
  return 0;
}
