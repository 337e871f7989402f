// `holdfast init`: an ordinary root file system becomes a bootable image.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { initializeRoot } from '../boot/init.ts';
import type { InitramfsModule } from '../boot/init-initramfs.ts';
import { HoldfastError } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import { completionFiles } from './completion/script.ts';
import { manPages } from './man-page.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';

export interface InitFlags {
  root: string;
  executable?: string;
  initrd: boolean;
  dryRun?: boolean;
}

export async function initCommand(
  { reporter, signal }: CommandContext,
  _positional: string[],
  flags: InitFlags,
  program: Command,
): Promise<number> {
  const dryRun = flags.dryRun ?? false;
  if (statSync(flags.root, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new HoldfastError('HF-USAGE', `--root ${flags.root}: there is no such directory`);
  }
  const { outcome, plan, initramfs, warnings } = await initializeRoot({
    root: new Root(resolve(flags.root)),
    initrd: flags.initrd,
    documents: documentsOf(program),
    dryRun,
    events: reporter.events,
    signal,
    ...(flags.executable === undefined ? {} : { executable: resolve(flags.executable) }),
  });
  const lines =
    outcome === 'skipped' && bootsFromASlot(initramfs)
      ? [`${flags.root} is ready to boot already; nothing was changed.`]
      : dryRun
        ? planLines(plan)
        : bootsFromASlot(initramfs)
          ? [`${flags.root} is ready to boot as an image.`]
          : [`${flags.root} has all of holdfast but an initramfs that boots it from a slot, see the warning.`];
  reporter.result({ outcome, plan, initramfs, warnings }, lines);
  return 0;
}

/** Manual pages and completion scripts, by their path in an image. */
function documentsOf(program: Command): Record<string, string> {
  const pages = Object.entries(manPages(program)).map(([name, text]) => [`/usr/share/man/man8/${name}`, text]);
  return { ...Object.fromEntries(pages), ...completionFiles(program) };
}

function bootsFromASlot(initramfs: InitramfsModule): boolean {
  return initramfs === 'holdfast' || initramfs === 'cos';
}
