import { describe, expect, test } from 'vitest';
import { fillActions } from '../../../src/lifecycle/fill-actions.ts';
import { transitionSize, type UpgradeFacts } from '../../../src/lifecycle/upgrade.ts';
import { slotSize } from '../../../src/slots/slot-file.ts';

const MIB = 2 ** 20;
const whole: Pick<UpgradeFacts, 'base' | 'delta' | 'image' | 'measured'> = {
  base: undefined,
  image: { digest: undefined, source: 'docker:host/os:v2', layers: 3 },
  measured: { contentBytes: 300 * MIB, entries: 1000, compressedBytes: 100 * MIB },
};
const base = { digest: 'sha256:1', layers: 2, slotBytes: 900 * MIB, filledBytes: 300 * MIB };
const delta = {
  layers: 2,
  contentBytes: 250 * MIB,
  entries: 900,
  cost: { fetchBytes: 3 * MIB, requests: 2, fullBytes: 148 * MIB, writeBytes: 9 * MIB },
};
const top = { contentBytes: 10 * MIB, entries: 10, compressedBytes: 4 * MIB };
const nothing = { contentBytes: 0, entries: 0, compressedBytes: 0 };

describe('how a new slot is filled', () => {
  test.each<[string, typeof whole, string[]]>([
    [
      'from nothing',
      whole,
      ['Create the new slot (1.0 GiB, preallocated)', 'Unpack docker:host/os:v2 (100 MiB to read)'],
    ],
    [
      'with layers on top of what is installed',
      { ...whole, base, measured: top },
      [
        'Start from the unchanged copy of the installed image, which has 2 of 3 layers',
        'Unpack docker:host/os:v2 (4.0 MiB to read)',
      ],
    ],
    [
      'with a difference, and layers on top',
      { ...whole, base, delta, measured: top },
      [
        'Start from the unchanged copy of the installed image',
        'Write what differs in docker:host/os:v2: 3.0 MiB of 148 MiB to fetch, at most 9.0 MiB to write',
        'Unpack the other layers of docker:host/os:v2 (4.0 MiB to read)',
      ],
    ],
    [
      'with a difference in all layers',
      { ...whole, base: { ...base, layers: 3 }, delta: { ...delta, layers: 3 }, measured: nothing },
      [
        'Start from the unchanged copy of the installed image',
        'Write what differs in docker:host/os:v2: 3.0 MiB of 148 MiB to fetch, at most 9.0 MiB to write',
      ],
    ],
  ])('%s', (_, facts, summaries) => {
    expect(fillActions(facts, { sizeBytes: 1024 * MIB }).map(({ summary }) => summary)).toEqual(summaries);
  });

  test('the layers that are unpacked are those that the slot does not hold', () => {
    const actions = fillActions({ ...whole, base, delta, measured: top }, { sizeBytes: 0 });
    expect(actions.map(({ kind }) => kind)).toEqual(['clone-transition', 'apply-delta', 'unpack']);
    expect(actions.at(-1)).toMatchObject({ skipLayers: 2 });
  });
});

describe('how large it is', () => {
  test.each<[string, Partial<typeof whole>, number]>([
    ['from nothing', {}, slotSize(300 * MIB, 1000)],
    ['what it is a clone of is not made smaller', { base: { ...base, slotBytes: 4000 * MIB }, delta }, 4000 * MIB],
    [
      'by what is known and what is on top',
      { base, delta: { ...delta, contentBytes: 900 * MIB }, measured: top },
      slotSize(910 * MIB, 910),
    ],
    ['small layers on top fit into the room that is there', { base, measured: top }, 900 * MIB],
  ])('%s', (_, facts, expected) => {
    expect(transitionSize({ ...whole, ...facts }, {})).toBe(expected);
    expect(transitionSize({ ...whole, ...facts }, { minimumBytes: 8000 * MIB })).toBe(8000 * MIB);
  });
});
