// `holdfast pull IMAGE DIR`: an image unpacked into a directory, verified like one that shall be installed.

import { estimatePull, inspectPullTarget, type PullState, planPull, pullPerformers } from '../image/pull.ts';
import { apply } from '../system/plan.ts';
import { type ImageFlags, openImageText } from './image-option.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { warningLines } from './warning-lines.ts';

export interface PullFlags extends ImageFlags, SettingsFlags {
  resume?: boolean;
  dryRun?: boolean;
}

export async function pullCommand(
  context: CommandContext,
  [text = '', directory = '']: string[],
  flags: PullFlags,
): Promise<number> {
  const { reporter, signal, undo } = context;
  // Before anything is asked of a registry.
  const target = inspectPullTarget(directory);
  const settings = await machineSettings(context, flags);
  const image = await openImageText(text, flags, context, settings);
  const estimate = await estimatePull(image, signal);
  const plan = planPull({ image, target, estimate, resume: flags.resume ?? false });
  if (flags.dryRun) {
    reporter.result({ outcome: 'planned', plan, estimate }, planLines(plan));
    return 0;
  }
  const state: PullState = { image, undo, files: 0 };
  const { warnings, durationMs } = await apply(plan, pullPerformers, { state, events: reporter.events, signal });
  const { source, digest } = image;
  const seconds = (durationMs / 1000).toFixed(1);
  reporter.result(
    { outcome: 'ok', warnings, durationMs, directory: target.directory, files: state.files, image: { source, digest } },
    [
      `Pulled ${source} into ${target.directory}: ${state.files} files in ${seconds} s.`,
      ...warningLines('Pull', warnings).slice(1),
    ],
  );
  return 0;
}
