import { expect, test } from 'vitest';
import { type OverlayFacts, overlaySteps } from '../../../src/lifecycle/overlay-actions.ts';

const RUNNING: OverlayFacts = {
  place: 'LABEL=KEEP:/persist.img',
  from: '3f9c1a7be0428d11'.padEnd(64, '0'),
  view: 'running',
  isThere: true,
  problem: undefined,
  hint: undefined,
  changedBytes: 0,
};
const kinds = (steps: ReturnType<typeof overlaySteps>) =>
  Object.fromEntries(
    Object.entries(steps).map(([place, actions]) => [place, (actions as { kind: string }[]).map(({ kind }) => kind)]),
  );
const NOTHING = { beforeFinish: [], afterFinish: [], beforeSwitch: [], atEnd: [] };

test('a machine without an overlay has no steps for it', () => {
  expect(overlaySteps(undefined, { strictness: 'chroot' })).toEqual(NOTHING);
});

test('the changes of the running view are carried, and the shutdown carries the rest', () => {
  expect(kinds(overlaySteps(RUNNING, { strictness: 'chroot' }))).toEqual({
    beforeFinish: ['plan-overlay'],
    afterFinish: ['carry-overlay'],
    beforeSwitch: ['note-overlay'],
    atEnd: ['collect-overlays'],
  });
});

test('those of an overlay that isn’t in use are carried once', () => {
  const steps = overlaySteps({ ...RUNNING, view: 'stored' }, { strictness: 'chroot' });
  expect(kinds(steps)).toMatchObject({ afterFinish: ['carry-overlay'], beforeSwitch: [] });
});

test.each([
  ['nothing is in it', { ...RUNNING, view: 'nothing' as const }, undefined],
  ['its owner leaves it', RUNNING, 'leave' as const],
  ['its owner leaves a broken one', { ...RUNNING, problem: 'Overflow' }, 'leave' as const],
])('the new system begins with a blank one where %s', (_, facts, overlay) => {
  expect(kinds(overlaySteps(facts, { overlay, strictness: 'chroot' }))).toEqual({
    ...NOTHING,
    afterFinish: ['blank-overlay'],
    atEnd: ['collect-overlays'],
  });
});

test('one that can’t be carried stops the upgrade with a status of its own, and the hint says how to go on without', () => {
  const broken = { ...RUNNING, problem: 'the kernel says Overflow of it' };
  expect(() => overlaySteps(broken, { strictness: 'chroot' })).toThrow(
    expect.objectContaining({
      code: 'HF-STATE',
      exitStatus: 5,
      message: expect.stringContaining("LABEL=KEEP:/persist.img can't be carried to the new system: the kernel says"),
      hint: expect.stringContaining('--no-overlay'),
    }),
  );
});

test('without its disk nothing can be begun for it either', () => {
  const away = { ...RUNNING, isThere: false, problem: 'there is no device LABEL=KEEP' };
  expect(overlaySteps(away, { overlay: 'leave', strictness: 'chroot' })).toEqual(NOTHING);
});

test('--strict leaves no decision to rules', () => {
  const [step] = overlaySteps(RUNNING, { strictness: 'all' }).beforeFinish;
  expect(step).toMatchObject({ kind: 'plan-overlay', strict: true });
  expect(overlaySteps(RUNNING, { strictness: 'chroot' }).beforeFinish[0]).toMatchObject({ strict: false });
});
