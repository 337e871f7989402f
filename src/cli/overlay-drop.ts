// `holdfast overlay drop`: removes the changes for one system, or a whole set; and takes the argument out of the boot menu.

import { setOverlayArgument } from '../lifecycle/overlay-argument.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { openBase } from '../overlay/base-place.ts';
import { setOrDefault } from '../overlay/default-set.ts';
import { type DropChoice, dropFiles, planDrop } from '../overlay/drop.ts';
import { shortFingerprint } from '../overlay/fingerprint.ts';
import { lockSet } from '../overlay/set-lock.ts';
import { openSet } from '../overlay/set-place.ts';
import { HoldfastError } from '../system/errors.ts';
import { labelsOf, runOptions } from './lifecycle-options.ts';
import { asOnlyAction, progressOf } from './overlay-target.ts';
import type { CommandContext } from './program.ts';
import { machineSettings } from './settings-option.ts';

interface DropFlags {
  base?: string;
  all?: boolean;
  yes?: boolean;
  erase?: boolean;
  disable?: boolean;
  dryRun?: boolean;
}

export async function overlayDropCommand(context: CommandContext, [text]: string[], flags: DropFlags): Promise<number> {
  const { reporter, undo, signal } = context;
  const labels = labelsOf(await machineSettings(context, {}));
  const disable = async () => {
    if (flags.disable) await setOverlayArgument(undefined, { ...runOptions(context, flags), labels });
  };
  if (flags.disable && !flags.all && flags.base === undefined) {
    if (flags.dryRun !== true) await disable();
    reporter.result({ outcome: flags.dryRun ? 'planned' : 'ok', disabled: true }, [
      flags.dryRun
        ? 'The next boots would use no overlay (nothing was changed).'
        : 'The next boots use no overlay; its files are kept.',
    ]);
    return 0;
  }
  const place = await openSet(undo, setOrDefault(text), { write: flags.dryRun !== true });
  const choice = await chosen(flags, (base) => openBase(undo, base, { labels }));
  const items = planDrop(place.set, choice);
  if (items.length === 0)
    throw new HoldfastError('HF-STATE', `${place.shown} has no such files`, {
      hint: `holdfast overlay list ${place.shown}`,
    });
  const list = items.map(({ file, sizeBytes }) => `  ${file}  (${formatBytes(sizeBytes)})`);
  if (flags.dryRun) {
    reporter.result({ outcome: 'planned', items }, ['These would be removed (nothing was changed):', ...list]);
    return 0;
  }
  if (flags.yes !== true) {
    throw new HoldfastError('HF-USAGE', `the changes in ${items.length} files would be lost`, {
      hint: 'holdfast overlay drop --dry-run lists them; --yes removes them',
    });
  }
  // First: a boot with the argument and without the file would only warn.
  await disable();
  await asOnlyAction(context, async () => {
    await lockSet(undo, place.set);
    await dropFiles(items, { erase: flags.erase ?? false, signal, progress: progressOf(context) });
  });
  reporter.result({ outcome: 'ok', items, disabled: flags.disable ?? false }, ['Removed:', ...list]);
  return 0;
}

async function chosen(
  flags: DropFlags,
  open: (base: string) => Promise<{ fingerprint: Parameters<typeof shortFingerprint>[0] }>,
): Promise<DropChoice> {
  if (flags.all) return 'all';
  if (flags.base === undefined) {
    throw new HoldfastError('HF-USAGE', 'which of the set’s files?', {
      hint: '--base active, --base passive, --base seed, 16 digits of list, or --all',
    });
  }
  if (flags.base === 'seed') return { digits: [undefined] };
  if (/^[0-9a-f]{16}$/.test(flags.base)) return { digits: [flags.base] };
  return { digits: [shortFingerprint((await open(flags.base)).fingerprint)] };
}
