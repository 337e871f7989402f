// The main job and the owner's view, on one booted machine: what was asked for at run time is there after an upgrade, by a stage
// file, by name at once, and without a reboot; the root stays immutable, the version before is one boot away, what can't be
// installed or isn't signed changes nothing, and the machine says itself what happened, what differs and why. Five boots,
// about seven minutes; the machine reaches no network but the lab's own package server and registry.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureExecutable } from '../../lab/executable.ts';
import { Story } from '../../lab/main-job/story.ts';
import { DiskImage, settledTraces, slotText } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
/** A package manager in an emulated machine takes its time. */
const LONG = { timeoutMs: 900_000 };
const COS = '/run/initramfs/cos-state/cOS';
const SLOTS = `ls -i ${COS}/active.img ${COS}/passive.img`;

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
});
afterAll(async () => {
  await story?.end();
  rmSync(directory, { recursive: true, force: true });
});

const tell = (command: string) => story.machine.runChecked(command, LONG);
const has = async (program: string) => (await story.machine.run(`command -v ${program}`)).status === 0;

// Each step of the story looks at what it did and throws when it isn't so; what is checked beyond that stands here.
describe('version 1', () => {
  test('is published with version 2, and is the only one that is signed', async () => {
    await story.buildImages();
    await story.publish();
  });

  test('is installed, and leaves no mount and no loop device on this machine', async () => {
    await story.install();
    expect(await settledTraces()).toEqual(before);
  });

  test('boots through UEFI and GRUB with a read-only root and no failed unit', async () => {
    await story.switchOn();
    expect(await story.prettyName()).toBe('Holdfast demo 1');
  });
});

describe('what an owner asks for', () => {
  test('a package by name and at once: it is in the active system, which waits for its reboot', async () => {
    await story.usePackageServer();
    expect(await has('tree')).toBe(false);
    expect(await tell('holdfast file add /etc/apt/sources.list')).toContain('/etc/apt/sources.list');
    const said = await tell('holdfast pkg add tree --now 2>&1');
    expect(said).toContain('Apply completed\n');
    expect(said).toContain('  passive    the system that is running now\n');
    expect(await tell('holdfast status')).toMatch(/^active\s+Holdfast demo 1 .*next reboot/m);
    expect(await tell('holdfast diff active --all | grep bin/tree')).toMatch(/^\s*\+ \/usr\/bin\/tree {2}\(of tree 2/m);
    expect(await tell('holdfast pkg list')).toMatch(/^tree\b/m);
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

  test('the root can not be written, /etc forgets, /usr/local remembers, the machine-id stays', async () => {
    await story.showImmutable();
  });

  test('after that reboot the package is there, and the machine says who brought it', async () => {
    expect(await story.prettyName()).toBe('Holdfast demo 1');
    expect(await tell('tree --version')).toContain('tree v2');
    const why = await tell('holdfast why /usr/bin/tree');
    expect(why).toMatch(/\/oem\/90_holdfast_owner\.yaml:\d+/);
    expect(why).toContain('tree');
    expect(await tell('holdfast status')).toMatch(/^active\s+Holdfast demo 1 .*running/m);
    expect(await tell('holdfast history')).toContain('pkg add tree --now');
  });

  test('another one without a reboot: the running system has it, the next one too', async () => {
    const said = await tell('holdfast pkg add xxd --apply-live 2>&1');
    expect(said).toMatch(/ {2}running {4}has them too: \d+ paths are new, \d+ files written until the reboot/);
    expect(await tell('echo | xxd')).toContain('00000000: 0a');
    expect(await tell('dpkg-query -s xxd | sed -n 2p')).toBe('Status: install ok installed\n');
    // The rest of the machine is as it was: what is mounted below /usr, and that nobody can write to it.
    expect(await tell('findmnt -no TARGET,OPTIONS /usr/local | tail -n 1')).toMatch(/^\/usr\/local rw,/);
    expect((await story.machine.run('touch /usr/bin/mine')).stderr).toContain('Read-only file system');
    expect(await tell('systemctl --failed --no-legend --plain')).toBe('');
    expect(await tell('holdfast status')).toMatch(/until the next reboot only: \d+ new paths in \/usr/);
  });

  test('a stage file with two `stages` keys asks for vim', async () => {
    await story.dropStageFile();
    const validated = await story.machine.run('holdfast validate /oem/install.yaml');
    expect(validated.status).toBe(0);
    expect(validated.stdout).toContain('/oem/install.yaml:3:1');
  });
});

describe('an upgrade', () => {
  test('to an image that nobody has signed is refused before anything is fetched; then it is signed', async () => {
    const asked = story.publisher.front.requests.length;
    await story.showTrust();
    const paths = story.publisher.front.requests.slice(asked).map(({ path }) => path);
    expect(paths.filter((path) => path.includes('/_trust/'))).not.toHaveLength(0);
    expect(paths.filter((path) => path.includes('/blobs/'))).toEqual([]);
  });

  test('with a failing step is refused, says which line, and changes nothing', async () => {
    const everything = `ls -i ${COS}; cat ${COS}/../state.yaml`;
    const was = await tell(everything);
    await story.machine.putFile('/oem/broken.yaml', 'stages:\n  after-upgrade-chroot:\n    - commands: ["exit 7"]\n');
    const refused = await story.machine.run(`holdfast upgrade ${story.image}`, LONG);
    expect(refused).toMatchObject({ status: 39, stderr: expect.stringContaining('/oem/broken.yaml:3') });
    expect(await tell(everything)).toBe(was);
    await tell('rm /oem/broken.yaml');
  });

  test('to version 2 is completed without a warning but the one about the file', async () => {
    const asked = story.publisher.front.requests.length;
    const { shown } = await story.upgrade();
    // Version 1's layer is there: what is fetched describes version 2, or is its own small layer.
    const fetched = story.publisher.front.requests.slice(asked).reduce((sum, { bytes }) => sum + bytes, 0);
    expect(fetched).toBeGreaterThan(0);
    expect(fetched).toBeLessThan(1 << 20);
    // The running system is the passive one since the last package came.
    expect(shown.join('\n')).toContain('passive unchanged');
    expect(await tell('findmnt -no OPTIONS /run/initramfs/cos-state')).toMatch(/^ro,/);
    expect(await tell('grep -c "^warning:" /run/upgrade.log')).toBe('1\n');
  });

  test('brings everything along: after the reboot version 2 runs with all three', async () => {
    await story.showUpgraded();
    expect(await tell('tree --version; echo | xxd')).toMatch(/tree v2[\s\S]*00000000: 0a/);
    expect(await tell('systemctl --failed --no-legend --plain')).toBe('');
    expect(await tell('holdfast why /usr/bin/tree')).toMatch(/\/oem\/90_holdfast_owner\.yaml:\d+/);
    expect(await tell('holdfast diff --all | grep bin/tree')).toMatch(/^\s*\+ \/usr\/bin\/tree {2}\(of tree 2/m);
    expect(await tell('holdfast why /usr/bin/vim.basic')).toContain('/oem/install.yaml:');
  });

  test('is taken back by a rollback, and a second one takes that back', async () => {
    await story.showRollback();
  });
});

describe('taken back', () => {
  test('at once, what was asked for is gone after the next reboot, in the system that was to boot; the rest stays', async () => {
    // Nobody is needed for it: the rest comes from the files that were kept.
    await tell('rm /oem/install.yaml; systemctl stop systemd-networkd.socket systemd-networkd');
    expect(await tell('holdfast pkg remove tree --now 2>&1')).toContain('Apply completed');
    await story.restart();
    expect(await story.prettyName()).toBe('Holdfast demo 2');
    expect([await has('tree'), await has('xxd'), await has('vim')]).toEqual([false, true, false]);
    const history = await tell('holdfast history');
    for (const words of ['pkg add tree --now', 'pkg add xxd --apply-live', 'upgrade', 'pkg remove tree --now']) {
      expect(history).toContain(words);
    }
    expect(await tell('holdfast diff --all | grep -e bin/tree -e bin/xxd')).toMatch(
      /^\s*\+ \/usr\/bin\/xxd {2}\(of xxd 2[^\n]*\n$/,
    );
  });

  test('is what the machine says on its disk, and nothing of it is left on this machine', async () => {
    await story.switchOff();
    await DiskImage.at(story.disk).withMounted('COS_STATE', async (state) => {
      expect(await slotText(state, 'active', '/usr/lib/os-release')).toContain('Holdfast demo 2');
      const packages = await slotText(state, 'active', '/var/lib/dpkg/status');
      expect(packages).toContain('Package: xxd\n');
      expect(packages).not.toMatch(/^Package: (?:tree|vim)$/m);
      expect(await slotText(state, 'passive', '/usr/lib/os-release')).toContain('Holdfast demo 1');
      expect(await slotText(state, 'passive', '/var/lib/dpkg/status')).toMatch(/^Package: tree$/m);
    });
    expect(await settledTraces()).toEqual(before);
  });
});
