// `holdfast reset`: flags and settings in, plan out, result printed.

import { type RebuildResult, rebuild } from '../lifecycle/apply-rebuild.ts';
import { choosePower, type PowerFlags, powerDown } from '../lifecycle/power.ts';
import { configuredImage } from '../lifecycle/settings-image.ts';
import { type ImageFlags, namedImage, openNamedImage } from './image-option.ts';
import { type LifecycleFlags, labelsOf, ownEntryName, runOptions, strictnessOf } from './lifecycle-options.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { readStageFiles } from './stage-file-option.ts';
import { mayDowngrade } from './trust-option.ts';
import { warningLines } from './warning-lines.ts';

interface ResetFlags extends ImageFlags, LifecycleFlags, SettingsFlags, PowerFlags {
  persistent?: boolean;
  resetPersistent?: boolean;
  oem?: boolean;
  resetOem?: boolean;
  formatState?: boolean;
  cloudInit?: string[];
  tty?: string;
}

export async function resetCommand(context: CommandContext, _: string[], flags: ResetFlags): Promise<number> {
  const { reporter, signal } = context;
  const settings = await machineSettings(context, flags);
  const power = choosePower(flags, settings);
  const named = namedImage(undefined, flags) ?? configuredImage(settings, 'reset.system')?.value;
  const image =
    named === undefined
      ? undefined
      : await openNamedImage(undefined, flags, context, { settings, setting: 'reset.system' });
  const persistent = flags.persistent ?? flags.resetPersistent ?? settings.value('reset.persistent') ?? false;
  const oem = flags.oem ?? flags.resetOem ?? settings.value('reset.oem') ?? false;
  const result = await rebuild(
    {
      action: 'reset',
      strictness: strictnessOf(flags.strict, settings),
      force: flags.force ?? settings.value('reset.force') ?? false,
      formatState: flags.formatState ?? false,
      wipe: [...(persistent ? ['persistent' as const] : []), ...(oem ? ['oem' as const] : [])],
      cloudInit: await readStageFiles(flags.cloudInit ?? settings.value('reset.cloud-init') ?? [], context),
      minimumBytes: (settings.value('reset.system.size') ?? 0) * 2 ** 20,
      menuTitle: ownEntryName(settings, 'reset.grub-entry-name'),
      allowDowngrade: mayDowngrade(flags, settings),
      tty: flags.tty ?? settings.value('reset.tty'),
    },
    image,
    { ...runOptions(context, flags), labels: labelsOf(settings), hookSources: settings.value('cloud-init-paths') },
  );
  printRebuild(context, 'Reset', result);
  if (power !== undefined && result.outcome !== 'planned') await powerDown(power, { events: reporter.events, signal });
  return 0;
}

/** Prints what a reset or a deploy did, or would do. */
export function printRebuild({ reporter }: CommandContext, name: string, result: RebuildResult): void {
  const { outcome, plan, warnings, durationMs, prettyName } = result;
  if (outcome === 'planned') {
    reporter.result({ outcome, plan }, planLines(plan));
    return;
  }
  const wiped = plan.actions.flatMap((action) => (action.kind === 'wipe' ? [action.role] : []));
  reporter.result({ outcome, warnings, durationMs, system: prettyName, wiped }, [
    ...warningLines(name, warnings),
    `  active     ${prettyName} in ${(durationMs / 1000).toFixed(1)} s`,
    '  passive    the same',
    ...(wiped.length > 0 ? [`  wiped      ${wiped.join(', ')}`] : []),
    '  next       reboot to start it',
  ]);
}
