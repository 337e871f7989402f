// An image that is larger than the slot it is unpacked into: the slot grows in the middle of an entry, and the tree is the
// one that comes out where there is room. Takes about five seconds.

import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLayout } from '../../../src/image/layout.ts';
import { measureImage } from '../../../src/image/measure.ts';
import { unpackLayers } from '../../../src/image/unpack.ts';
import { createSlotFile, growSlotFile } from '../../../src/slots/slot-file.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { writeLayers } from '../../unit/image/fixture.ts';
import { dir, file, hardlink, type Member, symlink, whiteout } from '../../unit/image/tarball.ts';
import { fullSnapshot } from './umoci.ts';

const MIB = 1 << 20;
const capability = { 'SCHILY.xattr.security.capability': Buffer.from(`01000002${'20'.padEnd(32, '0')}`, 'hex') };
/** Too large for an inode: it takes a block of its own. */
const large = (index: number) => ({ 'SCHILY.xattr.user.large': Buffer.alloc(3000, `${index} `) });

/** What fills a slot: contents, names, attributes, and a file that lies in several growths. */
const LAYERS: Member[][] = [
  [
    dir('.', { mtime: 1_400_000_000 }),
    dir('d', { mtime: 1_400_000_001, mode: 0o2750, gid: 5 }),
    ...Array.from({ length: 40 }, (_, i) =>
      file(`d/${i}`, Buffer.alloc(MIB / 2, `${i} `), { mtime: 1_500_000_000 + i }),
    ),
    file('d/capable', 'x', { pax: capability }),
    file('large', Buffer.alloc(30 * MIB, 'large'), { mode: 0o4755, pax: capability }),
  ],
  [
    ...Array.from({ length: 3000 }, (_, i) =>
      file(`many/${i}`, i % 3 === 0 ? `${i}` : '', { pax: i % 5 ? {} : large(i) }),
    ),
    ...Array.from({ length: 300 }, (_, i) => symlink(`links/${i}`, `../many/${'x'.repeat(80)}${i}`)),
    hardlink('again', 'large'),
    whiteout('d/.wh.7'),
  ],
];

let directory: string;
let slot: string;
let target: string;
let loop: UndoStack;
beforeEach(() => {
  loop = new UndoStack();
  directory = mkdtempSync(join(tmpdir(), 'holdfast-room-'));
  slot = join(directory, 'slot.img');
  target = join(directory, 'target');
  mkdirSync(target);
});
afterEach(async () => {
  if (statSync(target).dev !== statSync(directory).dev) await closeSlot();
  rmSync(directory, { recursive: true, force: true });
});

/** On a loop device of its own, as an upgrade does it: mount(8) takes one that the file still has, with its old size. */
async function openSlot(): Promise<void> {
  const { device } = await attachLoop(loop, slot);
  await mount(device, target);
}

async function closeSlot(): Promise<void> {
  await unmount(target);
  expect(await loop.unwind(false)).toEqual([]);
}

test('a slot that is too small grows while it is filled', async () => {
  await writeLayers(`${directory}/layout`, 'v1', LAYERS);
  const image = await openLayout(`${directory}/layout`);
  mkdirSync(`${directory}/expected`);
  await unpackLayers(image, image.layers, `${directory}/expected`);
  await createSlotFile(slot, { sizeBytes: 8 * MIB, label: 'SMALL' });
  await openSlot();
  let growths = 0;
  const { counted } = await unpackLayers(image, image.layers, target, {
    makeRoom: async () => {
      growths += 1;
      await closeSlot();
      await growSlotFile(slot, statSync(slot).size + 8 * MIB);
      await openSlot();
    },
  });
  const { 'lost+found': _, ...tree } = fullSnapshot(target);
  expect(tree).toEqual(fullSnapshot(`${directory}/expected`));
  expect(growths).toBeGreaterThan(3);
  const { contentBytes, entries } = await measureImage(image);
  expect(counted).toEqual({ contentBytes, entries });
});

test('a slot that can not grow is an error with the reason that was given', async () => {
  await writeLayers(`${directory}/layout`, 'v1', LAYERS);
  const image = await openLayout(`${directory}/layout`);
  await createSlotFile(slot, { sizeBytes: 8 * MIB, label: 'SMALL' });
  await openSlot();
  const unpacking = unpackLayers(image, image.layers, target, {
    makeRoom: () => Promise.reject(new HoldfastError('HF-NO-SPACE', 'the partition is full')),
  });
  await expect(unpacking).rejects.toMatchObject({ code: 'HF-NO-SPACE', message: 'the partition is full' });
  await expect(unpackLayers(image, image.layers.slice(1), target)).rejects.toMatchObject({
    code: 'HF-NO-SPACE',
    message: expect.stringContaining('no space is left in the target for'),
  });
});
