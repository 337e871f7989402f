// Which entry of the boot menu comes next, and why: what grub.cfg decides from GRUB's variables, in its order. `holdfast
// boot` shows it and changes it; actions that choose a system take back what would boot another.

import { join } from 'node:path';
import { nextAssessment } from '../boot/assessment.ts';
import { readGrubEnvironment, writeGrubEnvironment } from '../boot/grub-environment.ts';
import { MENU_ENTRIES, SLOT_NAMES, type SlotName } from '../slots/names.ts';

/** The variables that grub.cfg looks at, by the block that they are in. */
export interface BootVariables {
  /** STATE's grub_oem_env: the tools'. */
  tool: ReadonlyMap<string, string>;
  /** OEM's grubenv: the administrator's, which wins. */
  owner: ReadonlyMap<string, string>;
  /** STATE's boot_assessment. */
  assessment: ReadonlyMap<string, string>;
}

export interface NextBoot {
  /** Undefined for an entry of the administrator's own. */
  slot: SlotName | undefined;
  /** As GRUB names it. */
  entry: string;
  why: 'next_entry' | 'boot assessment' | 'saved_entry' | 'first entry';
}

/** The slot behind an entry as GRUB takes it: its id or its number. */
export function slotOfEntry(entry: string): SlotName | undefined {
  return SLOT_NAMES.find((slot, index) => MENU_ENTRIES[slot] === entry || String(index) === entry);
}

/** What boots next. Pure. @param activeUuid of the active slot's file: a trial is bound to it. */
export function nextBoot(variables: BootVariables, activeUuid: string | undefined): NextBoot {
  const { tool, owner, assessment } = variables;
  const of = (name: string) => owner.get(name) || tool.get(name) || '';
  const chosen = (entry: string, why: NextBoot['why']): NextBoot => ({ slot: slotOfEntry(entry), entry, why });
  const once = of('next_entry');
  if (once !== '') return chosen(once, 'next_entry');
  const saved = of('saved_entry');
  if (saved !== '' && slotOfEntry(saved) !== 'active') return chosen(saved, 'saved_entry');
  if (nextAssessment(new Map([...owner, ...assessment]), activeUuid) === 'fallback')
    return chosen(MENU_ENTRIES.passive, 'boot assessment');
  return saved === '' ? chosen(MENU_ENTRIES.active, 'first entry') : chosen(saved, 'saved_entry');
}

/** Reads the blocks of this machine; a block that is missing or damaged is empty, as it is for GRUB. */
export function readBootVariables(stateDirectory: string, oemDirectory: string | undefined): BootVariables {
  const read = (file: string) => {
    try {
      return readGrubEnvironment(file);
    } catch {
      return new Map<string, string>();
    }
  };
  return {
    tool: read(join(stateDirectory, 'grub_oem_env')),
    owner: oemDirectory === undefined ? new Map() : read(join(oemDirectory, 'grubenv')),
    assessment: read(join(stateDirectory, 'boot_assessment')),
  };
}

/** A variable that boots something else than the first entry, and the block that it is in. */
export interface Override {
  name: 'saved_entry' | 'next_entry';
  value: string;
  block: 'tool' | 'owner';
}

/** What would keep the active slot from being booted next, or always. */
export function overridesOf(variables: BootVariables): Override[] {
  return (['owner', 'tool'] as const).flatMap((block) =>
    (['saved_entry', 'next_entry'] as const).flatMap((name) => {
      const value = variables[block].get(name) ?? '';
      return value === '' || slotOfEntry(value) === 'active' ? [] : [{ name, value, block }];
    }),
  );
}

/** Takes overrides out of their blocks. */
export function clearOverrides(
  overrides: readonly Override[],
  directories: { stateDirectory: string; oemDirectory: string | undefined },
): void {
  const { stateDirectory, oemDirectory } = directories;
  for (const block of ['tool', 'owner'] as const) {
    const names = overrides.filter((override) => override.block === block).map(({ name }) => name);
    const file =
      block === 'tool'
        ? join(stateDirectory, 'grub_oem_env')
        : oemDirectory === undefined
          ? undefined
          : join(oemDirectory, 'grubenv');
    if (file === undefined || names.length === 0) continue;
    writeGrubEnvironment(file, Object.fromEntries(names.map((name) => [name, undefined])));
  }
}
