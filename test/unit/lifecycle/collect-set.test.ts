import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeRoomInSet } from '../../../src/lifecycle/collect-set.ts';
import { writeBinding } from '../../../src/overlay/binding.ts';
import { parseFingerprint } from '../../../src/overlay/fingerprint.ts';
import { freeBytes } from '../../../src/system/filesystems.ts';

const MIB = 1 << 20;
const [ACTIVE, OLD, OLDER, FOREIGN] = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
  string,
];

let directory: string;
let set: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-set-'));
  set = join(directory, 'p');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const short = (fingerprint: string) => fingerprint.slice(0, 16);
const bases = new Set([short(ACTIVE)]);

/** A COW of 4 MiB. */
function cow(fingerprint: string, { parent, ending = '' }: { parent?: string; ending?: string } = {}): void {
  const file = `${set}.${short(fingerprint)}${ending}`;
  writeFileSync(file, Buffer.alloc(4 * MIB, 1));
  const [own, from] = [parseFingerprint(fingerprint), parseFingerprint(parent ?? '')];
  if (own === undefined || ending !== '') return;
  writeBinding(`${file}.bind`, {
    fingerprint: own,
    baseSizeBytes: 4096,
    created: '2026-11-20T10:00:00.000Z',
    ...(from && { parent: from }),
    state: 'ready',
    filesystem: 'ext4',
  });
}

const names = () => readdirSync(directory).sort();
/** More than there is, and as much as one COW gives. */
const wanted = () => [Number.MAX_SAFE_INTEGER, freeBytes(directory) + 2 * MIB];

test('what was carried on and belongs to no slot makes room, the oldest of it, and no more than is needed', () => {
  cow(OLDER);
  cow(OLD, { parent: OLDER });
  cow(ACTIVE, { parent: OLD });
  expect(makeRoomInSet(set, bases, wanted())).toHaveLength(2);
  expect(names()).toEqual([ACTIVE, OLD].flatMap((each) => [`p.${short(each)}`, `p.${short(each)}.bind`]));
});

test('the only copy of something stays, whatever is needed: one that was never carried, and what was set aside', () => {
  cow(FOREIGN);
  cow(OLD, { ending: '.aside-20261120T100000Z' });
  cow(ACTIVE);
  const before = names();
  expect(makeRoomInSet(set, bases, wanted())).toEqual([]);
  expect(names()).toEqual(before);
});

test('nothing goes where it wouldn’t help', () => {
  cow(OLD);
  cow(ACTIVE, { parent: OLD });
  const before = names();
  expect(makeRoomInSet(set, bases, [Number.MAX_SAFE_INTEGER])).toEqual([]);
  expect(names()).toEqual(before);
});

test('what a killed action has left goes first, of whichever base', () => {
  cow(FOREIGN, { ending: '.new' });
  cow(ACTIVE);
  expect(makeRoomInSet(set, bases, [])).toEqual([`p.${short(FOREIGN)}.new was removed: it was not finished`]);
  expect(names()).toEqual([`p.${short(ACTIVE)}`, `p.${short(ACTIVE)}.bind`]);
});

test('where a slot can’t be read nobody knows what is of use, and no overlay goes', () => {
  cow(OLD);
  cow(ACTIVE, { parent: OLD });
  const before = names();
  expect(makeRoomInSet(set, undefined, wanted())).toEqual([expect.stringContaining('a slot file can’t be read')]);
  expect(names()).toEqual(before);
});
