// Reading bootargs.cfg and os-release, and the check that a tree can boot.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  findsRootByImageLabel,
  literalSettings,
  parseOsRelease,
  requireBootable,
} from '../../../src/lifecycle/bootable.ts';
import { Root } from '../../../src/system/root.ts';

let root: Root;
beforeEach(() => {
  root = new Root(mkdtempSync(join(tmpdir(), 'holdfast-bootable-')));
  root.writeFile('/etc/cos/bootargs.cfg', 'set kernel=/boot/vmlinuz\nset initramfs="/boot/initrd"\n');
  root.writeFile('/boot/vmlinuz-6.1', 'kernel');
  root.link('/boot/vmlinuz', 'vmlinuz-6.1');
  root.writeFile('/boot/initrd', 'initrd');
  root.writeFile('/usr/lib/os-release', 'NAME=x\n');
});
afterEach(() => rmSync(root.directory, { recursive: true }));

test('a complete tree passes', () => {
  expect(() => requireBootable(root)).not.toThrow();
});

test.each([
  ['/boot/vmlinuz-6.1', 'it lacks /boot/vmlinuz (the kernel)'],
  ['/boot/initrd', 'it lacks /boot/initrd (the initramfs)'],
  ['/usr/lib/os-release', 'it lacks /etc/os-release'],
  ['/etc/cos/bootargs.cfg', 'it lacks /etc/cos/bootargs.cfg (the kernel arguments)'],
])('without %s it is refused', (path, message) => {
  root.remove(path);
  expect(() => requireBootable(root)).toThrow(message);
});

test('an empty initrd is as bad as none', () => {
  root.writeFile('/boot/initrd', '');
  expect(() => requireBootable(root)).toThrow('/boot/initrd');
});

test('only literal settings of bootargs.cfg are read', () => {
  const settings = literalSettings(
    'set a=/x\n  set b="y"\nset c=$img\nset d="$e f"\n# set g=h\nif [ a ]; then set i=j; fi\n',
  );
  expect([...settings]).toEqual([
    ['a', '/x'],
    ['b', 'y'],
  ]);
});

test('os-release gives only the names on the list, unquoted', () => {
  const text = `NAME="Debian GNU/Linux"\nPRETTY_NAME='Holdfast demo 1'\nIMAGE_VERSION=1\nIMAGE=hijack\nGRUB_ENTRY_NAME="a \\"b\\""\n`;
  expect(parseOsRelease(text)).toEqual({
    name: 'Debian GNU/Linux',
    prettyName: 'Holdfast demo 1',
    version: '1',
    menuEntry: 'a "b"',
  });
});

test.each([
  ['set kernelcmd="console=tty1 root=LABEL=$label cos-img/filename=$img panic=5"', true],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: GRUB's own spelling of a variable
  ['set kernelcmd="root=LABEL=${label} cos-img/filename=$img"', true],
  ['set kernelcmd="root=LABEL=COS_PASSIVE cos-img/filename=$img"', true],
  ['set kernelcmd="root=LABEL=$state_label cos-img/filename=$img cos.label=$label"', false],
  ['set kernelcmd="root=LABEL=COS_STATE cos-img/filename=$img"', false],
  ['# root=LABEL=$label is what cOS had\nset kernelcmd="root=LABEL=$state_label"', false],
  ['set kernelcmd="root=live:LABEL=$recoverylabel rd.live.dir=/"', false],
])('%s: the root is found by the label of the image file: %s', (bootargs, expected) => {
  expect(findsRootByImageLabel(bootargs)).toBe(expected);
});
