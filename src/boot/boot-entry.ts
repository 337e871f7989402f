// The firmware's own list of what it boots, kept with efibootmgr(8). A disk boots without an entry, from the removable
// path; an entry puts it first and gives it a name. So whatever goes wrong here is a warning.

import { accessSync, constants } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { commandFailed, run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';
import { REMOVABLE_PATH } from './install-grub.ts';

/** UEFI's variables as files; read-only or absent where they can't be written. */
const EFI_VARIABLES = '/sys/firmware/efi/efivars';

export interface BootEntry {
  /** Four hexadecimal digits. */
  number: string;
  label: string;
  /** The GPT partition with the loader, in lower case; undefined for an entry of another kind. */
  partition: string | undefined;
}

/**
 * Reads what `efibootmgr -v` prints, up to version 17 (`…/File(\EFI\…)`) and since 18 (`…/\EFI\…`, a line of bytes below
 * each entry). Lines of another kind are left out.
 */
export function parseBootEntries(text: string): BootEntry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^Boot([0-9A-F]{4})[* ] ([^\t]*)(?:\t(.*))?$/.exec(line);
    const [, number, label, path = ''] = match ?? [];
    if (number === undefined || label === undefined) return [];
    const partition = /HD\(\d+,GPT,([0-9a-fA-F-]{36}),/.exec(path)?.[1];
    return [{ number, label: label.trimEnd(), partition: partition?.toLowerCase() }];
  });
}

/** Entries that a new one replaces: those of its name that point to this disk's partitions, old or new. */
export function replacedEntries(
  entries: readonly BootEntry[],
  label: string,
  partitions: readonly string[],
): BootEntry[] {
  const ours = partitions.map((partition) => partition.toLowerCase());
  return entries.filter((entry) => entry.label === label && entry.partition && ours.includes(entry.partition));
}

/** Why the firmware of this machine can't be given an entry, or undefined when it can. */
export function bootEntryObstacle(variables: string = EFI_VARIABLES): string | undefined {
  try {
    accessSync(variables, constants.W_OK);
  } catch {
    return 'this machine was not booted by UEFI, or its variables can’t be written';
  }
  return findProgram('efibootmgr') === undefined ? 'the program efibootmgr is not installed' : undefined;
}

export interface AddBootEntryOptions {
  /** The disk's block device. */
  disk: string;
  /** The number of its ESP. */
  partitionNumber: number;
  label: string;
  /** The ESP's GPT identities: its own, and those that partitions of the disk had before. */
  partitions: readonly string[];
}

/**
 * Makes the disk the firmware's first choice, in place of entries of the same name for the same disk.
 * @throws HoldfastError HF-COMMAND with efibootmgr's own words.
 */
export async function addBootEntry(options: AddBootEntryOptions): Promise<void> {
  const efibootmgr = async (...argv: string[]) => {
    const result = await run(['efibootmgr', ...argv], { env: { ...process.env, LC_ALL: 'C' } });
    if (result.status === 0) return result.stdout;
    throw new HoldfastError('HF-COMMAND', 'the firmware’s boot entries could not be changed', {
      cause: commandFailed(result),
    });
  };
  const entries = parseBootEntries(await efibootmgr('-v'));
  const loader = `\\${REMOVABLE_PATH.replaceAll('/', '\\')}`;
  // Short options: the long ones of the versions in use differ.
  await efibootmgr('-c', '-d', options.disk, '-p', String(options.partitionNumber), '-L', options.label, '-l', loader);
  // Only now: without the new one the old ones may be all that boots this machine.
  for (const { number } of replacedEntries(entries, options.label, options.partitions)) {
    await efibootmgr('-q', '-b', number, '-B');
  }
}
