// What is given up for room before an upgrade is refused: what was fetched of other images, what was fetched of this one,
// and what nobody vouches for.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../../src/image/digest.ts';
import type { Image } from '../../../src/image/image.ts';
import { isFinal } from '../../../src/lifecycle/fill-slot.ts';
import { askForRoom, fetchedDigests, sayWhatGoes, withRoomFor } from '../../../src/lifecycle/upgrade-room.ts';
import { FETCH_DIRECTORY } from '../../../src/slots/names.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import type { EventSink } from '../../../src/system/events.ts';
import { temporaryDirectory } from '../image/fixture.ts';

const [digest, layer, other] = ['image', 'layer', 'other'].map((text) => digestOf(text));
const image = { kind: 'oci', digest, layers: [{ digest: layer }] } as unknown as Image;
const noRoom = () => new HoldfastError('HF-NO-SPACE', 'no room');
const KIB = 1024;

let said: string[];
let session: { events: EventSink };
beforeEach(() => {
  said = [];
  session = { events: (event) => said.push(event.type === 'notice' ? event.text : event.type) };
});

describe('what was fetched', () => {
  let state: string;
  const asked: number[] = [];
  const needs = (bytes: number) => (reclaimable: number) => {
    asked.push(reclaimable);
    if (reclaimable < bytes) throw noRoom();
  };
  beforeEach(() => {
    asked.length = 0;
    state = temporaryDirectory();
    mkdirSync(join(state, FETCH_DIRECTORY), { recursive: true });
    const put = (name: string, kib: number) =>
      writeFileSync(join(state, FETCH_DIRECTORY, name), Buffer.alloc(kib * KIB, 1));
    put(`${hexOf(digest ?? digestOf(''))}.chunks`, 64);
    put(`${hexOf(layer ?? digestOf(''))}.part`, 64);
    put(`${hexOf(other ?? digestOf(''))}.part`, 64);
  });

  test.each([
    ['nothing more is needed', 0, true],
    ['that of other images is enough', 64 * KIB, true],
    ['all of it is needed', 192 * KIB, false],
  ])('%s', (_, bytes, isKept) => {
    const kept = askForRoom(state, image, needs(bytes));
    expect(kept).toEqual(isKept ? [digest, layer] : []);
    sayWhatGoes(session, { stateDirectory: state, image, kept });
    expect(said).toEqual(
      isKept ? [] : ['what an earlier upgrade has fetched of this image (128 KiB) is given up: its room is needed'],
    );
  });

  test('is not enough: that is the error, and every other error stays what it is', () => {
    expect(() => askForRoom(state, image, needs(2 ** 30))).toThrow('no room');
    expect(asked).toEqual([64 * KIB, 192 * KIB]);
    const ask = () => {
      throw new Error('another');
    };
    expect(() => askForRoom(state, image, ask)).toThrow('another');
  });

  test('nothing was: nobody is asked twice', () => {
    const empty = temporaryDirectory();
    expect(() => askForRoom(empty, image, needs(1))).toThrow('no room');
    expect(asked).toEqual([0]);
    sayWhatGoes(session, { stateDirectory: empty, image, kept: [] });
    expect(said).toEqual([]);
  });

  test('a tree has no digests', () => {
    expect(fetchedDigests({ kind: 'dir' } as unknown as Image)).toEqual([]);
  });
});

describe('a difference that needs more room than there is', () => {
  const found: { prepared: string | undefined } = { prepared: 'a delta' };
  const plain = { prepared: undefined };
  const attempt = async (start: { prepared: string | undefined }) => {
    if (start.prepared !== undefined) throw noRoom();
    return start;
  };

  test('is left out, and that is said', async () => {
    expect(await withRoomFor(session, found, () => plain, attempt)).toBe(plain);
    expect(said).toEqual(['there is no room for writing only what differs, so the image is taken as a whole: no room']);
  });

  test('without one it is an error, as every other one is', async () => {
    const fails = async () => {
      throw noRoom();
    };
    await expect(withRoomFor(session, plain, () => plain, fails)).rejects.toThrow('no room');
    const breaks = async () => {
      throw new HoldfastError('HF-INTERRUPTED', 'interrupted');
    };
    await expect(withRoomFor(session, found, () => plain, breaks)).rejects.toThrow('interrupted');
    expect(said).toEqual([]);
  });
});

test.each([
  ['HF-INTERRUPTED', true, true],
  ['HF-NETWORK', true, false],
  ['HF-NO-SPACE', false, false],
  ['HF-DIGEST', false, false],
] as const)(
  '%s while a difference is written: the end (%s), the end with an index that nobody vouches for (%s)',
  (code, alone, withIndex) => {
    const failure = new HoldfastError(code, 'failed');
    expect(isFinal(failure, { proofs: [] })).toBe(alone);
    expect(isFinal(failure, { proofs: ['an index'] })).toBe(withIndex);
  },
);
