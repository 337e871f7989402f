// Boot assessment as its variables: what COS_STATE's block `boot_assessment` says, and how an upgrade, a success, a
// failure and the owner change it. The state machine between two boots is GRUB's (os/usr/lib/holdfast/grub_boot_assessment);
// names are those of cOS-toolkit 0.8, whose scripts read and write the same block.

import type { KernelArgument } from './command-line.ts';
import type { EnvironmentChanges } from './grub-environment.ts';

/** The environment block, relative to COS_STATE. GRUB overwrites it in place. */
export const ASSESSMENT_BLOCK = 'boot_assessment';
/** The script that decides, relative to COS_STATE. */
export const ASSESSMENT_SCRIPT = 'grub_boot_assessment';
/** What the boot menu sources last, relative to COS_STATE. */
export const CUSTOM_MENU = 'grubcustom';

/** The argument that says what is to be found out about this boot. */
export const ASSESS_ARGUMENT = 'holdfast.assess';

/** What GRUB said about this boot; `none` is the ordinary one. */
export type AssessedBoot =
  /** Of the active slot, after an upgrade or always: it must prove that it works, or the machine falls back. */
  | 'trial'
  /** Of an active slot that has failed, chosen by hand: if it works now, it is active again. */
  | 'retry'
  /** Of another slot, chosen by hand in the menu while a trial was due. */
  | 'aside'
  /** Of the fallback, since the active slot has failed. */
  | 'fallback'
  | 'none';

export function assessedBoot(commandLine: readonly KernelArgument[]): AssessedBoot {
  // GRUB may have failed to load the system on trial after it wrote the arguments of the others.
  if (commandLine.some(({ key }) => key === 'upgrade_failure')) return 'fallback';
  const asked = commandLine.findLast(({ key, value }) => key === ASSESS_ARGUMENT && value !== 'off')?.value;
  return asked === 'trial' || asked === 'retry' || asked === 'aside' ? asked : 'none';
}

/** `holdfast.assess=off`: whatever boots counts as working. */
export function isAssessmentOff(commandLine: readonly KernelArgument[]): boolean {
  return commandLine.some(({ key, value }) => key === ASSESS_ARGUMENT && value === 'off');
}

/** What a block says. */
export interface AssessmentVariables {
  /** The next boot of active is a trial. */
  armed: boolean;
  /** A trial has begun and not ended. */
  begun: boolean;
  /** File system UUID of the active image that failed, `yes` when GRUB couldn't tell which. */
  failed: string | undefined;
}

/** @param variables of the block, those of OEM's grubenv before it: GRUB writes there what it can't write to COS_STATE. */
export function assessmentVariables(variables: ReadonlyMap<string, string>): AssessmentVariables {
  const has = (name: string) => (variables.get(name) ?? '') !== '';
  return {
    armed: variables.get('enable_boot_assessment') === 'yes',
    begun: variables.get('boot_assessment_tentative') === 'yes' || has('boot_assessment_trial'),
    failed: has('boot_assessment_failed') ? variables.get('boot_assessment_failed') : undefined,
  };
}

/**
 * What GRUB's script will do at the next start, as far as nothing else has been chosen for it (`next_entry`, and a
 * `saved_entry` other than active, go before). Mirrors os/usr/lib/holdfast/grub_boot_assessment.
 * @param variables as for {@link assessmentVariables}.
 * @param activeUuid of the file system in active.img; undefined when it can't be read.
 */
export function nextAssessment(
  variables: ReadonlyMap<string, string>,
  activeUuid: string | undefined,
): 'trial' | 'fallback' | 'none' {
  const value = (name: string) => variables.get(name) ?? '';
  // What speaks of one image speaks of the active one only when they are the same, or when it can't be told.
  const isActive = (uuid: string) => uuid === 'yes' || activeUuid === undefined || uuid === activeUuid;
  if (value('disable_boot_assessment') === 'yes') return 'none';
  const always = value('enable_boot_assessment_always') === 'yes';
  const image = value('boot_assessment_image');
  const isArmed = value('enable_boot_assessment') === 'yes' && (image === '' || isActive(image));
  const trial = value('boot_assessment_trial');
  const begun =
    (trial !== '' && isActive(trial)) || (value('boot_assessment_tentative') === 'yes' && (isArmed || always));
  const bad = value('boot_assessment_failed');
  if (bad !== '' && isActive(bad) && !(isArmed && image === '')) return 'fallback';
  if (begun) return 'fallback';
  return isArmed || always ? 'trial' : 'none';
}

// cOS's variables are emptied, as its own stage file does; ours are removed: an empty one in this block would hide what
// GRUB could only write to the other.
const ENDED = {
  enable_boot_assessment: '',
  boot_assessment_tentative: '',
  boot_assessment_image: undefined,
  boot_assessment_trial: undefined,
} as const;

/**
 * The next boot of `uuid` as active is a trial. A failure that is remembered stays: it belongs to another image, and is
 * void as soon as that one isn't active any more.
 */
export function armed(uuid: string): EnvironmentChanges {
  return { ...ENDED, enable_boot_assessment: 'yes', boot_assessment_image: uuid };
}

/** The next boot is an ordinary one, whatever was due. */
export function disarmed(): EnvironmentChanges {
  return ENDED;
}

/** The trial has ended well, or the owner forgets a failure. */
export function ended(): EnvironmentChanges {
  return { ...ENDED, boot_assessment_failed: undefined };
}

/** The trial has ended badly: the next boots are of the passive slot until another image is active. */
export function failed(uuid: string): EnvironmentChanges {
  return { ...ENDED, boot_assessment_failed: uuid };
}

/** The trial didn't take place; the next boot is one again. */
export function putBack(): EnvironmentChanges {
  return { boot_assessment_tentative: '', boot_assessment_trial: undefined };
}

/** Variables that GRUB may have put into OEM's grubenv instead. */
export const ELSEWHERE: EnvironmentChanges = { boot_assessment_trial: undefined, boot_assessment_failed: undefined };

const HOOK_GROUP = `# Boot assessment, put here by holdfast.
set bootfile_loc="$state_root"
if [ -z "$bootfile_loc" -a -s "($root)/${ASSESSMENT_SCRIPT}" ]; then
  set bootfile_loc="$root"
fi
if [ -z "$bootfile_loc" ]; then
  search --no-floppy --file --set=bootfile_loc /${ASSESSMENT_SCRIPT}
fi
if [ "$bootfile_loc" ]; then
  source "($bootfile_loc)/${ASSESSMENT_SCRIPT}"
fi
`;

/** The text of grubcustom with the script sourced once; undefined when it is already, by cOS's lines or by these. */
export function withHookGroup(grubcustom: string): string | undefined {
  if (grubcustom.includes(ASSESSMENT_SCRIPT)) return undefined;
  const separator = grubcustom === '' || grubcustom.endsWith('\n') ? '' : '\n';
  return `${grubcustom}${separator}${HOOK_GROUP}`;
}
