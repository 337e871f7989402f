// `holdfast overlay compact` and `holdfast overlay repair`: a COW written anew, as small as its changes are, or out of what
// is right in a damaged one.

import { statSync } from 'node:fs';
import { formatBytes } from '../lifecycle/sizes.ts';
import { requireBase } from '../overlay/cow-place.ts';
import { compactCow, type RewriteRequest, type RewriteResult, repairCow } from '../overlay/rewrite.ts';
import { fullCoverBytes, parseSize } from '../overlay/sizes.ts';
import { freeBytes } from '../system/filesystems.ts';
import { asOnlyAction, type CowFlags, openTarget, progressOf, scratchFile } from './overlay-target.ts';
import type { CommandContext } from './program.ts';

interface RewriteFlags extends CowFlags {
  size?: string;
  work?: string;
}

export async function overlayCompactCommand(
  context: CommandContext,
  [text]: string[],
  flags: RewriteFlags,
): Promise<number> {
  const request = await prepare(context, text, flags);
  if (flags.dryRun) return planned(context, request, 'would be written anew without what equals its system');
  const result = await asOnlyAction(context, () => compactCow(request));
  return done(
    context,
    request,
    result,
    `Written anew: ${formatBytes(result.changedBytes)} of changes in ${formatBytes(result.sizeBytes)}.`,
  );
}

export async function overlayRepairCommand(
  context: CommandContext,
  [text]: string[],
  flags: RewriteFlags,
): Promise<number> {
  const request = await prepare(context, text, flags);
  if (flags.dryRun) return planned(context, request, 'would be written anew from what is right in it, and kept aside');
  const result = await asOnlyAction(context, () => repairCow({ ...request, now: new Date() }));
  const { dropped, repaired, changedBytes, aside } = result;
  const what = [
    ...(dropped > 0 ? [`${dropped} entries could not be right and were left out`] : []),
    ...(repaired ? ['errors of the file system were repaired'] : []),
  ];
  return done(
    context,
    request,
    result,
    `Written anew: ${formatBytes(changedBytes)} of changes were found${what.map((text) => `; ${text}`).join('')}.`,
    `The file as it was is kept: ${aside}`,
  );
}

async function prepare(
  context: CommandContext,
  text: string | undefined,
  flags: RewriteFlags,
): Promise<RewriteRequest> {
  const { cow } = await openTarget(context, text, flags);
  const base = requireBase(cow);
  const now = statSync(cow.file).size;
  const cover = fullCoverBytes(base.sizeBytes);
  const wished = flags.size === undefined ? undefined : flags.size === 'full' ? cover : parseSize(flags.size);
  return {
    file: cow.file,
    base,
    scratch: scratchFile(cow.file, flags.work),
    // What ran full once gets all the room that it can use, if there is that much beside the old file and the image.
    sizeFor: () => wished ?? (freeBytes(cow.file) > cover + base.sizeBytes / 4 ? Math.max(now, cover) : now),
    tell: (line) => context.reporter.events({ type: 'notice', level: 'info', text: line }),
    signal: context.signal,
    progress: progressOf(context),
  };
}

function planned({ reporter }: CommandContext, { file, base }: RewriteRequest, what: string): number {
  reporter.result({ outcome: 'planned', file, base: base.name }, [`${file} ${what} (nothing was changed)`]);
  return 0;
}

function done(
  { reporter }: CommandContext,
  { file }: RewriteRequest,
  result: RewriteResult,
  ...lines: string[]
): number {
  reporter.result({ outcome: 'ok', file, ...result }, lines);
  return 0;
}
