// The owner's view on a booted machine: a package by name, now; the same one after an upgrade; another one without a reboot; one
// that can't be installed; and gone again. After each step the machine says itself what happened, what differs and why. About
// six minutes; the machine reaches no network but the lab's own package server and registry.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureExecutable } from '../../lab/executable.ts';
import { Story } from '../../lab/main-job/story.ts';
import { settledTraces } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
/** A package manager in an emulated machine takes its time. */
const LONG = { timeoutMs: 900_000 };
const SLOTS = 'ls -i /run/initramfs/cos-state/cOS/active.img /run/initramfs/cos-state/cOS/passive.img';

let directory: string;
let story: Story;
const before = await settledTraces();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-owner-'));
  story = new Story({
    directory,
    executable: await ensureExecutable(log),
    signal: new AbortController().signal,
    log,
    offline: true,
  });
  await story.buildImages();
  await story.publish();
  await story.sign('v2');
  await story.install();
});
afterAll(async () => {
  await story?.end();
  rmSync(directory, { recursive: true, force: true });
});

const tell = (command: string) => story.machine.runChecked(command, LONG);
const has = async (program: string) => (await story.machine.run(`command -v ${program}`)).status === 0;

describe('what an owner asks for', () => {
  test('a package by name and at once: it is in the active system, which waits for its reboot', async () => {
    await story.switchOn();
    await story.usePackageServer();
    expect(await has('vim')).toBe(false);
    expect(await tell('holdfast file add /etc/apt/sources.list')).toContain('/etc/apt/sources.list');
    const said = await tell('holdfast pkg add vim --now 2>&1');
    expect(said).toContain('Apply completed\n');
    expect(said).toContain('  passive    the system that is running now\n');
    expect(await tell('holdfast status')).toMatch(/^active\s+Holdfast demo 1 .*next reboot/m);
    expect(await tell('holdfast diff active --all | grep bin/vim')).toMatch(
      /^\s*\+ \/usr\/bin\/vim\.basic {2}\(of vim 2:9\.0/m,
    );
    expect(await tell('holdfast pkg list')).toMatch(/^vim\b/m);
  });

  test('a package that can not be installed: every system stays, and the machine knows why', async () => {
    const was = await tell(SLOTS);
    const refused = await story.machine.run('holdfast pkg add no-such-editor --now', LONG);
    expect(refused.status).toBe(39);
    expect(refused.stderr).toMatch(/\/oem\/90_holdfast_owner\.yaml:\d+/);
    expect(refused.stderr).toMatch(/apt-get [^\n]*no-such-editor/);
    expect(refused.stderr).toContain('Unable to locate package no-such-editor');
    expect(await tell(SLOTS)).toBe(was);
    for (const command of ['holdfast status', 'holdfast history']) {
      const text = await tell(command);
      expect(text, command).toContain('no-such-editor');
    }
    const { entries } = JSON.parse(await tell('holdfast history --json'));
    expect(entries).toContainEqual(
      expect.objectContaining({
        kind: 'action',
        name: 'apply',
        outcome: 'refused',
        error: expect.objectContaining({
          message: expect.stringMatching(/\/oem\/90_holdfast_owner\.yaml:\d+/),
          outputTail: expect.stringContaining('no-such-editor'),
          exitStatus: 39,
        }),
      }),
    );
    await tell('holdfast pkg remove no-such-editor');
  });

  test('after the reboot vim is there, and the machine says who brought it', async () => {
    await story.restart();
    expect(await story.prettyName()).toBe('Holdfast demo 1');
    expect(await tell('vim --version')).toContain('VIM - Vi IMproved 9.0');
    const why = await tell('holdfast why /usr/bin/vim.basic');
    expect(why).toMatch(/\/oem\/90_holdfast_owner\.yaml:\d+/);
    expect(why).toContain('vim');
    expect(await tell('holdfast status')).toMatch(/^active\s+Holdfast demo 1 .*running/m);
    expect(await tell('holdfast history')).toContain('pkg add vim --now');
  });

  test('another one without a reboot: the running system has it, the next one too', async () => {
    const said = await tell('holdfast pkg add tree --apply-live 2>&1');
    expect(said).toMatch(/ {2}running {4}has them too: \d+ paths are new, \d+ files written until the reboot/);
    expect(await tell('tree --version')).toContain('tree v2');
    expect(await tell('dpkg-query -s tree | sed -n 2p')).toBe('Status: install ok installed\n');
    // The rest of the machine is as it was: what is mounted below /usr, and that nobody can write to it.
    expect(await tell('findmnt -no TARGET,OPTIONS /usr/local | tail -n 1')).toMatch(/^\/usr\/local rw,/);
    expect((await story.machine.run('touch /usr/bin/mine')).stderr).toContain('Read-only file system');
    expect(await tell('systemctl --failed --no-legend --plain')).toBe('');
    expect(await tell('holdfast status')).toMatch(/until the next reboot only: \d+ new paths in \/usr/);
  });

  test('an upgrade brings both along', async () => {
    await story.meetRegistry();
    await story.upgrade();
    await story.restart();
    expect(await story.prettyName()).toBe('Holdfast demo 2');
    expect(await tell('vim --version; tree --version')).toMatch(/Vi IMproved 9\.0[\s\S]*tree v2/);
    expect(await tell('systemctl --failed --no-legend --plain')).toBe('');
    expect(await tell('holdfast why /usr/bin/tree')).toMatch(/\/oem\/90_holdfast_owner\.yaml:\d+/);
    expect(await tell('holdfast diff --all | grep bin/tree')).toMatch(/^\s*\+ \/usr\/bin\/tree {2}\(of tree 2/m);
  });

  test('taken back at once, it is gone after the next reboot; the other one stays', async () => {
    // Nobody is needed for it.
    await tell('systemctl stop systemd-networkd.socket systemd-networkd');
    expect(await tell('holdfast pkg remove vim --now 2>&1')).toContain('Apply completed');
    await story.restart();
    expect(await story.prettyName()).toBe('Holdfast demo 2');
    expect([await has('vim'), await has('tree')]).toEqual([false, true]);
    const history = await tell('holdfast history');
    for (const words of ['pkg add vim --now', 'pkg add tree --apply-live', 'upgrade', 'pkg remove vim --now']) {
      expect(history).toContain(words);
    }
    expect(await tell('holdfast diff --all | grep -e bin/vim -e bin/tree')).toMatch(
      /^\s*\+ \/usr\/bin\/tree {2}\(of tree 2[^\n]*\n$/,
    );
  });

  test('nothing of it is left on this machine', async () => {
    await story.switchOff();
    expect(await settledTraces()).toEqual(before);
  });
});
