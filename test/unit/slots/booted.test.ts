// Which slot was booted, by the file behind the root's loop device.

import { expect, test } from 'vitest';
import { bootedSlot } from '../../../src/slots/booted.ts';

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
