// `holdfast init`: an ordinary root file system becomes a bootable image.

import { resolve } from 'node:path';
import { initializeRoot } from '../boot/init.ts';
import { Root } from '../system/root.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';

interface InitFlags {
  root: string;
  executable?: string;
  initrd: boolean;
  dryRun?: boolean;
}

export async function initCommand(
  { reporter, signal }: CommandContext,
  _positional: string[],
  flags: InitFlags,
): Promise<number> {
  const dryRun = flags.dryRun ?? false;
  const { outcome, plan, warnings } = await initializeRoot({
    root: new Root(resolve(flags.root)),
    initrd: flags.initrd,
    dryRun,
    events: reporter.events,
    signal,
    ...(flags.executable === undefined ? {} : { executable: resolve(flags.executable) }),
  });
  const lines =
    outcome === 'skipped'
      ? [`${flags.root} is ready to boot already; nothing was changed.`]
      : dryRun
        ? planLines(plan)
        : [`${flags.root} is ready to boot as an image.`];
  reporter.result({ outcome, plan, warnings }, lines);
  return 0;
}
