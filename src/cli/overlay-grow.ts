// `holdfast overlay grow`: more room for changes, also while the system runs on them.

import { statSync } from 'node:fs';
import { formatBytes } from '../lifecycle/sizes.ts';
import { openCow } from '../overlay/cow-place.ts';
import { setOrDefault } from '../overlay/default-set.ts';
import { growCow } from '../overlay/grow.ts';
import { openSet } from '../overlay/set-place.ts';
import { fullCoverBytes, goodBytes, parseSize } from '../overlay/sizes.ts';
import { HoldfastError } from '../system/errors.ts';
import { labelsOf } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { machineSettings } from './settings-option.ts';

interface GrowFlags {
  size?: string;
  base?: string;
  dryRun?: boolean;
}

export async function overlayGrowCommand(context: CommandContext, [text]: string[], flags: GrowFlags): Promise<number> {
  const { reporter, undo, signal } = context;
  const labels = labelsOf(await machineSettings(context, {}));
  const place = await openSet(undo, setOrDefault(text), { write: flags.dryRun !== true });
  const { file, base, binding } = await openCow(undo, place, flags.base, { labels });
  const before = statSync(file).size;
  const baseBytes = base?.sizeBytes ?? binding?.baseSizeBytes;
  const sizeBytes = wishedSize(flags.size ?? 'full', before, baseBytes);
  if (flags.dryRun) {
    const line =
      sizeBytes > before
        ? `${file} would grow from ${formatBytes(before)} to ${formatBytes(sizeBytes)}`
        : `${file} is large enough`;
    reporter.result({ outcome: 'planned', file, before, sizeBytes }, [`${line} (nothing was changed)`]);
    return 0;
  }
  const grown = await growCow(file, sizeBytes, { signal });
  reporter.result({ outcome: 'ok', file, before, ...grown }, [
    grown.sizeBytes > before
      ? `${file} grew from ${formatBytes(before)} to ${formatBytes(grown.sizeBytes)}.`
      : `${file} is large enough already: ${formatBytes(before)}.`,
  ]);
  return 0;
}

/** `full`, `+500M` or `2G`. */
function wishedSize(text: string, before: number, baseBytes: number | undefined): number {
  const cover = baseBytes === undefined ? undefined : fullCoverBytes(baseBytes);
  if (text === 'full') {
    if (cover !== undefined) return Math.max(before, cover);
    throw new HoldfastError('HF-USAGE', 'how large its system is can’t be found out', { hint: 'give --size' });
  }
  const wished = goodBytes(text.startsWith('+') ? before + parseSize(text.slice(1)) : parseSize(text));
  if (wished < before) {
    throw new HoldfastError(
      'HF-USAGE',
      `it has ${formatBytes(before)} already, and a COW can’t be made smaller in place`,
      {
        hint: 'holdfast overlay compact --size writes it anew',
      },
    );
  }
  return cover === undefined ? wished : Math.max(before, Math.min(wished, cover));
}
