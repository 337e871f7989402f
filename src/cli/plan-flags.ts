// The flags of `holdfast upgrade` that are about plans, and which of them go together.

import { HoldfastError } from '../system/errors.ts';

export interface PlanFlags {
  plan?: boolean;
  html?: string;
  verbose?: boolean;
  /** `true` when the flag stands alone. */
  apply?: string | true;
  discardPlan?: boolean;
  rehearse?: boolean;
}

/** Other flags of an upgrade, by what they are called in the program. */
export interface FlagsBeside {
  recovery?: boolean;
  recoverySystem?: string;
  'recoverySystem.uri'?: string;
  overlay?: boolean;
  take?: readonly string[];
  allowDowngrade?: boolean;
  force?: boolean;
  strict?: string | true;
  packages?: string | undefined;
  reboot?: boolean;
  poweroff?: boolean;
}

/** What was decided when the plan was made. */
const DECIDED: readonly [flag: keyof FlagsBeside, text: string][] = [
  ['take', '--take'],
  ['allowDowngrade', '--allow-downgrade'],
  ['force', '--force'],
  ['strict', '--strict'],
  ['packages', '--packages'],
];

/** @throws HoldfastError HF-USAGE for flags that don't go together, or would have no effect. */
export function checkPlanFlags(flags: PlanFlags & FlagsBeside): void {
  const chosen = [
    // A rehearsal makes its plan itself.
    ...(flags.rehearse ? ['--rehearse'] : flags.plan ? ['--plan'] : []),
    ...(flags.apply === undefined ? [] : ['--apply']),
    ...(flags.discardPlan ? ['--discard-plan'] : []),
  ];
  const refuse = (text: string, hint: string) => new HoldfastError('HF-USAGE', text, { hint });
  if (chosen.length > 1) throw refuse(`${chosen.join(' and ')} don't go together`, 'one at a time');
  const [first] = chosen;
  const recovery = flags.recovery || flags.recoverySystem !== undefined || flags['recoverySystem.uri'] !== undefined;
  if (recovery && first !== undefined) {
    throw refuse(
      `${first} is for the system, not for the recovery system`,
      'holdfast upgrade --recovery --dry-run lists what it would do',
    );
  }
  if (!flags.plan && !flags.rehearse && (flags.html !== undefined || flags.verbose)) {
    throw refuse(
      `${flags.html === undefined ? '--verbose' : '--html'} is about a plan`,
      'holdfast upgrade --plan --html plan.html IMAGE',
    );
  }
  const isPlanning = flags.plan || flags.rehearse || flags.discardPlan;
  if (isPlanning && (flags.reboot || flags.poweroff)) {
    throw refuse(
      `${first} switches nothing, so there is nothing to ${flags.reboot ? 'reboot' : 'power off'} for`,
      'holdfast upgrade --apply --reboot',
    );
  }
  if (flags.apply === undefined && !flags.discardPlan) return;
  const idle = [
    ...DECIDED.filter(([flag]) => flags[flag] !== undefined).map(([, text]) => text),
    ...(flags.overlay === false ? ['--no-overlay'] : []),
  ];
  if (idle.length > 0)
    throw refuse(
      `${idle.join(', ')} has no effect with ${first}: the plan has decided that`,
      'make the plan with it: holdfast upgrade --plan',
    );
}
