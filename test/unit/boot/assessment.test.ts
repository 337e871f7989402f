// Boot assessment's variables: what the kernel's arguments and the block say, and what each change leaves in the block.

import { expect, test } from 'vitest';
import {
  armed,
  assessedBoot,
  assessmentVariables,
  disarmed,
  ended,
  failed,
  isAssessmentOff,
  nextAssessment,
  putBack,
  withHookGroup,
} from '../../../src/boot/assessment.ts';
import { parseCommandLine } from '../../../src/boot/command-line.ts';
import { changeVariables } from '../../../src/boot/grub-environment.ts';
import { CASES } from '../../vm/assessment-cases.ts';

test.each([
  ['', 'none'],
  ['root=LABEL=COS_STATE holdfast.assess=trial quiet', 'trial'],
  ['holdfast.assess=retry', 'retry'],
  ['holdfast.assess=aside', 'aside'],
  ['upgrade_failure', 'fallback'],
  ['upgrade_failure=1', 'fallback'],
  // GRUB could not load the system on trial.
  ['holdfast.assess=aside upgrade_failure', 'fallback'],
  ['no_upgrade_failure holdfast.assess=nonsense xholdfast.assess=trial', 'none'],
  ['holdfast.assess', 'none'],
  // Switched off by the owner, in front of GRUB's word.
  ['holdfast.assess=off holdfast.assess=trial', 'trial'],
])('%j is %s', (line, boot) => {
  expect(assessedBoot(parseCommandLine(line))).toBe(boot);
});

test('holdfast.assess=off is found wherever it stands', () => {
  expect(isAssessmentOff(parseCommandLine('holdfast.assess=off holdfast.assess=trial'))).toBe(true);
  expect(isAssessmentOff(parseCommandLine('holdfast.assess=trial'))).toBe(false);
});

const variables = (values: Record<string, string>) => new Map(Object.entries(values));
const after = (before: Record<string, string>, changes: Parameters<typeof changeVariables>[1]) =>
  Object.fromEntries(changeVariables(variables(before), changes));

const BEGUN = {
  enable_boot_assessment: 'yes',
  boot_assessment_image: 'new',
  boot_assessment_tentative: 'yes',
  boot_assessment_trial: 'new',
};

test('an upgrade arms for its image, begins anew, and leaves an earlier failure to GRUB', () => {
  const block = after({ ...BEGUN, boot_assessment_failed: 'old', more: '1' }, armed('next'));
  expect(block).toEqual({
    enable_boot_assessment: 'yes',
    boot_assessment_image: 'next',
    boot_assessment_tentative: '',
    boot_assessment_failed: 'old',
    more: '1',
  });
  expect(assessmentVariables(variables(block))).toEqual({ armed: true, begun: false, failed: 'old' });
});

test('success leaves nothing but cOS’s variables, empty as cOS leaves them', () => {
  expect(after({ ...BEGUN, boot_assessment_failed: 'new' }, ended())).toEqual({
    enable_boot_assessment: '',
    boot_assessment_tentative: '',
  });
});

test('failure ends the trial and names the image', () => {
  const block = after(BEGUN, failed('new'));
  expect(block).toEqual({
    enable_boot_assessment: '',
    boot_assessment_tentative: '',
    boot_assessment_failed: 'new',
  });
  expect(assessmentVariables(variables(block))).toEqual({ armed: false, begun: false, failed: 'new' });
});

test('a trial that is put back is due again', () => {
  const block = after(BEGUN, putBack());
  expect(assessmentVariables(variables(block))).toEqual({ armed: true, begun: false, failed: undefined });
  expect(block['boot_assessment_image']).toBe('new');
});

test('switched off, nothing is due and a failure stays', () => {
  expect(after({ ...BEGUN, boot_assessment_failed: 'old' }, disarmed())).toEqual({
    enable_boot_assessment: '',
    boot_assessment_tentative: '',
    boot_assessment_failed: 'old',
  });
});

test('a trial of ours is one even when cOS’s stage file has cleared its own variable', () => {
  expect(assessmentVariables(variables({ boot_assessment_tentative: '', boot_assessment_trial: 'new' })).begun).toBe(
    true,
  );
});

test.each(['', 'set timeout=1', 'set timeout=1\n'])('the hook group is appended once to %j', (before) => {
  const once = withHookGroup(before) ?? '';
  expect(once.startsWith(before)).toBe(true);
  expect(once).toContain('bootfile_loc');
  expect(once.split('\n').filter((line) => line.startsWith('# Boot assessment'))).toHaveLength(1);
  expect(withHookGroup(once)).toBeUndefined();
});

test('cOS’s own lines are recognised', () => {
  expect(withHookGroup('set bootfile="/grub_boot_assessment"\nsearch …\n')).toBeUndefined();
});

/** What a case's outcome looks like to somebody who asks beforehand. */
const decided = (active = '', entry = '') =>
  entry === 'fallback' ? 'fallback' : active.includes('holdfast.assess=trial') ? 'trial' : 'none';

// Where nothing else is chosen, and GRUB finds in the image what can end a trial.
const foretold = CASES.filter(({ menu = {}, prover }) => {
  const entry = menu['default'] ?? '0';
  return prover !== 'none' && menu['selected_entry'] === undefined && ['', '0', 'cos'].includes(entry);
});

test.each(foretold)('foretold: $title', ({ block = {}, menu = {}, active, default: entry }) => {
  expect(nextAssessment(variables({ ...menu, ...block }), 'GOOD')).toBe(decided(active, entry));
});

test('an image that can’t be read counts as the one that is spoken of', () => {
  expect(nextAssessment(variables({ boot_assessment_failed: 'some' }), undefined)).toBe('fallback');
  expect(nextAssessment(variables(BEGUN), undefined)).toBe('fallback');
});
