// What every lifecycle command takes from the command line: which hooks must succeed, and how it runs.

import type { Strictness } from '../lifecycle/hooks.ts';
import type { Settings } from '../lifecycle/settings.ts';
import { DEFAULT_LABELS, type Labels, type PartitionRole } from '../slots/names.ts';
import type { EventSink } from '../system/events.ts';
import type { CommandContext } from './program.ts';

export interface LifecycleFlags {
  force?: boolean;
  /** `true` when the flag stands alone. */
  strict?: string | true;
  dryRun?: boolean;
}

/** `--strict`, `--strict=false` and its absence as the lifecycle's choice; without the flag a setting may choose. */
export function strictnessOf(flag: LifecycleFlags['strict'], settings?: Settings): Strictness {
  const chosen = settings?.value('strict');
  if (flag === undefined) return chosen === undefined ? 'chroot' : chosen ? 'all' : 'none';
  return flag === 'false' ? 'none' : 'all';
}

/** The labels of this machine. */
export function labelsOf(settings: Settings): Labels {
  const { partitions, slots } = DEFAULT_LABELS;
  const own = (role: PartitionRole) => settings.value(`labels.${role}`) ?? partitions[role];
  return {
    partitions: {
      efi: own('efi'),
      oem: own('oem'),
      recovery: own('recovery'),
      state: own('state'),
      persistent: own('persistent'),
    },
    slots: {
      active: settings.value('labels.active') ?? slots.active,
      passive: settings.value('labels.passive') ?? slots.passive,
      recovery: settings.value('labels.system') ?? slots.recovery,
    },
  };
}

/** The menu title that the owner chose; what the running system's os-release says is the image's to say. */
export function ownEntryName(
  settings: Settings,
  key: 'upgrade.grub-entry-name' | 'reset.grub-entry-name',
): string | undefined {
  const setting = settings.get(key);
  return setting === undefined || setting.origin.text.includes('os-release') ? undefined : setting.value;
}

/** How the action runs: its listener, its interruption, its name for others, and the time for its records. */
export function runOptions(
  { reporter, signal, commandLine }: CommandContext,
  flags: LifecycleFlags,
): { events: EventSink; signal: AbortSignal; dryRun: boolean; command: string; now: string } {
  return {
    events: reporter.events,
    signal,
    dryRun: flags.dryRun ?? false,
    command: commandLine,
    now: new Date().toISOString(),
  };
}
