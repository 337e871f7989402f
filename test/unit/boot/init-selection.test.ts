// What init puts into an image by its service manager and its package manager.

import { expect, test } from 'vitest';
import { filesFor } from '../../../src/boot/init-selection.ts';
import { OS_FILES } from '../../../src/boot/os-files.generated.ts';

const paths = (systemd: boolean, openrc: boolean, apt = true) =>
  Object.keys(filesFor(OS_FILES, { systemd, openrc, apt }));
const ofOpenRc = (path: string) => /\/(init\.d|runlevels|conf\.d)\/|openrc|reconcile-loop/.test(path);
const ofSystemd = (path: string) => path.includes('/systemd/');

test('systemd: no file of OpenRC, and everything else', () => {
  expect(paths(true, false)).toEqual(Object.keys(OS_FILES).filter((path) => !ofOpenRc(path)));
});

test('OpenRC: no unit, and everything else', () => {
  const found = paths(false, true);
  expect(found).toEqual(Object.keys(OS_FILES).filter((path) => !ofSystemd(path)));
  for (const stage of ['fs', 'boot', 'network', 'reconcile']) {
    expect(found).toContain(`/etc/init.d/cos-setup-${stage}`);
    const level = stage === 'fs' ? 'boot' : 'default';
    expect(OS_FILES[`/etc/runlevels/${level}/cos-setup-${stage}`]).toEqual({ link: `/etc/init.d/cos-setup-${stage}` });
  }
});

test('apt: its hook, and nothing of it elsewhere', () => {
  const hook = ['/etc/apt/apt.conf.d/90holdfast-overlay', '/usr/lib/holdfast/keep-packages'];
  expect(paths(true, true)).toEqual(expect.arrayContaining(hook));
  expect(paths(true, true, false)).toEqual(Object.keys(OS_FILES).filter((path) => !hook.includes(path)));
});

test('both: both', () => {
  expect(paths(true, true)).toEqual(Object.keys(OS_FILES));
});
