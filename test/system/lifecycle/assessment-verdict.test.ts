// What an upgrade and each verdict leave on COS_STATE, in real blocks that GRUB's editor reads, from one boot to the next.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nextAssessment } from '../../../src/boot/assessment.ts';
import { readGrubEnvironment, writeGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import {
  armAssessment,
  forgetAssessment,
  inspectAssessment,
  parseUnitNames,
} from '../../../src/lifecycle/assessment.ts';
import { readAssessmentRecord } from '../../../src/lifecycle/assessment-record.ts';
import {
  findFailure,
  MAX_POSTPONED,
  noteFailure,
  noteSuccess,
  postponeTrial,
  putTrialBack,
} from '../../../src/lifecycle/assessment-verdict.ts';
import { runChecked } from '../../../src/system/process.ts';

let work = '';
let places: { stateDirectory: string; oemDirectory: string };
beforeEach(() => {
  // On the machine's own file system, which can be frozen without stopping these tests: nothing is renamed after this.
  work = mkdtempSync(join(tmpdir(), 'holdfast-verdict-'));
  places = { stateDirectory: join(work, 'state'), oemDirectory: join(work, 'oem') };
  mkdirSync(join(places.stateDirectory, 'grub2'), { recursive: true });
  mkdirSync(places.oemDirectory);
  writeFileSync(join(places.stateDirectory, 'grub2/grub.cfg'), 'grubcustom\n');
  writeGrubEnvironment(join(places.oemDirectory, 'grubenv'), { mine: '1' });
});
afterEach(() => rmSync(work, { recursive: true }));

const NEW = { uuid: 'new', digest: 'sha256:new', source: 'docker:example.org/demo:2', name: 'Demo 2' };
const NOW = '2026-01-02T03:04:05.000Z';
const block = () => readGrubEnvironment(join(places.stateDirectory, 'boot_assessment'));
const set = (changes: Record<string, string>) =>
  writeGrubEnvironment(join(places.stateDirectory, 'boot_assessment'), changes);
const record = () => readAssessmentRecord(places.stateDirectory).record;
const next = (active = 'new') =>
  nextAssessment(new Map([...readGrubEnvironment(join(places.oemDirectory, 'grubenv')), ...block()]), active);
/** As GRUB does when it starts a trial. */
const begin = () => set({ boot_assessment_tentative: 'yes', boot_assessment_trial: 'new' });
const failure = { reason: 'the check /x failed', checks: [{ name: '/x', message: 'status 1' }], now: NOW };

/** The files are there, so that nothing has to be frozen. */
async function arm(image = NEW, enabled = true): Promise<void> {
  const { placeAssessment } = await import('../../../src/boot/assessment-files.ts');
  const { OS_FILES } = await import('../../../src/boot/os-files.generated.ts');
  const file = OS_FILES['/usr/lib/holdfast/grub_boot_assessment'];
  if (file !== undefined && 'text' in file) placeAssessment(places.stateDirectory, file.text);
  const { warnings, notices } = await armAssessment(places.stateDirectory, {
    image,
    now: NOW,
    enabled,
    oemDirectory: places.oemDirectory,
  });
  expect([...warnings, ...notices]).toEqual([]);
}

test('an upgrade makes the next boot of its image a trial, and of no other', async () => {
  await arm();
  expect(next()).toBe('trial');
  expect(next('old')).toBe('none');
  expect(record().pending).toMatchObject({ ...NEW, since: NOW, postponed: 0 });
  expect(await runChecked(['grub-editenv', join(places.stateDirectory, 'boot_assessment'), 'list'])).toContain(
    'enable_boot_assessment=yes\n',
  );
});

test('switched off, an upgrade makes none', async () => {
  await arm();
  await arm(NEW, false);
  expect(next()).toBe('none');
});

test('success clears everything and forgets what the image failed before', async () => {
  await arm();
  begin();
  noteFailure(places, NEW, failure);
  await arm({ ...NEW, uuid: 'again' });
  set({ boot_assessment_tentative: 'yes', boot_assessment_trial: 'again' });
  noteSuccess(places, { uuid: 'again' });
  expect(Object.fromEntries(block())).toEqual({ enable_boot_assessment: '', boot_assessment_tentative: '' });
  expect(record()).toEqual({ failed: [] });
  expect(next('again')).toBe('none');
});

describe('failure', () => {
  test('is remembered for GRUB and for upgrades, with the image’s digest', async () => {
    await arm();
    begin();
    noteFailure(places, { uuid: 'new' }, failure);
    expect(next()).toBe('fallback');
    expect(next('another')).toBe('none');
    expect(record()).toEqual({
      failed: [{ ...NEW, failedAt: NOW, reason: failure.reason, checks: failure.checks }],
    });
    expect(findFailure(places, 'new')).toMatchObject(NEW);
  });

  test('of an image that nobody upgraded to has no digest: it worked before', async () => {
    await arm();
    begin();
    noteFailure(places, { uuid: 'other', source: 'dir:/x' }, failure);
    expect(record().failed[0]).toEqual({
      uuid: 'other',
      source: 'dir:/x',
      failedAt: NOW,
      ...{ reason: failure.reason, checks: failure.checks },
    });
    expect(record().pending).toMatchObject(NEW);
  });

  test('of a second trial by hand keeps what is known of the image', async () => {
    await arm();
    begin();
    noteFailure(places, { uuid: 'new' }, failure);
    noteFailure(places, { uuid: 'new', source: 'x' }, { ...failure, reason: 'still' });
    expect(record().failed).toHaveLength(1);
    expect(record().failed[0]).toMatchObject({ ...NEW, reason: 'still' });
  });

  test('that GRUB could only write to OEM’s block is found and cleared there', async () => {
    await arm();
    writeGrubEnvironment(join(places.oemDirectory, 'grubenv'), { boot_assessment_trial: 'new' });
    noteFailure(places, { uuid: 'new' }, failure);
    expect(Object.fromEntries(readGrubEnvironment(join(places.oemDirectory, 'grubenv')))).toEqual({ mine: '1' });
    expect(next()).toBe('fallback');
  });
});

test('an upgrade during the trial keeps its own arming, whatever becomes of the running system', async () => {
  await arm();
  begin();
  await arm({ ...NEW, uuid: 'newer', digest: 'sha256:newer' });
  noteSuccess(places, { uuid: 'new' });
  expect(next('newer')).toBe('trial');
  expect(record().pending?.uuid).toBe('newer');
  noteFailure(places, { uuid: 'new' }, failure);
  expect(next('newer')).toBe('trial');
  expect(next('new')).toBe('fallback');
});

test('a trial that did not take place is due again', async () => {
  await arm();
  begin();
  expect(next()).toBe('fallback');
  putTrialBack(places);
  expect(next()).toBe('trial');
});

test('a trial that is broken off by restarts in order is due again, three times', async () => {
  await arm();
  for (let time = 0; time < MAX_POSTPONED; time++) {
    begin();
    expect(postponeTrial(places, { uuid: 'new' })).toBe(true);
    expect(next()).toBe('trial');
  }
  begin();
  expect(postponeTrial(places, { uuid: 'new' })).toBe(false);
  expect(next()).toBe('fallback');
});

test('the owner’s choice of what is active ends trial and failure, but not what is known of images', async () => {
  await arm();
  begin();
  noteFailure(places, { uuid: 'new' }, failure);
  forgetAssessment(places.stateDirectory, { oemDirectory: places.oemDirectory });
  expect(next()).toBe('none');
  expect(record().failed[0]?.digest).toBe('sha256:new');
});

test('a COS_STATE that has nothing of it stays so', () => {
  forgetAssessment(places.stateDirectory);
  expect(inspectAssessment(places.stateDirectory, { commandLine: 'holdfast.assess=trial' })).toEqual({
    failed: [],
    unproven: false,
    problems: [],
  });
});

test('the running system is unproven from the start of its trial to its verdict', async () => {
  const unproven = (commandLine: string) => inspectAssessment(places.stateDirectory, { commandLine }).unproven;
  await arm();
  begin();
  expect(unproven('root=x holdfast.assess=trial')).toBe(true);
  expect(unproven('root=x')).toBe(false);
  noteSuccess(places, { uuid: 'new' });
  expect(unproven('root=x holdfast.assess=trial')).toBe(false);
});

test('names of units are the first words of the listing', () => {
  expect(parseUnitNames('a.service loaded failed failed A\n● b.mount loaded failed failed B\n\n')).toEqual([
    'a.service',
    'b.mount',
  ]);
});
