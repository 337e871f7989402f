// Which image becomes the root and what the mode files say, decided by the initramfs' own script on a real mount; and what
// the check of an image finds before it takes over.

import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runChecked } from '../../../src/system/process.ts';
import { type InitramfsHost, initramfsHost, SHELLS } from './initramfs-shell.ts';

let host: InitramfsHost;
let state = '';
beforeEach(() => {
  host = initramfsHost();
  state = join(host.directory, 'state');
  mkdirSync(join(state, 'cOS'), { recursive: true });
});
afterEach(() => host.remove());

const UUIDS = { active: '11111111-1111-4111-8111-111111111111', passive: '22222222-2222-4222-8222-222222222222' };

async function makeImage(name: string, uuid: string): Promise<void> {
  const file = join(state, 'cOS', name);
  await runChecked(['truncate', '--size=256K', file]);
  await runChecked(['mkfs.ext2', '-q', '-F', '-U', uuid, file]);
}

/** Runs the slot script; what it left in /run: the link and each mode file as `path mode content`. */
async function choose(commandLine: string, { args = [] as string[], mounted = true, shell = 'dash' } = {}) {
  const result = await host.run('slot', args, {
    commandLine,
    shell,
    before: mounted ? `mkdir -p /run/initramfs/cos-state; mount --bind '${state}' /run/initramfs/cos-state` : '',
    after: `
      readlink /run/holdfast/slot.img || true
      for f in /run/cos/*_mode /run/elemental/*_mode; do
        [ ! -e "$f" ] || echo "$f $(stat -c %a "$f") $(cat "$f")"
      done
      [ ! -e /run/holdfast/failure ] || sed 's/^/failure: /' /run/holdfast/failure`,
  });
  return { status: result.status, said: result.stderr.trim(), left: result.stdout.trim().split('\n') };
}

const modeFiles = (mode: string) => ['cos', 'elemental'].map((name) => `/run/${name}/${mode}_mode 600 1`);
const at = (name: string) => `/run/initramfs/cos-state/cOS/${name}`;

describe('the image', () => {
  test.each([
    ['cos-img/filename=/cOS/active.img', 'active.img', 'active'],
    ['cos-img/filename=cOS/passive.img', 'passive.img', 'passive'],
    ['"cos-img/filename=//cOS/recovery.img"', 'recovery.img', 'recovery'],
    ['elemental.image=/cOS/recovery.squashfs', 'recovery.squashfs', 'recovery'],
    ['cos-img/filename=/cOS/other.img elemental.mode=passive', 'other.img', 'passive'],
    ['cos-img/filename=/cOS/running.img', 'running.img', 'active'],
    ['cos-img/filename=/cOS/outgoing.img', 'outgoing.img', 'active'],
    ['cos-img/filename=/cOS/leaving.img', 'leaving.img', 'active'],
  ])('%s', async (commandLine, image, mode) => {
    writeFileSync(join(state, 'cOS', image), '');
    for (const shell of SHELLS) {
      expect(await choose(commandLine, { shell })).toEqual({
        status: 0,
        said: '',
        left: [at(image), ...modeFiles(mode)],
      });
    }
  });

  test('of an unknown name has no mode', async () => {
    writeFileSync(join(state, 'cOS/other.img'), '');
    const commandLine = 'cos-img/filename=/cOS/other.img elemental.mode=../evil';
    expect(await choose(commandLine)).toEqual({ status: 0, said: '', left: [at('other.img')] });
  });

  test('is the one that the kernel came from, whatever it is called now', async () => {
    await makeImage('active.img', UUIDS.active);
    await makeImage('passive.img', UUIDS.passive);
    const commandLine = `cos-img/filename=/cOS/active.img holdfast.slot=${UUIDS.passive}`;
    expect(await choose(commandLine)).toEqual({
      status: 0,
      said: 'holdfast: /cOS/passive.img has the running kernel, not /cOS/active.img; it becomes the root',
      left: [at('passive.img'), ...modeFiles('passive')],
    });
  });

  test.each([
    ['cos-img/filename=/cOS/active.img', 'there is no /cOS/active.img on the partition with the system images'],
    ['cos-img/filename=/cOS/../../../etc/passwd', 'cos-img/filename is no path of an image'],
    ['cos-img/filename=/..', 'cos-img/filename is no path of an image'],
    ['cos-img/filename=/', 'cos-img/filename is no path of an image'],
    ['cos-img/filename=/cOS', 'there is no /cOS on the partition with the system images'],
    [
      `cos-img/filename=/cOS/active.img holdfast.slot=${UUIDS.active}`,
      `no image has the UUID ${UUIDS.active}, which the running kernel came from (left.txt )`,
    ],
  ])('%s: it fails and says why', async (commandLine, reason) => {
    writeFileSync(join(state, 'cOS/left.txt'), '');
    expect(await choose(commandLine)).toEqual({
      status: 1,
      said: `holdfast: ${reason}`,
      left: [`failure: ${reason}`],
    });
  });

  test('needs its partition', async () => {
    const reason = 'the partition with the system images can not be mounted';
    expect(await choose('cos-img/filename=/x', { mounted: false })).toMatchObject({
      status: 1,
      left: [`failure: ${reason}`],
    });
  });
});

describe('a root overlay that this boot doesn’t look for', () => {
  const look = async (commandLine: string) => {
    const before = `mkdir -p /run/initramfs/cos-state; mount --bind '${state}' /run/initramfs/cos-state`;
    const after = 'cat /run/cos/rootoverlay 2> /dev/null || true';
    const { stdout, stderr, status } = await host.run('slot', [], { commandLine, before, after });
    return { status, said: stderr.trim(), record: stdout.trim().split('\n').slice(0, 3) };
  };
  test.each([
    [
      'active.img',
      'rd.live.overlay=/dev/sdb:/p rd.cos.rootoverlay=0',
      'skipped',
      'rd.cos.rootoverlay=0 is on the kernel command line',
    ],
    [
      'other.img',
      'overlay=/dev/sdb:/p rd.cos.rootoverlay=no',
      'skipped',
      'rd.cos.rootoverlay=0 is on the kernel command line',
    ],
    ['recovery.img', 'rd.live.overlay=/dev/sdb:/p', 'recovery', 'the recovery system never uses one'],
  ])('%s %s: it is said why', async (image, words, reason, message) => {
    writeFileSync(join(state, 'cOS', image), '');
    expect(await look(`cos-img/filename=/cOS/${image} ${words}`)).toEqual({
      status: 0,
      said: `holdfast: the root overlay is not used (${reason}): ${message}`,
      record: ['used=no', `reason=${reason}`, `message=${message}`],
    });
  });
  test.each(['rd.live.overlay=/dev/sdb:/p', 'rd.cos.rootoverlay=0', 'rd.cos.overlay=tmpfs'])(
    '%s: nothing is',
    async (words) => {
      writeFileSync(join(state, 'cOS/active.img'), '');
      expect(await look(`cos-img/filename=/cOS/active.img ${words}`)).toEqual({ status: 0, said: '', record: [''] });
    },
  );
});

test.each([
  ['root=live:CDLABEL=DISC rd.live.dir=/', 'live'],
  ['root=LABEL=COS_STATE cos-img/filename=/cOS/active.img rd.cos.disable', 'live'],
  ['rd.immucore.disable', 'live'],
  ['root=live:LABEL=COS_RECOVERY rd.live.dir=/ rd.live.squashimg=/cOS/recovery.squashfs', 'recovery'],
  ['root=live:LABEL=OTHER rd.live.squashimg=/cOS/recovery.squashfs', 'recovery'],
])('without an image file, %s means %s', async (commandLine, mode) => {
  expect(await choose(commandLine, { args: ['live'] })).toEqual({
    status: 0,
    said: '',
    left: ['', ...modeFiles(mode)].slice(1),
  });
});

describe('the check of an image', () => {
  let sysroot = '';
  function executable(path: string, text = '#!/bin/sh\n'): void {
    const file = join(sysroot, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, 0o755);
  }
  beforeEach(() => {
    sysroot = join(host.directory, 'sysroot');
    mkdirSync(join(sysroot, 'proc'), { recursive: true });
    executable('usr/bin/holdfast');
    executable('usr/lib/other-init');
    // As Debian has it: links that only mean something below the new root.
    symlinkSync('usr/lib', join(sysroot, 'lib'));
    mkdirSync(join(sysroot, 'usr/sbin'));
    symlinkSync('/usr/sbin', join(sysroot, 'sbin'));
    symlinkSync('/lib/other-init', join(sysroot, 'usr/sbin/init'));
  });
  async function check(commandLine = '') {
    const before = `export HOLDFAST_SYSROOT='${sysroot}'`;
    const after = 'cat /run/holdfast/failure 2> /dev/null || true';
    const { status, stdout } = await host.run('check', [], { commandLine, before, after });
    return { status, reason: stdout.trim() };
  }

  test('an init behind links of the new root is found', async () => {
    expect(await check()).toEqual({ status: 0, reason: '' });
  });
  test.each([
    [
      'holdfast is gone',
      () => rmSync(join(sysroot, 'usr/bin/holdfast')),
      'the image has no /usr/bin/holdfast that can be run',
    ],
    [
      'holdfast is empty',
      () => executable('usr/bin/holdfast', ''),
      'the image has no /usr/bin/holdfast that can be run',
    ],
    ['init is gone', () => rmSync(join(sysroot, 'usr/lib/other-init')), 'the image has no init that can be run'],
    ['init is a link to itself', () => loop(), 'the image has no init that can be run'],
    [
      'init can’t be executed',
      () => chmodSync(join(sysroot, 'usr/lib/other-init'), 0o644),
      'the image has no init that can be run',
    ],
    [
      'nothing is left',
      () => rmSync(join(sysroot, 'proc'), { recursive: true }),
      'the image holds no system (there is no /proc)',
    ],
    [
      'systemd does not run',
      () => executable('usr/lib/systemd/systemd', '#!/bin/gone\n'),
      'the image’s /usr/lib/systemd/systemd does not run'.replace('’', "'"),
    ],
  ])('%s', async (_, damage, reason) => {
    damage();
    expect(await check()).toEqual({ status: 1, reason });
  });
  test('init= is what counts', async () => {
    rmSync(join(sysroot, 'usr/lib/other-init'));
    executable('opt/init');
    expect(await check('init=/opt/init')).toEqual({ status: 0, reason: '' });
  });

  function loop(): void {
    rmSync(join(sysroot, 'usr/lib/other-init'));
    symlinkSync('other-init', join(sysroot, 'usr/lib/other-init'));
  }
});
