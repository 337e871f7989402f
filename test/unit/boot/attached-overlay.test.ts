// The record of the root overlay: what is written is read back, and whatever else is in the file does no harm.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type AttachedOverlay,
  parseAttachedOverlay,
  renderAttachedOverlay,
} from '../../../src/boot/attached-overlay.ts';

const USED: AttachedOverlay = {
  used: true,
  device: '/dev/sdb',
  path: '/persist-hda.img',
  source: '/dev/vdb',
  file: '/run/initramfs/overlay/persist-hda.img.3f9c1a7be0428d11',
  fp: '3f9c1a7be0428d11'.repeat(4),
  backing: '/run/initramfs/overlay',
  base: '/run/initramfs/base',
  readonly: false,
  permission: 'rw',
};

test('an overlay that is used', () => {
  expect(renderAttachedOverlay(USED)).toBe(`used=yes
device=/dev/sdb
path=/persist-hda.img
source=/dev/vdb
file=/run/initramfs/overlay/persist-hda.img.3f9c1a7be0428d11
fp=${USED.fp}
backing=/run/initramfs/overlay
base=/run/initramfs/base
readonly=no
permission=rw
`);
  expect(parseAttachedOverlay(renderAttachedOverlay(USED))).toEqual(USED);
});

test('what a shell script wrote in its place, with little in it', () => {
  expect(parseAttachedOverlay('used=no\nreason=failed\nmessage=a = b\n\nnonsense\n=x\n')).toEqual({
    used: false,
    reason: 'failed',
    message: 'a = b',
    readonly: false,
    permission: 'ro',
  });
});

test('a value from the command line can’t add a line of its own', () => {
  const text = renderAttachedOverlay({ ...USED, used: false, path: '/x\nused=yes\r\u0000' });
  expect(text).toContain('\npath=/x used=yes \n');
  expect(parseAttachedOverlay(text).used).toBe(false);
});

test('any text is read without an error, and what was read is stable', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const once = parseAttachedOverlay(text);
      const again = parseAttachedOverlay(renderAttachedOverlay(once));
      expect(parseAttachedOverlay(renderAttachedOverlay(again))).toEqual(again);
    }),
  );
});
