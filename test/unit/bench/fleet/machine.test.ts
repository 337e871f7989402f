// One machine and every state that it can get into. That none is lost must not be a property of the model alone: ways to upgrade that
// leave out what the swap does lose machines in it, and its steps are those of the real plan, in the real order.

import { describe, expect, test } from 'vitest';
import { exploreMachine } from '../../../../bench/fleet/every-state.ts';
import { boot, cutPower, type Machine, newMachine, STEPS, settle, takeStep } from '../../../../bench/fleet/machine.ts';
import type { Image } from '../../../../src/image/image.ts';
import { planUpgrade, type UpgradeFacts } from '../../../../src/lifecycle/upgrade.ts';
import type { Deployment } from '../../../../src/slots/state-file.ts';

const DIGEST = `sha256:${'1'.repeat(64)}`;

const deployment: Deployment = {
  source: 'oci-layout:/srv:v1',
  digest: DIGEST,
  layers: [],
  uuid: 'uuid-of-v1',
  date: '2026-11-20T10:00:00Z',
  fromAction: 'install',
  verified: 'digests',
};

const facts: UpgradeFacts = {
  booted: { slot: 'active', uuid: 'uuid-of-v1', replaced: false },
  stateDevice: '/dev/vda4',
  installed: { active: deployment, passive: deployment },
  activeUuid: 'uuid-of-v1',
  hasPassive: true,
  runsByImageLabel: false,
  base: { digest: DIGEST, layers: 1, slotBytes: 1300 << 20, filledBytes: 600 << 20 },
  image: { digest: `sha256:${'2'.repeat(64)}`, source: 'oci-layout:/srv:v2', layers: 2 },
  measured: { contentBytes: 1 << 20, entries: 10, compressedBytes: 1 << 19 },
  assessment: { failed: [], unproven: false, problems: [] },
  warnings: [],
};

test('its steps are those of the plan of an upgrade, in the same order', () => {
  const steps = STEPS.swap.map(([kind]) => kind);
  const kinds = planUpgrade({ image: {} as Image, strictness: 'chroot', force: false }, facts).actions.map(
    ({ kind }) => kind,
  );
  expect(kinds.filter((kind) => steps.some((step) => step === kind))).toEqual(steps);
});

test('from passive, the plan leaves the passive slot alone, and so does the machine', () => {
  const passive = { ...facts, booted: { slot: 'passive' as const, uuid: 'x', replaced: false } };
  const kinds = planUpgrade({ image: {} as Image, strictness: 'chroot', force: false }, passive).actions.map(
    ({ kind }) => kind,
  );
  expect(kinds).not.toContain('copy-to-passive');
  const onFallback: Machine = { ...newMachine('swap'), active: 'panics', running: 'passive' };
  expect(upgraded(onFallback).passive).toBe('proven');
});

function upgraded(machine: Machine, image: 'good' | 'panics' = 'good'): Machine {
  return STEPS.swap.reduce((each) => takeStep(each, 'swap', image), machine);
}

describe('every state that a machine can get into', () => {
  test('with the swap: something that works starts from each of them, at the second start at the latest', () => {
    const { lost, states, mostStarts } = exploreMachine('swap');
    expect(lost).toEqual([]);
    expect(mostStarts).toBe(2);
    // All steps, from each slot, with each kind of image and what it left behind.
    expect(states).toBeGreaterThan(100);
  });

  test('written over in place, a power cut loses the machine, and so does an image that doesn’t work', () => {
    const { lost } = exploreMachine('in-place', ['good']);
    expect(lost.map(({ path }) => path.join(', '))).toContain('step to an image that is good');
    expect(exploreMachine('in-place', ['panics']).lost.length).toBeGreaterThan(lost.length);
  });

  test('without a trial, power cuts do no harm, and an image that doesn’t work does', () => {
    expect(exploreMachine('swap-without-trial', ['good']).lost).toEqual([]);
    expect(exploreMachine('swap-without-trial', ['panics']).lost).not.toEqual([]);
  });

  test.each([
    [
      'the passive slot is made from what has not proven itself',
      'copy-to-passive',
      (machine: Machine) => ({ passive: machine.active }),
    ],
    ['active is written in place', 'clone-transition', () => ({ active: 'half' as const, passive: 'half' as const })],
    [
      'the trial is armed for the image before',
      'arm-assessment',
      () => ({ armed: true, begun: true, passive: 'half' as const }),
    ],
  ])('a swap in which %s loses machines', (_what, kind, broken) => {
    const steps = STEPS.swap;
    const index = steps.findIndex(([name]) => name === kind);
    const kept = steps[index];
    if (kept === undefined) throw new Error(`there is no step ${kind}`);
    const changed = steps.map((step, at): (typeof steps)[number] => (at === index ? [kind, broken] : step));
    const all: Record<string, typeof steps> = STEPS;
    try {
      all.swap = changed;
      expect(exploreMachine('swap').lost).not.toEqual([]);
    } finally {
      all.swap = steps;
    }
  });
});

test('a good image proves itself at its first start', () => {
  expect(settle(cutPower(upgraded(newMachine('swap'))))).toMatchObject({
    starts: 1,
    lost: false,
    machine: { active: 'proven', passive: 'proven', running: 'active', armed: false },
  });
});

test('an image that panics has one start, and each further one goes to the fallback', () => {
  const { machine, starts } = settle(cutPower(upgraded(newMachine('swap'), 'panics')));
  expect([machine.running, starts]).toEqual(['passive', 2]);
  expect(settle(cutPower(machine))).toMatchObject({ starts: 1, machine: { running: 'passive' } });
});

test('a power cut during the trial counts as a failure of it', () => {
  const started = boot(cutPower(upgraded(newMachine('swap'))));
  expect(started.outcome).toBe('on-trial');
  expect(settle(cutPower(started.machine)).machine.running).toBe('passive');
});
