// How the disk of an install shall look: partitions, labels, sizes, firmware, as flags and settings have it.

import type { InstallRequest, Partitioning } from '../lifecycle/install.ts';
import type { Settings } from '../lifecycle/settings.ts';
import { PARTITION_ROLES, type PartitionRole } from '../slots/names.ts';
import { MIB, type PartitionWishes } from '../slots/partitions.ts';
import { HoldfastError } from '../system/errors.ts';
import { labelsOf } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { readStageFiles } from './stage-file-option.ts';

export interface DiskFlags {
  firmware?: string;
  partTable?: string;
  partitionLayout?: string;
  /** false by --no-format. */
  format?: boolean;
  tty?: string;
  /** false by --no-boot-entry. */
  bootEntry?: boolean;
  /** elemental's name for that. */
  disableBootEntry?: boolean;
  /** cOS's names. */
  forceEfi?: boolean;
  forceGpt?: boolean;
}

type DiskRequest = Pick<
  InstallRequest,
  'partitioning' | 'firmware' | 'labels' | 'slotBytes' | 'menuEntry' | 'tty' | 'bootEntry'
>;

/**
 * @throws HoldfastError HF-USAGE for what contradicts itself, HF-UNSUPPORTED for a table of another kind than GPT, HF-STAGE
 *   for a layout that can't be read.
 */
export async function diskRequest(
  flags: DiskFlags,
  settings: Settings,
  context: Pick<CommandContext, 'reporter' | 'signal'>,
): Promise<DiskRequest> {
  refuseTable(flags, settings);
  return {
    partitioning: await choosePartitioning(flags, settings, context),
    firmware: chooseFirmware(flags, settings),
    labels: labelsOf(settings),
    slotBytes: {
      system: mib(settings.value('install.system.size')),
      recovery: mib(settings.value('install.recovery-system.size')),
    },
    menuEntry: settings.value('install.grub-entry-name'),
    tty: terminal(flags.tty ?? settings.value('install.tty')),
    bootEntry: (flags.bootEntry ?? true) && !(flags.disableBootEntry ?? settings.value('install.disable-boot-entry')),
  };
}

function refuseTable({ partTable, forceGpt }: DiskFlags, settings: Settings): void {
  const setting = settings.get('install.part-table');
  const [table, from] =
    partTable !== undefined
      ? [partTable, '--part-table']
      : forceGpt
        ? ['gpt', '']
        : [setting?.value, setting?.origin.text];
  if (table === undefined || table === 'gpt') return;
  if (table !== 'msdos') {
    throw new HoldfastError('HF-USAGE', `--part-table is gpt, not ${JSON.stringify(table)}`);
  }
  throw new HoldfastError('HF-UNSUPPORTED', `a partition table of the kind msdos is not made (${from})`, {
    hint: 'leave it out: a disk with a GPT boots by BIOS as well, from a partition of its own for GRUB',
  });
}

function chooseFirmware({ firmware, forceEfi }: DiskFlags, settings: Settings): 'efi' | 'bios' | undefined {
  if (firmware === undefined) return forceEfi ? 'efi' : settings.value('install.firmware');
  if (firmware === 'efi' || firmware === 'bios') return firmware;
  throw new HoldfastError('HF-USAGE', `--firmware is efi or bios, not ${JSON.stringify(firmware)}`);
}

async function choosePartitioning(
  flags: DiskFlags,
  settings: Settings,
  context: Pick<CommandContext, 'reporter' | 'signal'>,
): Promise<Partitioning> {
  const keep = flags.format === false || settings.value('install.no-format') === true;
  const layout = flags.partitionLayout ?? settings.value('install.partition-layout');
  if (keep && layout !== undefined) {
    throw new HoldfastError(
      'HF-USAGE',
      'the partitions are either kept (--no-format) or laid out (--partition-layout)',
      {
        hint: 'use one of the two',
      },
    );
  }
  if (keep) return { kind: 'keep' };
  const wishes = wishesOf(settings);
  if (layout === undefined) return { kind: 'new', wishes };
  const [file] = await readStageFiles([layout], context);
  if (file === undefined) throw new HoldfastError('HF-USAGE', `the layout ${layout} can't be read`);
  return { kind: 'layout', file, wishes };
}

function wishesOf(settings: Settings): Omit<PartitionWishes, 'labels'> {
  const chosen = <T>(read: (role: PartitionRole) => T | undefined): Partial<Record<PartitionRole, T>> => {
    const values: Partial<Record<PartitionRole, T>> = {};
    for (const role of PARTITION_ROLES) {
      const value = read(role);
      if (value !== undefined) values[role] = value;
    }
    return values;
  };
  return {
    sizesMib: chosen((role) => settings.value(`partitions.${role}.size`)),
    filesystems: chosen((role) => settings.value(`partitions.${role}.fs`)),
    extra: settings.value('install.extra-partitions') ?? [],
  };
}

/** What the kernel takes as `console=`, with the speed of a serial line if it is named; undefined for its own default. */
function terminal(text: string | undefined): string | undefined {
  const name = text?.replace(/^\/dev\//, '') ?? '';
  // The image's own arguments have it already.
  if (name === '' || name === 'tty1' || name === 'console') return undefined;
  if (/^[A-Za-z][A-Za-z0-9]{0,15}(?:,\d{1,7}[noe]?\d?r?)?$/.test(name)) return name;
  throw new HoldfastError('HF-USAGE', `--tty ${JSON.stringify(text)} is no terminal`, {
    hint: 'for example --tty ttyS1 or --tty ttyS1,115200',
  });
}

function mib(size: number | undefined): number | undefined {
  return size === undefined ? undefined : size * MIB;
}
