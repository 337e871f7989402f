// `holdfast overlay plan`: what an image would make of this machine's overlay. The new system is built as an upgrade would,
// hooks and all, looked at, and thrown away: nothing less tells the truth.

import { previewOverlay } from '../lifecycle/apply-upgrade.ts';
import { overlayJson } from '../lifecycle/carry-engine.ts';
import { displayName } from '../lifecycle/image-name.ts';
import { OVERLAY_EXIT } from '../lifecycle/overlay-exit.ts';
import { skippedLines } from '../overlay/rebase/report.ts';
import { type ImageFlags, openImageText, openNamedImage } from './image-option.ts';
import { type LifecycleFlags, labelsOf, runOptions, strictnessOf } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { parseTakes } from './take-option.ts';
import { mayDowngrade } from './trust-option.ts';

interface OverlayPlanFlags extends ImageFlags, LifecycleFlags, SettingsFlags {
  to?: string;
  take?: readonly string[];
  all?: boolean;
}

export async function overlayPlanCommand(
  context: CommandContext,
  _: string[],
  flags: OverlayPlanFlags,
): Promise<number> {
  const settings = await machineSettings(context, flags);
  const image =
    flags.to === undefined
      ? await openNamedImage(undefined, flags, context, { settings, setting: 'upgrade.system' })
      : await openImageText(flags.to, flags, context, settings);
  const result = await previewOverlay(
    {
      image,
      strictness: strictnessOf(flags.strict, settings),
      force: true,
      takes: parseTakes(flags.take),
      minimumBytes: (settings.value('upgrade.system.size') ?? 0) * 2 ** 20,
      allowDowngrade: mayDowngrade(flags, settings),
    },
    { ...runOptions(context, flags), labels: labelsOf(settings), hookSources: settings.value('cloud-init-paths') },
  );
  const { overlay, facts, outcome, plan } = result;
  if (overlay === undefined) {
    const text =
      facts.overlay === undefined
        ? 'This machine has no overlay.'
        : `There is nothing in the overlay to carry to ${displayName(facts.image.source)}.`;
    context.reporter.result({ outcome, plan }, [text]);
    return 0;
  }
  context.reporter.result({ outcome, image: facts.image, overlay: overlayJson(overlay) }, [
    ...overlay.report,
    ...(flags.all ? ['left behind:', ...skippedLines(overlay.rebase)] : []),
    ...statusLine(overlay.decided),
  ]);
  return overlay.decided > 0 ? OVERLAY_EXIT.decided : 0;
}

function statusLine(conflicts: number): string[] {
  if (conflicts === 0) return [];
  return [
    `status ${OVERLAY_EXIT.decided}: rules decided ${conflicts} conflicts; an upgrade does as said here, and keeps what loses`,
  ];
}
