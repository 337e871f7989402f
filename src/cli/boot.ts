// `holdfast boot`: which system boots next, and why.

import type { NextBoot } from '../lifecycle/boot-choice.ts';
import { chooseBoot } from '../lifecycle/choose-boot.ts';
import { SLOT_NAMES, type SlotName } from '../slots/names.ts';
import { HoldfastError } from '../system/errors.ts';
import { type LifecycleFlags, labelsOf, runOptions } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';

interface BootFlags extends LifecycleFlags, SettingsFlags {
  once?: string;
  default?: string;
}

export async function bootCommand(context: CommandContext, _: string[], flags: BootFlags): Promise<number> {
  const { reporter } = context;
  const once = slotNamed(flags.once);
  const always = slotNamed(flags.default);
  const settings = await machineSettings(context, flags);
  const { outcome, next } = await chooseBoot(
    { once, always },
    { ...runOptions(context, flags), labels: labelsOf(settings) },
  );
  const asked = [
    ...(once === undefined ? [] : [`the next boot would start ${once}`]),
    ...(always === undefined ? [] : [`every boot would start ${always}`]),
  ];
  reporter.result(
    { outcome, next },
    outcome === 'planned' ? [`${asked.join('; ')} (nothing was changed)`] : nextLines(next),
  );
  return 0;
}

function slotNamed(text: string | undefined): SlotName | undefined {
  if (text === undefined) return undefined;
  const slot = SLOT_NAMES.find((name) => name === text);
  if (slot !== undefined) return slot;
  throw new HoldfastError('HF-USAGE', `${JSON.stringify(text)} is no slot`, {
    hint: `one of ${SLOT_NAMES.join(', ')}`,
  });
}

const REASONS: Readonly<Record<NextBoot['why'], string>> = {
  next_entry: 'it was chosen for one boot (next_entry)',
  'boot assessment': 'the active system did not prove itself (boot assessment)',
  saved_entry: 'it was chosen for every boot (saved_entry)',
  'first entry': 'it is the first entry of the menu',
};

function nextLines({ slot, entry, why }: NextBoot): string[] {
  return [`next       ${slot ?? `the menu entry ${entry}`}`, `because    ${REASONS[why]}`];
}
