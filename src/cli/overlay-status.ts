// `holdfast overlay status`: what became of this boot's overlay, how full it is, what the set has for each system, which
// overlay the next boots use, and with --files what was changed.

import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import { findDefaultSet } from '../overlay/default-set.ts';
import { describeRunning } from '../overlay/describe-running.ts';
import { configuredOverlay } from '../overlay/grub-argument.ts';
import { inspectMembers } from '../overlay/overlay-set.ts';
import { inspectRunning, troubleOf } from '../overlay/running.ts';
import { openSet } from '../overlay/set-place.ts';
import { BOOTED_PARTITION } from '../slots/names.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { mountAt } from '../system/mounts.ts';
import { describeCandidate } from './overlay-list.ts';
import type { CommandContext } from './program.ts';

interface StatusFlags {
  files?: boolean;
}

const row = (word: string, text: string) => `${word.padEnd(10)} ${text}`;

export async function overlayStatusCommand(context: CommandContext, _: string[], flags: StatusFlags): Promise<number> {
  const { reporter, signal, undo } = context;
  const running = await inspectRunning();
  const trouble = running && troubleOf(running);
  const next = nextBoots();
  const members = await findMembers(context);
  const files = flags.files
    ? await (await import('../overlay/changed-files.ts')).listChangedFiles(undo, signal)
    : undefined;
  const lines = [
    row('overlay', running === undefined ? 'none: this boot was not asked for one' : describeRunning(running)),
    ...(trouble === undefined ? [] : [row('PROBLEM', trouble)]),
    ...(running?.attached.file === undefined ? [] : [row('file', running.attached.file)]),
    ...(running?.attached.fp === undefined ? [] : [row('system', running.attached.fp.slice(0, 16))]),
    ...(members === undefined ? [] : members.map((text, index) => row(index === 0 ? 'set' : '', text))),
    row('next boots', next.text),
    ...(files ?? []).map(({ kind, path }) => row(kind, path)),
  ];
  reporter.result({ running, trouble, members, next: next.argument, files }, lines);
  return trouble === undefined ? 0 : 1;
}

/** From GRUB's blocks where they are mounted since the boot. */
function nextBoots(): { argument: string | undefined; text: string } {
  if (mountAt(BOOTED_PARTITION) === undefined) return { argument: undefined, text: 'unknown: not an installed system' };
  try {
    const oemDirectory = mountAt('/oem') === undefined ? undefined : '/oem';
    const found = configuredOverlay({ stateDirectory: BOOTED_PARTITION, oemDirectory });
    return { argument: found?.text, text: found?.text ?? 'no overlay, unless the boot menu is told' };
  } catch (error) {
    return { argument: undefined, text: `unknown: ${messageOf(error)}` };
  }
}

/** The set's files, in words; what can't be looked at is said there too. */
async function findMembers({ undo }: CommandContext): Promise<string[] | undefined> {
  const text = findDefaultSet();
  if (text === undefined) return undefined;
  try {
    const { set } = await openSet(undo, text, { write: false });
    const own = readAttachedOverlay()?.file;
    return inspectMembers(set).map(
      ({ digits, candidate }) =>
        `${(digits ?? 'seed').padEnd(16)}  ${describeCandidate(candidate)}${candidate.file === own ? '  (running)' : ''}`,
    );
  } catch (error) {
    if (error instanceof HoldfastError) return [`${text}: ${error.message}`];
    throw error;
  }
}
