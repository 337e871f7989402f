// Real installs and upgrades of a tiny image on a real disk image, without booting: what is on the disk afterwards, what
// a failing hook does, and that nothing is left behind on this machine. The upgrade finds its COS_STATE by label, as it
// does on live media.

import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readGrubEnvironment, writeGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { openImage } from '../../../src/image/image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { install } from '../../../src/lifecycle/apply-install.ts';
import { type UpgradeResult, upgrade } from '../../../src/lifecycle/apply-upgrade.ts';
import type { Strictness } from '../../../src/lifecycle/hooks.ts';
import { hasBootCode, openDisk } from '../../../src/slots/disk.ts';
import { hasInstallMark } from '../../../src/slots/install-mark.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import { probeFilesystem } from '../../../src/system/filesystems.ts';
import { runChecked } from '../../../src/system/process.ts';
import { DiskImage, machineTraces, slotText, writeToExt4 } from './disk-image.ts';
import { BOOT_FILES, osRelease, TinyImages } from './tiny-image.ts';

const NOW = '2026-11-20T10:00:00.000Z';
const DISK_MIB = 4096;
const AGAIN = 'The image may be larger than what there is room for: it is read once to know';
const ALL = ['COS_STATE', 'COS_OEM', 'COS_PERSISTENT'];

let images: TinyImages;
let disk: DiskImage;
const digests: Record<string, string> = {};

beforeAll(async () => {
  images = new TinyImages();
  const base = { name: 'base', files: { ...BOOT_FILES, ...osRelease(1), 'usr/share/old': 'goes away' } };
  digests['v1'] = await images.add('v1', [base]);
  digests['v2'] = await images.add('v2', [
    base,
    { name: 'second', files: { ...osRelease(2), 'usr/share/new': 'v2', 'usr/share/old': undefined } },
  ]);
  digests['other'] = await images.add('other', [{ name: 'other', files: { ...BOOT_FILES, ...osRelease(3) } }]);
  await images.add('no-kernel', [
    { name: 'no-kernel', files: { ...BOOT_FILES, ...osRelease(4), 'boot/vmlinuz': undefined } },
  ]);
  await images.add('damaged', [{ name: 'damaged', files: { ...BOOT_FILES, ...osRelease(5), 'usr/x': 'damaged' } }]);
  images.damage('damaged');
  disk = DiskImage.create(DISK_MIB);
});
afterAll(() => {
  images?.remove();
  disk?.remove();
});

const open = (tag: string) => openImage(parseImageSource(`oci-layout:${images.layout}:${tag}`));

async function installTag(tag: string, target = disk.file, options: { force?: boolean } = {}) {
  return install(
    {
      image: await open(tag),
      target,
      strictness: 'chroot',
      force: options.force ?? false,
      cloudInit: [],
      bootEntry: false,
    },
    { command: 'test', now: NOW },
  );
}

/** An upgrade of the disk from the outside, with stage files in its /oem. */
function upgradeTo(
  tag: string,
  options: { oem?: Record<string, string>; strictness?: Strictness; force?: boolean } = {},
): Promise<UpgradeResult> {
  return disk.withPartitions(ALL, async (devices) => {
    for (const [name, text] of Object.entries(options.oem ?? {}))
      await writeToExt4(disk, devices['COS_OEM'] ?? '', name, text);
    return upgrade(
      { image: await open(tag), strictness: options.strictness ?? 'chroot', force: options.force ?? false },
      { command: 'test', now: NOW },
    );
  });
}

const uuidOf = async (state: string, slot: string) => (await probeFilesystem(join(state, 'cOS', `${slot}.img`))).uuid;

describe('install', () => {
  test.each([
    ['an image without a kernel', 'no-kernel', 'HF-NOT-BOOTABLE', "the image can't boot: it lacks /boot/vmlinuz"],
    ['a damaged image', 'damaged', 'HF-DIGEST', /^layer sha256:\w+ has the digest sha256:\w+ instead of sha256:\w+$/],
  ])('%s leaves an empty disk that can not start, and may be installed on again', async (_, tag, code, message) => {
    await expect(installTag(tag)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    const image = await openDisk(disk.file);
    expect([hasInstallMark(image), hasBootCode(image)]).toEqual([true, false]);
  });

  test('where the room was guessed too small, the image is read once and the install begins anew', async () => {
    const guessed = DiskImage.create(DISK_MIB);
    const seen: string[] = [];
    const result = await install(
      {
        image: await open('v1'),
        target: guessed.file,
        strictness: 'chroot',
        force: false,
        cloudInit: [],
        bootEntry: false,
      },
      {
        command: 'test',
        now: NOW,
        events: (event) => {
          if (event.type === 'notice') seen.push(event.text);
          else if (event.type === 'action-start') seen.push(event.summary);
        },
        beforeAction: () => {
          // As a partition that is too small would, when the slot was made.
          if (!seen.includes(AGAIN) && seen.some((text) => text.startsWith('Create the slot'))) {
            throw new HoldfastError('HF-NO-SPACE', 'the partition is full');
          }
        },
      },
    );
    expect(result).toMatchObject({ outcome: 'ok', facts: { measured: { exact: true } } });
    const after = seen.slice(seen.indexOf(AGAIN) + 1);
    expect(seen.slice(0, seen.indexOf(AGAIN)).some((text) => text.startsWith('Partition '))).toBe(true);
    expect(after.some((text) => text.startsWith('Partition '))).toBe(true);
    await guessed.withMounted('COS_STATE', (state) => expect(existsSync(join(state, 'cOS/active.img'))).toBe(true));
    guessed.remove();
  });

  test('of a disk with something on it nothing changes before all of the image was checked', async () => {
    const used = DiskImage.create(DISK_MIB);
    writeFileSync(used.file, 'something', { flag: 'r+' });
    for (const tag of ['no-kernel', 'damaged']) {
      await expect(installTag(tag, used.file, { force: true })).rejects.toMatchObject({
        code: tag === 'damaged' ? 'HF-DIGEST' : 'HF-NOT-BOOTABLE',
      });
    }
    expect(statSync(used.file).blocks).toBeLessThan(100);
    used.remove();
  });

  test('a disk that is too small is refused with figures and not touched', async () => {
    const small = DiskImage.create(1024);
    await expect(installTag('v1', small.file)).rejects.toMatchObject({
      code: 'HF-TARGET',
      message: expect.stringMatching(/^the disk is too small: it has 1024 MiB, and this image needs at least \d+ MiB$/),
    });
    expect(statSync(small.file).blocks).toBe(0);
    small.remove();
  });

  test('partitions, slots, boot loader, environment blocks and records are there, and nothing is left behind', async () => {
    const before = machineTraces();
    const result = await installTag('v1');
    expect(machineTraces()).toEqual(before);
    expect(result).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 1', warnings: [] });

    await disk.withMounted('COS_STATE', async (state) => {
      for (const [slot, label] of [
        ['active', 'COS_ACTIVE'],
        ['passive', 'COS_PASSIVE'],
      ] as const) {
        expect(await probeFilesystem(join(state, 'cOS', `${slot}.img`))).toMatchObject({ type: 'ext4', label });
        expect(await slotText(state, slot, '/etc/os-release')).toContain('Tiny 1');
      }
      expect(readGrubEnvironment(join(state, 'grub_oem_env')).get('default_menu_entry')).toBe('Tiny');
      expect(readFileSync(join(state, 'grub2/grub.cfg'), 'utf8')).toBe('# menu\n');
      expect(readState(join(state, 'state.yaml')).state.active).toMatchObject({
        digest: digests['v1'],
        uuid: await uuidOf(state, 'active'),
        fromAction: 'install',
      });
    });
    await disk.withMounted('COS_RECOVERY', async (recovery) => {
      expect(await probeFilesystem(join(recovery, 'cOS/recovery.img'))).toMatchObject({ label: 'COS_SYSTEM' });
      expect(existsSync(join(recovery, 'state.yaml'))).toBe(true);
    });
    await disk.withMounted('COS_OEM', (oem) => {
      expect(readFileSync(join(oem, 'grubenv')).length).toBe(1024);
    });
    await disk.withPartitions(['COS_GRUB'], async (devices) => {
      const listed = await runChecked(['mdir', '-b', '-i', devices['COS_GRUB'] ?? '', '::/EFI/BOOT']);
      expect(listed.toUpperCase()).toContain('BOOTX64.EFI');
    });
  });

  test('a disk with a system is refused without --force', async () => {
    await expect(installTag('v1')).rejects.toMatchObject({ code: 'HF-ALREADY-INSTALLED', exitStatus: 57 });
  });

  test('a disk in use is refused even with --force', async () => {
    await disk.withMounted('COS_STATE', async () => {
      await expect(installTag('v1', disk.file, { force: true })).rejects.toMatchObject({
        code: 'HF-TARGET',
        message: expect.stringContaining('is in use'),
      });
    });
  });
});

describe('upgrade', () => {
  test('a failing hook in the new system refuses before the swap, says where, and leaves everything as it was', async () => {
    const before = machineTraces();
    const slots = await disk.withMounted('COS_STATE', snapshot);
    const broken = `stages:
  after-upgrade-chroot:
    - name: mine
      commands:
        - cat /no/such/file
`;
    await expect(upgradeTo('v2', { oem: { 'mine.yaml': broken } })).rejects.toMatchObject({
      code: 'HF-HOOK',
      exitStatus: 39,
      message: expect.stringContaining('hook after-upgrade-chroot: step "mine" at /oem/mine.yaml:3 failed in commands'),
      outputTail: expect.stringContaining('No such file or directory'),
    });
    expect(await disk.withMounted('COS_STATE', snapshot)).toEqual(slots);
    expect(machineTraces()).toEqual(before);
  });

  test('a file that is no YAML refuses it with file, line and column', async () => {
    await expect(
      upgradeTo('v2', { oem: { 'mine.yaml': 'stages:\n  after-upgrade-chroot: [\n' } }),
    ).rejects.toMatchObject({
      code: 'HF-HOOK',
      location: { file: '/oem/mine.yaml', line: expect.any(Number), column: expect.any(Number) },
    });
  });

  test('from the outside: only the new layer is unpacked, hooks run in the target, passive stays', async () => {
    const before = machineTraces();
    const passive = await disk.withMounted(
      'COS_STATE',
      (state) => {
        // As the initramfs notes it; what is said of the slot that stays must stay.
        writeGrubEnvironment(join(state, 'grub_oem_env'), { boot_failure: 'active:no init;passive:no image' });
        return uuidOf(state, 'passive');
      },
      { writable: true },
    );
    // The shape that cOS's documentation gives its example: `stages` twice.
    const oem = `stages:
name: "Install something"
stages:
   after-upgrade-chroot:
     - commands:
        - cat /etc/resolv.conf > /seen-resolver
        - cat /usr/local/data > /seen-persistent || true
        - exec 3>/oem/written-by-hook
        - sleep 1000 > /dev/null 2>&1 &
`;
    const result = await upgradeTo('v2', { oem: { 'mine.yaml': oem } });
    expect(result.facts.base).toMatchObject({ digest: digests['v1'], layers: 1 });
    expect(result.prettyName).toBe('Tiny 2');
    expect(result.outcome).toBe('ok-with-warnings');
    expect(result.warnings.join('\n')).toMatch(/mine\.yaml:3[\s\S]*sleep \(\d+\) was left running by a hook/);
    expect(machineTraces()).toEqual(before);

    await disk.withMounted('COS_STATE', async (state) => {
      expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 2');
      expect(await slotText(state, 'active', '/usr/share/new')).toBe('v2');
      expect(await slotText(state, 'active', '/usr/share/old')).toBe('');
      expect(await slotText(state, 'active', '/seen-resolver')).toBe(readFileSync('/etc/resolv.conf', 'utf8'));
      expect(await slotText(state, 'active', '/etc/resolv.conf')).toBe('nameserver 192.0.2.1\n');
      expect(await uuidOf(state, 'passive')).toBe(passive);
      expect(await uuidOf(state, 'active')).not.toBe(passive);
      const { active } = readState(join(state, 'state.yaml')).state;
      expect(active).toMatchObject({
        digest: digests['v2'],
        uuid: await uuidOf(state, 'active'),
        fromAction: 'upgrade',
      });
      expect(existsSync(join(state, 'cOS/transition.img'))).toBe(false);
      expect(readGrubEnvironment(join(state, 'grub_oem_env')).get('boot_failure')).toBe('passive:no image');
    });
    await disk.withMounted('COS_OEM', (directory) => {
      expect(existsSync(join(directory, 'written-by-hook'))).toBe(true);
    });
  });

  test('the same image again finds its work done', async () => {
    const slots = await disk.withMounted('COS_STATE', snapshot);
    expect(await upgradeTo('v2')).toMatchObject({ outcome: 'up-to-date', plan: { actions: [] } });
    expect(await disk.withMounted('COS_STATE', snapshot)).toEqual(slots);
  });

  test('an image that shares nothing is unpacked whole, and pristines of images in no slot go', async () => {
    // It has no shell, so a command fails; leniency is a choice that shows.
    const oem = { 'mine.yaml': 'stages:\n  after-upgrade-chroot:\n    - commands: ["true"]\n' };
    await expect(upgradeTo('other', { oem })).rejects.toMatchObject({ code: 'HF-HOOK' });
    const result = await upgradeTo('other', { strictness: 'none' });
    expect(result.facts.base).toBeUndefined();
    expect(result.outcome).toBe('ok-with-warnings');
    expect(result.warnings.join('\n')).toContain('hook after-upgrade-chroot: step at /oem/mine.yaml:3');
    await disk.withMounted('COS_STATE', async (state) => {
      expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 3');
      const kept = (await runChecked(['ls', join(state, 'cOS')]))
        .split('\n')
        .filter((name) => name.startsWith('pristine'));
      // Of each, the copy and what its layers hold.
      expect(kept.filter((name) => name.endsWith('.img'))).toHaveLength(2);
      expect(kept.filter((name) => name.endsWith('.index'))).toHaveLength(2);
      expect(kept).toHaveLength(4);
    });
  });
});

describe('other images', () => {
  test('a resolver that lives in /run, where this machine has none: hooks resolve names, the link stays', async () => {
    const files = {
      ...BOOT_FILES,
      ...osRelease(5),
      'etc/resolv.conf': { link: '../run/no-such-resolver/resolv.conf' },
    };
    await images.add('linked', [
      { name: 'base', files: {} },
      { name: 'linked', files },
    ]);
    const oem = 'stages:\n  after-upgrade-chroot:\n    - commands: ["cat /etc/resolv.conf > /seen-resolver"]\n';
    const result = await upgradeTo('linked', { oem: { 'mine.yaml': oem } });
    expect(result).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 5' });
    await disk.withMounted('COS_STATE', async (state) => {
      expect(await slotText(state, 'active', '/seen-resolver')).toBe(readFileSync('/etc/resolv.conf', 'utf8'));
      const link = await runChecked(['debugfs', '-R', 'stat /etc/resolv.conf', join(state, 'cOS/active.img')]);
      expect(link).toContain('Fast link dest: "../run/no-such-resolver/resolv.conf"');
    });
  });

  test('a directory tree is an image too: it has no digest, no pristine, and is never up to date', async () => {
    const image = await openImage(parseImageSource(`dir:${images.treeOf('base')}`));
    const upgradeToTree = () =>
      disk.withPartitions(ALL, () =>
        upgrade({ image, strictness: 'chroot', force: false }, { command: 'test', now: NOW }),
      );
    expect(await upgradeToTree()).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 1' });
    const again = await upgradeToTree();
    expect(again.outcome).toBe('ok');
    expect(again.plan.actions.map(({ kind }) => kind)).not.toContain('keep-pristine');
    await disk.withMounted('COS_STATE', (state) => {
      const { active } = readState(join(state, 'state.yaml')).state;
      expect(active).toMatchObject({ source: `dir:${images.treeOf('base')}`, verified: 'not verified (local tree)' });
      expect(active?.digest).toBeUndefined();
    });
  });
});

async function snapshot(state: string): Promise<string> {
  return runChecked(['sh', '-c', 'cd "$1" && ls -l cOS && cat state.yaml', 'sh', state]);
}
