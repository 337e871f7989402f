// The ISO file itself: a directory as ISO 9660 with Rock Ridge, which starts by UEFI and BIOS, from a CD and from a stick
// that it was copied to. By xorriso, in the way that GRUB's own grub-mkrescue and Elemental use it.

import { statSync } from 'node:fs';
import type { ApplyContext } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { ELTORITO_PATH } from './iso-boot.ts';
import { reproducibleEnvironment } from './source-time.ts';

export interface IsoVolumeOptions {
  /** What is on it. */
  directory: string;
  file: string;
  label: string;
  /** Of the partition table. */
  uuid: string;
  timeSeconds: number;
  /** A FAT file system with the files for UEFI. */
  efiImage: string;
  /** GRUB's boot sector for sticks; its program is on the medium. Without it there is no boot by BIOS. */
  biosBootSector?: string | undefined;
}

/** The arguments of xorriso. Pure. */
export function isoArguments(options: IsoVolumeOptions): [string, ...string[]] {
  const { directory, file, label, uuid, timeSeconds, efiImage, biosBootSector } = options;
  const bios = [
    ...['-b', ELTORITO_PATH.slice(1), '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', '--grub2-boot-info'],
    ...['--grub2-mbr', biosBootSector ?? '', '--mbr-force-bootable', '-eltorito-alt-boot'],
  ];
  return [
    'xorriso',
    // Nobody's start-up file.
    '-no_rc',
    '-as',
    'mkisofs',
    ...['-o', file, '-V', label],
    // Owners and write bits are the builder's; here they are root's and none.
    ...['-r', '-iso-level', '3', '-full-iso9660-filenames'],
    ...['-c', 'boot/boot.catalog'],
    ...(biosBootSector === undefined ? [] : bios),
    ...['-e', '--interval:appended_partition_2:all::', '-no-emul-boot'],
    ...['-append_partition', '2', '0xef', efiImage, '-appended_part_as_gpt'],
    // So that the file system can be mounted as the first partition of a stick, too.
    ...['-partition_offset', '16'],
    ...[`--gpt_disk_guid`, uuid, `--modification-date=${isoDate(timeSeconds)}`],
    ...['--set_all_file_dates', isoDate(timeSeconds)],
    directory,
  ];
}

/** As ISO 9660 writes a time: YYYYMMDDhhmmsscc. */
function isoDate(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().replaceAll(/\D/g, '').slice(0, 14)}00`;
}

/** @throws HoldfastError HF-COMMAND with xorriso's words. */
export async function makeIsoVolume(
  { signal, progress }: Pick<ApplyContext, 'signal' | 'progress'>,
  options: IsoVolumeOptions,
  expectedBytes: number,
): Promise<void> {
  const watch = setInterval(() => {
    const stat = statSync(options.file, { throwIfNoEntry: false });
    if (stat !== undefined) progress({ done: Math.min(stat.size, expectedBytes), total: expectedBytes, unit: 'bytes' });
  }, 1000);
  try {
    await runChecked(isoArguments(options), {
      signal,
      env: reproducibleEnvironment(options.timeSeconds),
      maxOutputBytes: 1 << 16,
    });
  } finally {
    clearInterval(watch);
  }
}
