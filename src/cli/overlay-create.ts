// `holdfast overlay create`: the file that a root overlay writes to, for a base of this machine or another.

import { setOverlayArgument } from '../lifecycle/overlay-argument.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { openBase } from '../overlay/base-place.ts';
import { CREATE_PERFORMERS, type CreateState, fileToCreate, inspectCreate, planCreate } from '../overlay/create-set.ts';
import { setOrDefault } from '../overlay/default-set.ts';
import { openSet, stableArgument } from '../overlay/set-place.ts';
import { parseSize } from '../overlay/sizes.ts';
import { HoldfastError } from '../system/errors.ts';
import { apply } from '../system/plan.ts';
import { labelsOf, runOptions } from './lifecycle-options.ts';
import { asOnlyAction } from './overlay-target.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { machineSettings } from './settings-option.ts';

interface CreateFlags {
  size?: string;
  base?: string;
  enable?: boolean;
  dryRun?: boolean;
}

export async function overlayCreateCommand(
  context: CommandContext,
  [text]: string[],
  flags: CreateFlags,
): Promise<number> {
  const { reporter, undo, signal } = context;
  const { events } = reporter;
  const wished = flags.size === undefined || flags.size === 'full' ? undefined : parseSize(flags.size);
  const labels = labelsOf(await machineSettings(context, {}));
  const place = await openSet(undo, setOrDefault(text), { write: flags.dryRun !== true });
  const base =
    flags.base === 'none'
      ? undefined
      : await openBaseOr(flags, wished, () => openBase(undo, flags.base ?? 'active', { labels }));
  const plan = planCreate(inspectCreate(place.set, place.shown, base), wished);
  const file = fileToCreate(place.set, base);
  const result = { file, base: base?.name, fingerprint: base?.fingerprint, argument: place.argument };
  for (const note of plan.notes) events({ type: 'notice', level: 'info', text: note });
  if (flags.dryRun) {
    reporter.result({ ...result, outcome: 'planned', plan: plan.actions }, planLines(plan));
    return 0;
  }
  const state: CreateState = { base, now: new Date() };
  await asOnlyAction(context, () => apply(plan, CREATE_PERFORMERS, { state, events, signal }));
  const argument = flags.enable ? await stableArgument(place.argument) : place.argument;
  if (flags.enable) await setOverlayArgument(argument, { ...runOptions(context, flags), labels });
  const size = plan.actions[0]?.cost?.bytes ?? 0;
  reporter.result({ ...result, outcome: 'ok', sizeBytes: size, enabled: flags.enable ?? false }, [
    `Created ${file} (${formatBytes(size)}).`,
    flags.enable
      ? `The next boots use it: rd.live.overlay=${argument}`
      : `To use it, boot with: rd.live.overlay=${place.argument}`,
  ]);
  return 0;
}

/** On a machine without an installed system a file of a given size is made, which the first boot binds. */
async function openBaseOr<T>(
  flags: CreateFlags,
  wished: number | undefined,
  open: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await open();
  } catch (error) {
    const isMissing = error instanceof HoldfastError && error.code === 'HF-STATE';
    if (isMissing && flags.base === undefined && wished !== undefined && flags.enable !== true) return undefined;
    throw error;
  }
}
