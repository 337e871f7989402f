// Which slot was booted, by the file behind the root's loop device, or behind those below a root overlay.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bootedSlot, slotLoopOf } from '../../../src/slots/booted.ts';

test.each([
  ['/run/initramfs/cos-state/cOS/active.img', 'active', false],
  ['/run/initramfs/cos-state/cOS/passive.img', 'passive', false],
  ['/cOS/recovery.img', 'recovery', false],
  ['/run/initramfs/cos-state/cOS/active.img (deleted)', 'active', true],
  ['/cOS/transition.img', undefined, false],
  [undefined, undefined, false],
])('%s is %s', (file, slot, replaced) => {
  expect(bootedSlot(file)).toEqual({ slot, replaced });
});

describe('below a root overlay', () => {
  const sys = mkdtempSync(join(tmpdir(), 'holdfast-sys-'));
  afterAll(() => rmSync(sys, { recursive: true }));
  const loop = (name: string, file: string, readOnly: boolean) => {
    mkdirSync(join(sys, name, 'loop'), { recursive: true });
    writeFileSync(join(sys, name, 'ro'), readOnly ? '1\n' : '0\n');
    writeFileSync(join(sys, name, 'loop/backing_file'), `${file}\n`);
  };
  const mapping = (name: string, slaves: readonly string[]) => {
    for (const slave of slaves) mkdirSync(join(sys, name, 'slaves', slave), { recursive: true });
  };
  loop('loop70', '/run/initramfs/overlay/active.img', false);
  loop('loop71', '/run/initramfs/cos-state/cOS/passive.img', true);
  loop('loop72', '/run/initramfs/overlay-memory/cow', false);
  loop('loop73', '/run/initramfs/overlay/persist.img', true);
  mapping('dm-71', ['loop70', 'loop71']);
  mapping('dm-72', ['loop71', 'loop73']);
  mapping('dm-73', ['dm-72', 'loop72']);
  mapping('dm-74', ['loop70']);

  test.each([
    ['/dev/loop5', '/dev/loop5'],
    // A COW may be called as a slot; a slot is never attached for writing.
    ['/dev/dm-71', '/dev/loop71'],
    // New changes go to memory: two snapshots on each other.
    ['/dev/dm-73', '/dev/loop71'],
    ['/dev/dm-74', undefined],
    ['/dev/vda1', undefined],
    ['tmpfs', undefined],
  ])('%s comes from %s', (source, expected) => {
    expect(slotLoopOf(source, sys)).toBe(expected);
  });
});
