// `holdfast deploy`: flags and settings in, plan out, result printed.

import { rebuild } from '../lifecycle/apply-rebuild.ts';
import { choosePower, type PowerFlags, powerDown } from '../lifecycle/power.ts';
import { type ImageFlags, namedImage, openNamedImage } from './image-option.ts';
import { type LifecycleFlags, labelsOf, ownEntryName, runOptions, strictnessOf } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { printRebuild } from './reset.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { readStageFiles } from './stage-file-option.ts';
import { mayDowngrade } from './trust-option.ts';

interface DeployFlags extends ImageFlags, LifecycleFlags, SettingsFlags, PowerFlags {
  cloudInit?: string[];
}

export async function deployCommand(
  context: CommandContext,
  [argument]: string[],
  flags: DeployFlags,
): Promise<number> {
  const { reporter, signal } = context;
  const settings = await machineSettings(context, flags);
  const power = choosePower(flags, settings);
  const named = namedImage(argument, flags) !== undefined;
  const result = await rebuild(
    {
      action: 'deploy',
      strictness: strictnessOf(flags.strict, settings),
      force: flags.force ?? false,
      formatState: false,
      wipe: [],
      cloudInit: await readStageFiles(flags.cloudInit ?? [], context),
      allowDowngrade: mayDowngrade(flags, settings),
      menuTitle: ownEntryName(settings, 'reset.grub-entry-name'),
    },
    named ? await openNamedImage(argument, flags, context, { settings }) : undefined,
    { ...runOptions(context, flags), labels: labelsOf(settings), hookSources: settings.value('cloud-init-paths') },
  );
  printRebuild(context, 'Deploy', result);
  if (power !== undefined && result.outcome !== 'planned') await powerDown(power, { events: reporter.events, signal });
  return 0;
}
