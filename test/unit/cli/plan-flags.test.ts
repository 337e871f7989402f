// Flags about plans that don't go together are refused before anything is looked at.

import { expect, test } from 'vitest';
import { checkPlanFlags } from '../../../src/cli/plan-flags.ts';

test.each([
  [{ plan: true, apply: true as const }, "--plan and --apply don't go together"],
  [{ apply: '3f9c', discardPlan: true }, "--apply and --discard-plan don't go together"],
  [{ plan: true, recovery: true }, '--plan is for the system, not for the recovery system'],
  [{ rehearse: true, apply: true as const }, "--rehearse and --apply don't go together"],
  [{ rehearse: true, recovery: true }, '--rehearse is for the system, not for the recovery system'],
  [{ plan: true, recoverySystem: 'dir:/x' }, '--plan is for the system, not for the recovery system'],
  [{ plan: true, reboot: true }, '--plan switches nothing, so there is nothing to reboot for'],
  [{ rehearse: true, poweroff: true }, '--rehearse switches nothing, so there is nothing to power off for'],
  [
    { apply: true as const, force: true, overlay: false },
    '--force, --no-overlay has no effect with --apply: the plan has decided that',
  ],
  [{ html: 'x.html' }, '--html is about a plan'],
  [{ verbose: true }, '--verbose is about a plan'],
])('%j', (flags, message) => {
  expect(() => checkPlanFlags(flags)).toThrow(expect.objectContaining({ code: 'HF-USAGE', message }));
});

test.each([
  [{}],
  [{ plan: true, html: 'x', verbose: true }],
  [{ apply: true as const, reboot: true }],
  [{ plan: true, force: true, take: ['mine:1'] }],
  [{ force: true, reboot: true }],
  [{ rehearse: true, html: 'x' }],
  [{ rehearse: true, plan: true }],
  [{ recovery: true }],
])('%j is fine', (flags) => {
  expect(() => checkPlanFlags(flags)).not.toThrow();
});
