// `holdfast upgrade`: flags in, plan out, result printed.

import { upgrade } from '../lifecycle/apply-upgrade.ts';
import { displayName } from '../lifecycle/image-name.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { type ImageFlags, openNamedImage } from './image-option.ts';
import { type LifecycleFlags, runOptions, strictnessOf } from './lifecycle-options.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { warningLines } from './warning-lines.ts';

type UpgradeFlags = ImageFlags & LifecycleFlags;

export async function upgradeCommand(
  context: CommandContext,
  [argument]: string[],
  flags: UpgradeFlags,
): Promise<number> {
  const { reporter } = context;
  const image = await openNamedImage(argument, flags, context);
  const result = await upgrade(
    { image, strictness: strictnessOf(flags.strict), force: flags.force ?? false },
    runOptions(context, flags),
  );
  const { outcome, plan, warnings, durationMs, prettyName, facts } = result;
  if (outcome === 'planned') {
    reporter.result({ outcome, plan }, planLines(plan));
    return 0;
  }
  if (outcome === 'up-to-date') {
    const waiting = facts.booted.replaced ? '; reboot to start it' : '';
    reporter.result({ outcome, image: facts.image }, [
      `Up to date: the active system already is ${displayName(facts.image.source)}${waiting}.`,
      '  --force builds it anew',
    ]);
    return 0;
  }
  const seconds = (durationMs / 1000).toFixed(1);
  const kept = plan.actions.some(({ kind }) => kind === 'copy-to-passive')
    ? 'the system that is running now'
    : 'unchanged';
  reporter.result({ outcome, warnings, durationMs, system: prettyName, image: facts.image }, [
    ...warningLines('Upgrade', warnings),
    `  active     ${prettyName} in ${seconds} s, ${formatBytes(facts.measured.compressedBytes)} read`,
    `  passive    ${kept}`,
    '  next       reboot to start the new system',
  ]);
  return 0;
}
