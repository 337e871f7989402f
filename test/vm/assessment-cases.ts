// The state machine of boot assessment as a table: what the block and the menu's variables say when GRUB starts, and what it
// makes of them. The real GRUB goes through it in a virtual machine, and what foretells it goes through it as well.

export const TRIAL =
  'rd.emergency=reboot rd.shell=0 panic=5 systemd.crash_reboot systemd.crash_shell=0 holdfast.assess=trial';
const NAMES = ['enable_boot_assessment', 'boot_assessment_tentative', 'boot_assessment_image', 'boot_assessment_trial'];
/** All variables of the block. */
export const BLOCK = [...NAMES, 'boot_assessment_failed'];

export interface AssessmentCase {
  title: string;
  /** What the block says before; `GOOD` stands for the UUID of the active image, `OTHER` for another one. */
  block?: Record<string, string>;
  /** Variables of the menu. */
  menu?: Record<string, string>;
  /** The partition with the image: what its active image has to end a trial with. Default `holdfast`. */
  prover?: 'holdfast' | 'cos' | 'none';
  default?: string;
  fallback?: string;
  active?: string;
  passive?: string;
  recovery?: string;
  /** The block after it; default: as before. */
  after?: Record<string, string>;
}

const ARMED = { enable_boot_assessment: 'yes', boot_assessment_image: 'GOOD' };
const BEGUN = { ...ARMED, boot_assessment_tentative: 'yes', boot_assessment_trial: 'GOOD' };
const FAILED = { boot_assessment_failed: 'GOOD' };
const trial = { active: `own ${TRIAL}`, passive: 'own holdfast.assess=aside', recovery: ' holdfast.assess=aside' };
const fallen = {
  default: 'fallback',
  fallback: '2 0',
  active: 'own holdfast.assess=retry',
  passive: 'own upgrade_failure',
};

export const CASES: readonly AssessmentCase[] = [
  { title: 'without any variable nothing changes' },
  { title: 'an owner’s extra arguments are kept where nothing is assessed', menu: { default: 'recovery' } },
  { title: 'after an upgrade a trial begins', block: ARMED, ...trial, after: BEGUN },
  { title: 'by the menu’s empty default too', block: ARMED, menu: { default: '' }, ...trial, after: BEGUN },
  { title: 'by the entry’s name too', block: ARMED, menu: { default: 'cos' }, ...trial, after: BEGUN },
  {
    title: 'armed by hand, it speaks of whatever is active',
    block: { enable_boot_assessment: 'yes' },
    ...trial,
    after: { enable_boot_assessment: 'yes', boot_assessment_tentative: 'yes', boot_assessment_trial: 'GOOD' },
  },
  {
    title: 'armed for an image that never became active, nothing begins',
    block: { enable_boot_assessment: 'yes', boot_assessment_image: 'OTHER' },
  },
  { title: 'next_entry is a choice by hand: no trial', block: ARMED, menu: { default: 'cos', selected_entry: 'cos' } },
  { title: 'an owner whose default is another entry has no trial', block: ARMED, menu: { default: 'recovery' } },
  { title: 'switched off, nothing begins', block: ARMED, menu: { disable_boot_assessment: 'yes' } },
  { title: 'switched off, nothing falls back', block: BEGUN, menu: { disable_boot_assessment: 'yes' } },
  {
    title: 'a system of cOS ends its trial by cOS’s variable alone',
    prover: 'cos',
    block: ARMED,
    ...trial,
    after: { ...ARMED, boot_assessment_tentative: 'yes' },
  },
  { title: 'a system that can end no trial has none', prover: 'none', block: ARMED },
  { title: 'a second start without success goes to passive', block: BEGUN, ...fallen, after: FAILED },
  {
    title: 'a second start of a system of cOS too',
    prover: 'cos',
    block: { ...ARMED, boot_assessment_tentative: 'yes' },
    ...fallen,
    after: FAILED,
  },
  {
    title: 'also when cOS’s stage file has cleared its variables too early',
    block: { boot_assessment_trial: 'GOOD', boot_assessment_image: 'GOOD' },
    ...fallen,
    after: FAILED,
  },
  {
    title: 'cOS’s own variables as cOS leaves them',
    block: { enable_boot_assessment: 'yes', boot_assessment_tentative: 'yes' },
    ...fallen,
    after: FAILED,
  },
  { title: 'tentative alone means nothing, as in cOS', block: { boot_assessment_tentative: 'yes' } },
  {
    title: 'next_entry during a trial changes nothing',
    block: BEGUN,
    menu: { default: 'recovery', selected_entry: 'recovery' },
  },
  {
    title: 'sent on by the initramfs of the new system, the trial has failed',
    block: BEGUN,
    menu: {
      default: 'fallback',
      selected_entry: 'fallback',
      boot_failure: 'active:the image has no /usr/bin/holdfast',
    },
    active: 'own holdfast.assess=retry',
    passive: 'own upgrade_failure',
    after: FAILED,
  },
  {
    title: 'a note about another slot is none about the trial',
    block: BEGUN,
    menu: { default: 'recovery', selected_entry: 'recovery', boot_failure: 'passive:it was interactive:no' },
  },
  { title: 'every further boot goes to the good slot', block: FAILED, ...fallen },
  {
    title: 'a failure that GRUB could not name counts for any image',
    block: { boot_assessment_failed: 'yes' },
    ...fallen,
  },
  { title: 'a failure of an image that is gone is void', block: { boot_assessment_failed: 'OTHER' } },
  {
    title: 'a failed system can be chosen by hand, and may prove that it works',
    block: FAILED,
    menu: { default: 'cos', selected_entry: 'cos' },
    active: 'own holdfast.assess=retry',
    passive: 'own upgrade_failure',
  },
  {
    title: 'an owner’s other default stays during a failure',
    block: FAILED,
    menu: { default: 'recovery' },
    active: 'own holdfast.assess=retry',
    passive: 'own upgrade_failure',
  },
  {
    title: 'an owner’s order of fallbacks stays',
    block: FAILED,
    menu: { default_fallback: '1 2', fallback: '1 2' },
    ...fallen,
    fallback: '1 2',
  },
  {
    title: 'an upgrade that repaired it begins a trial, at its first boot',
    block: { ...ARMED, boot_assessment_failed: 'OTHER' },
    ...trial,
    after: { ...BEGUN, boot_assessment_failed: 'OTHER' },
  },
  {
    title: 'armed by hand, a failed system gets another trial',
    block: { enable_boot_assessment: 'yes', ...FAILED },
    ...trial,
    after: {
      enable_boot_assessment: 'yes',
      boot_assessment_tentative: 'yes',
      boot_assessment_trial: 'GOOD',
      ...FAILED,
    },
  },
  {
    title: 'an upgrade that was cut off before its switch leaves a failure standing',
    block: { enable_boot_assessment: 'yes', boot_assessment_image: 'OTHER', ...FAILED },
    ...fallen,
  },
  {
    title: 'with “always” every boot is a trial',
    menu: { enable_boot_assessment_always: 'yes' },
    ...trial,
    after: { boot_assessment_tentative: 'yes', boot_assessment_trial: 'GOOD' },
  },
  {
    title: 'with “always” a second start goes to passive',
    block: { boot_assessment_tentative: 'yes', boot_assessment_trial: 'GOOD' },
    menu: { enable_boot_assessment_always: 'yes' },
    ...fallen,
    after: FAILED,
  },
  {
    title: 'with “always” the failure stays',
    block: FAILED,
    menu: { enable_boot_assessment_always: 'yes' },
    ...fallen,
  },
];
