// `holdfast overlay export`: a system with its changes as one image file, to be mounted, booted or unpacked elsewhere.

import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatBytes } from '../lifecycle/sizes.ts';
import { requireBase } from '../overlay/cow-place.ts';
import { writeFlatImage } from '../overlay/flat-image.ts';
import { loopOf } from '../overlay/in-use.ts';
import { unfinishedFile } from '../overlay/names.ts';
import { tryCloneSlotFile } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import { isReadOnly, mountAt } from '../system/mounts.ts';
import { run } from '../system/process.ts';
import { type CowFlags, openTarget, progressOf } from './overlay-target.ts';
import type { CommandContext } from './program.ts';

interface ExportFlags extends CowFlags {
  output: string;
  salvage?: boolean;
}

export async function overlayExportCommand(
  context: CommandContext,
  [text]: string[],
  flags: ExportFlags,
): Promise<number> {
  const { reporter, signal } = context;
  const to = resolve(flags.output);
  const inUse = (file: string) => loopOf(file).then((loop) => loop !== undefined && !rootIsStill());
  const { cow } = await openTarget(context, text, { ...flags, dryRun: true });
  const base = requireBase(cow);
  if (existsSync(to)) throw new HoldfastError('HF-USAGE', `${to} is there already`, { hint: 'name a new file' });
  if (flags.dryRun) {
    reporter.result({ outcome: 'planned', file: cow.file, base: base.name, to }, [
      `${base.name} with the changes of ${cow.file} would be written to ${to}, ${formatBytes(base.sizeBytes)} (nothing was changed)`,
    ]);
    return 0;
  }
  const source = (await inUse(cow.file)) ? await stillCopy(context, cow.file) : cow.file;
  const salvage = flags.salvage ?? false;
  const request = { base: base.file, cow: source, to, salvage, signal, progress: progressOf(context) };
  const { sizeBytes, changedBytes, dropped } = await writeFlatImage(request);
  reporter.result({ outcome: 'ok', file: cow.file, base: base.name, to, sizeBytes, changedBytes, dropped }, [
    `Wrote ${to}: ${formatBytes(sizeBytes)}, of which ${formatBytes(changedBytes)} are changes.`,
    ...(dropped > 0 ? [`${dropped} entries could not be right and were left out.`] : []),
  ]);
  return 0;
}

function rootIsStill(): boolean {
  const root = mountAt('/');
  return root !== undefined && isReadOnly(root);
}

/** A clone of the COW as it is at one moment: like the disk after a power cut, which the journal puts right. */
async function stillCopy({ undo }: CommandContext, file: string): Promise<string> {
  await run(['sync', '--file-system', '/']);
  const copy = unfinishedFile(file);
  undo.always(`remove ${copy}`, () => rmSync(copy, { force: true }));
  if (tryCloneSlotFile(file, copy)) return copy;
  throw new HoldfastError('HF-LOCKED', `${file} is being written to, and its disk can’t clone files`, {
    hint: 'make / read-only first (mount -o remount,ro /), or boot with rd.cos.rootoverlay=0',
  });
}
