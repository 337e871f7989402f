// `holdfast convert-disk`: a raw disk image for a platform.

import { formatBytes } from '../lifecycle/sizes.ts';
import { convertRawDisk } from '../media/disk-conversion.ts';
import { parseDiskFormat } from '../media/disk-formats.ts';
import { HoldfastError } from '../system/errors.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';

export interface ConvertDiskFlags {
  type: string;
  output?: string;
  keepSource?: boolean;
  force?: boolean;
  dryRun?: boolean;
}

export async function convertDiskCommand(
  { reporter, signal }: CommandContext,
  [raw = '']: string[],
  flags: ConvertDiskFlags,
): Promise<number> {
  const format = parseDiskFormat(flags.type);
  if (format === 'raw') {
    throw new HoldfastError('HF-USAGE', 'a raw disk image is what is converted, not what comes of it', {
      hint: '--type qcow2, azure, gce or ova',
    });
  }
  const keepSource = flags.keepSource ?? false;
  const { outcome, plan, durationMs, published } = await convertRawDisk(
    { raw, format, output: flags.output, keepSource, force: flags.force ?? false },
    { events: reporter.events, signal, dryRun: flags.dryRun ?? false },
  );
  if (published === undefined) {
    reporter.result({ outcome, plan }, planLines(plan));
    return 0;
  }
  reporter.result({ outcome, durationMs, ...published, keptSource: keepSource }, [
    `Converted ${raw} to ${published.file} in ${(durationMs / 1000).toFixed(1)} s.`,
    `  file     ${formatBytes(published.sizeBytes)} (${format})`,
    `  sha256   ${published.sha256}`,
  ]);
  return 0;
}
