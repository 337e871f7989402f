// The main job on a booted machine: a package that was asked for at run time is there after an upgrade, the root stays
// immutable, and the version before is one boot away. About five minutes; the machine reaches no network but the lab's
// own package server.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureExecutable } from '../../lab/executable.ts';
import { Story } from '../../lab/main-job/story.ts';
import { DiskImage, settledTraces, slotText } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
let directory: string;
let story: Story;
const before = await settledTraces();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-story-'));
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

// Each step looks at what it did and throws when it isn't so; what is checked beyond that stands here.
describe('a package survives an upgrade', () => {
  test('the demo system is built in two versions', async () => {
    await story.buildImages();
  });

  test('both are published in a registry with a Notary server, of which only version 1 is signed', async () => {
    await story.publish();
  });

  test('version 1 is installed and leaves no mount and no loop device on this machine', async () => {
    await story.install();
    expect(await settledTraces()).toEqual(before);
  });

  test('it boots through UEFI and GRUB with a read-only root and no failed unit', async () => {
    await story.switchOn();
    expect(await story.prettyName()).toBe('Holdfast demo 1');
  });

  test('the root can not be written, /etc forgets, /usr/local remembers, the machine-id stays', async () => {
    await story.showImmutable();
  });

  test('a stage file with two `stages` keys asks for vim', async () => {
    await story.dropStageFile();
    const validated = await story.machine.run('holdfast validate /oem/install.yaml');
    expect(validated.status).toBe(0);
    expect(validated.stdout).toContain('/oem/install.yaml:3:1');
  });

  test('an image that nobody has signed is refused before anything is fetched; then it is signed', async () => {
    const before = story.publisher.front.requests.length;
    await story.showTrust();
    const asked = story.publisher.front.requests.slice(before).map(({ path }) => path);
    expect(asked.filter((path) => path.includes('/_trust/'))).not.toHaveLength(0);
    expect(asked.filter((path) => path.includes('/blobs/'))).toEqual([]);
  });

  test('a failing step refuses the upgrade, says which line, and changes nothing', async () => {
    const slots = 'ls -i /run/initramfs/cos-state/cOS; cat /run/initramfs/cos-state/state.yaml';
    const was = await story.machine.runChecked(slots);
    await story.machine.putFile('/oem/broken.yaml', 'stages:\n  after-upgrade-chroot:\n    - commands: ["exit 7"]\n');
    const refused = await story.machine.run(`holdfast upgrade ${story.image}`, { timeoutMs: 900_000 });
    expect(refused).toMatchObject({ status: 39, stderr: expect.stringContaining('/oem/broken.yaml:3') });
    expect(await story.machine.runChecked(slots)).toBe(was);
    await story.machine.runChecked('rm /oem/broken.yaml');
  });

  test('the upgrade to version 2 is completed without a warning but the one about the file', async () => {
    const before = story.publisher.front.requests.length;
    const { shown } = await story.upgrade();
    // Version 1's layer is there: what is fetched describes version 2, or is its own small layer.
    const fetched = story.publisher.front.requests.slice(before).reduce((sum, { bytes }) => sum + bytes, 0);
    expect(fetched).toBeGreaterThan(0);
    expect(fetched).toBeLessThan(1 << 20);
    expect(shown.join('\n')).toContain('passive the system that is running now');
    const state = await story.machine.runChecked('findmnt -no OPTIONS /run/initramfs/cos-state');
    expect(state).toMatch(/^ro,/);
    const warnings = await story.machine.runChecked('grep -c "^warning:" /run/upgrade.log');
    expect(warnings).toBe('1\n');
  });

  test('after the reboot version 2 runs with vim, and passive still holds version 1', async () => {
    await story.showUpgraded();
  });

  test('a rollback boots version 1 as the active system, a second one takes it back', async () => {
    await story.showRollback();
  });

  test('what the machine says is on the disk', async () => {
    await story.switchOff();
    await DiskImage.at(story.disk).withMounted('COS_STATE', async (state) => {
      expect(await slotText(state, 'active', '/usr/lib/os-release')).toContain('Holdfast demo 2');
      expect(await slotText(state, 'active', '/var/lib/dpkg/status')).toContain('Package: vim\n');
      expect(await slotText(state, 'passive', '/usr/lib/os-release')).toContain('Holdfast demo 1');
      expect(await slotText(state, 'passive', '/var/lib/dpkg/status')).not.toContain('Package: vim\n');
    });
    expect(await settledTraces()).toEqual(before);
  });
});
