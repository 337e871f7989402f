// `holdfast overlay check`: what is wrong with an overlay, in sentences; status 1 when something is.

import { checkCow, type Finding } from '../overlay/check.ts';
import { loopOf } from '../overlay/in-use.ts';
import { type CowFlags, openTarget, progressOf, scratchFile } from './overlay-target.ts';
import type { CommandContext } from './program.ts';

interface CheckFlags extends CowFlags {
  full?: boolean;
  work?: string;
}

export async function overlayCheckCommand(
  context: CommandContext,
  [text]: string[],
  flags: CheckFlags,
): Promise<number> {
  const { reporter, signal } = context;
  // Only the scratch image of --full is written.
  const dryRun = flags.full !== true || flags.work !== undefined;
  const { cow } = await openTarget(context, text, { ...flags, dryRun });
  const findings = await checkCow({
    ...cow,
    full: flags.full ?? false,
    inUse: (await loopOf(cow.file)) !== undefined,
    scratch: scratchFile(cow.file, flags.work),
    signal,
    progress: progressOf(context),
  });
  const isBad = findings.some(({ outcome }) => outcome === 'problem');
  reporter.result({ outcome: isBad ? 'failed' : 'ok', file: cow.file, findings }, [
    cow.file,
    ...findings.flatMap(lines),
  ]);
  return isBad ? 1 : 0;
}

const WORDS: Readonly<Record<Finding['outcome'], string>> = {
  ok: 'ok     ',
  warning: 'warning',
  problem: 'PROBLEM',
  unknown: 'unknown',
};

function lines({ what, outcome, message, hint }: Finding): string[] {
  const head = `  ${WORDS[outcome]}  ${what.padEnd(10)}  ${message}`;
  return outcome === 'ok' || hint === undefined ? [head] : [head, `${' '.repeat(23)}→ ${hint}`];
}
