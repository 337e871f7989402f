// A slot whose size was estimated too small is filled all the same, and in the end has the room that its owner shall have.
// Takes about three seconds.

import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLayout } from '../../../src/image/layout.ts';
import { type BuildSlotAction, type BuildSlotState, buildSlotPerformers } from '../../../src/lifecycle/build-slot.ts';
import { TRANSITION_FILE } from '../../../src/slots/names.ts';
import { checkSlotFile, filledBytes } from '../../../src/slots/slot-file.ts';
import type { Event } from '../../../src/system/events.ts';
import { apply } from '../../../src/system/plan.ts';
import { BOOT_FILES, osRelease, TinyImages } from './tiny-image.ts';

const MIB = 1 << 20;

let images: TinyImages;
let directory: string;
beforeAll(() => {
  images = new TinyImages();
  directory = mkdtempSync(join(tmpdir(), 'holdfast-slot-room-'));
  mkdirSync(join(directory, 'cOS'));
});
afterAll(() => {
  images?.remove();
  rmSync(directory, { recursive: true, force: true });
});

test('a slot that is too small for the image grows, and gets room for packages', async () => {
  const content = 'content that is not there twice '.repeat(1 << 20);
  const large = Object.fromEntries([1, 2, 3, 4, 5].map((number) => [`usr/large${number}`, content]));
  await images.add('v1', [{ name: 'one', files: { ...BOOT_FILES, ...osRelease(1), ...large } }]);
  const state: BuildSlotState = {
    image: await openLayout(images.layout, { tag: 'v1' }),
    stateDirectory: directory,
    workDirectory: join(directory, 'work'),
    owner: {},
  };
  const actions: BuildSlotAction[] = [
    { kind: 'create-transition', summary: 'create', sizeBytes: 16 * MIB },
    { kind: 'unpack', summary: 'unpack', skipLayers: 0 },
  ];
  const notices: string[] = [];
  const events = (event: Event) => {
    if (event.type === 'notice') notices.push(event.text);
  };
  await apply({ title: 'Build', actions }, buildSlotPerformers, { state, events });
  const file = join(directory, TRANSITION_FILE);
  await checkSlotFile(file);
  expect(notices).toEqual([
    'The image is larger than expected: the slot grows from 16 MiB to 528 MiB',
    expect.stringMatching(/^The slot grows to 6\d\d MiB, of which 512 MiB are free$/),
  ]);
  expect(state.unpacked).toEqual({ contentBytes: 160 * MIB + 7 * 4096, entries: expect.any(Number) });
  const { size, blocks } = statSync(file);
  expect(size - filledBytes(file)).toBeGreaterThan(500 * MIB);
  // Preallocated to its end.
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
});
