// Which disk `device: auto` means, and when it means none.

import { describe, expect, test } from 'vitest';
import { chooseDisk } from '../../../../src/cli/installer/disk-choice.ts';
import { disk, GIB } from './machine.ts';

const a = disk('/dev/vda');
const b = disk('/dev/vdb');
const larger = disk('/dev/vdc', { sizeBytes: 20 * GIB });
const system = disk('/dev/vdd', { content: 'system', labels: ['COS_STATE'] });
const other = disk('/dev/vde', { content: 'other' });
const partitions = disk('/dev/vdf', { content: 'partitions' });
const cutShort = disk('/dev/vdg', { content: 'unfinished' });
const busy = disk('/dev/vdh', { sizeBytes: 90 * GIB, refusal: 'it is in use' });

describe.each([
  ['the only one, empty', [a], false, '/dev/vda'],
  ['the empty one of several', [other, a], false, '/dev/vda'],
  ['the largest of the empty ones', [a, larger, b], false, '/dev/vdc'],
  ['one whose install was cut short', [other, cutShort], false, '/dev/vdg'],
  ['none that is in use, however large', [busy, a], false, '/dev/vda'],
  ['with force: the one that holds a system', [larger, system], true, '/dev/vdd'],
  ['with force: the only one, which has partitions of a system', [partitions], true, '/dev/vdf'],
  ['with force: an empty one rather than a full one', [other, a], true, '/dev/vda'],
  ['with force: the only one, whatever is on it', [other], true, '/dev/vde'],
])('%s', (_, disks, force, path) => {
  test(path, () => {
    expect(chooseDisk(disks, { force }).path).toBe(path);
    expect(chooseDisk(disks.toReversed(), { force }).path).toBe(path);
  });
});

test.each([
  [
    'a disk holds a system, though an empty one is there',
    [system, larger],
    false,
    /vdd already holds an installed system/,
  ],
  ['two empty ones of one size', [a, b], false, /same size/],
  ['the only one is not empty', [other], false, /none is empty/],
  ['no disk at all', [], false, /there is no disk/],
  ['all are in use', [busy], true, /none can be installed on/],
  ['with force: one, beside one that is in use', [other, busy], true, /there are several/],
  ['with force: several, none empty', [other, disk('/dev/vdz', { content: 'other' })], true, /there are several/],
  [
    'with force: an empty one, and one that may have the data of a system',
    [larger, partitions],
    true,
    /vdf has partitions/,
  ],
  [
    'a system on a disk that is in use, and an empty one',
    [{ ...system, refusal: 'it is in use' }, a],
    false,
    /vdd already/,
  ],
  ['with force: two systems', [system, disk('/dev/vdz', { content: 'system' })], true, /several hold/],
])('refused: %s', (_, disks, force, why) => {
  expect(() => chooseDisk(disks, { force })).toThrow(why);
});

test('a refusal lists what there is', () => {
  expect(() => chooseDisk([a, b], { force: false })).toThrow('/dev/vda, 8.0 GiB, empty; /dev/vdb, 8.0 GiB, empty');
});
