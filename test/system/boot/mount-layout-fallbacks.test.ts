// The mount layout when things are missing, broken or hostile: the boot goes on, says so, and touches nothing outside of
// the new root and /run.

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listMounts, mount, unmount } from '../../../src/system/mounts.ts';
import { runChecked } from '../../../src/system/process.ts';
import { LayoutRig } from './layout-rig.ts';

let rig: LayoutRig;

beforeEach(async () => {
  rig = new LayoutRig();
  await rig.makeImage();
});

afterEach(async () => {
  expect(await rig.close()).toEqual([]);
});

/** Writes into a volume while no layout is mounted. */
async function onVolume(device: string, work: (directory: string) => void): Promise<void> {
  await rig.unmountAll();
  const at = join(rig.work, 'volume');
  await mount(device, at);
  work(at);
  await unmount(at);
}

/** Everything but the superblock is gone: it has its label, and no mount. */
async function damage(device: string): Promise<void> {
  await runChecked(['dd', 'if=/dev/zero', `of=${device}`, 'bs=1k', 'seek=2', 'count=4000', 'status=none']);
}

describe('volumes', () => {
  test('one that is missing costs its persistence, not its place', async () => {
    await rig.makeVolume('HFT_OEM');
    const env = 'VOLUMES="LABEL=HFT_OEM:/oem LABEL=HFT_KEEP:/usr/local"\nPERSISTENT_STATE_PATHS=/etc/ssh';
    const { warnings } = await rig.boot(env);
    expect(warnings).toEqual([
      'LABEL=HFT_KEEP was not found; /usr/local is not kept over a reboot',
      '/etc/ssh is not persistent: no volume is mounted for /usr/local/.state',
    ]);
    rig.put('usr/local/a', 'works');
    rig.put('etc/ssh/a', 'works');
    expect(rig.get('etc/fstab')).not.toContain('HFT_KEEP');
    expect(rig.record()).toMatchObject({ outcome: 'ok', notices: warnings });
  });

  test.each(['', '\nPERSISTENT_STATE_BIND=true'])('one that can’t be mounted costs its persistence%j', async (mode) => {
    await damage(await rig.makeVolume('HFT_KEEP'));
    const { warnings } = await rig.boot(`VOLUMES=LABEL=HFT_KEEP:/usr/local\nPERSISTENT_STATE_PATHS=/etc/ssh${mode}`);
    expect(warnings).toContainEqual(expect.stringContaining('could not be mounted'));
    expect(warnings).toContain('changes below /usr/local last until the next boot');
    expect(warnings).toContain('changes below /etc/ssh last until the next boot');
    rig.put('usr/local/a', 'works');
    rig.put('etc/ssh/a', 'works');
    expect(rig.get('etc/fstab')).not.toContain('HFT_KEEP');
    expect(rig.get('etc/fstab')).not.toContain('.state');
  });

  test('one that can only be read keeps nothing, and says so', async () => {
    const device = await rig.makeVolume('HFT_KEEP', 'ext4', { readOnly: true });
    const env = 'VOLUMES=LABEL=HFT_KEEP:/usr/local\nPERSISTENT_STATE_PATHS=/home\nCUSTOM_BIND_MOUNTS=/etc/ssh';
    const { warnings } = await rig.boot(env);
    expect(warnings).toContain(`${device} can only be read; nothing below /usr/local can be written`);
    expect(warnings).toContain('changes below /home last until the next boot');
    expect(warnings).toContain('changes below /etc/ssh last until the next boot');
    rig.put('home/a', 'works');
    rig.put('etc/ssh/a', 'works');
  });

  test('one that can hold no overlay (or, where the kernel lacks it, can’t be mounted) costs its persistence', async () => {
    await rig.makeVolume('HFT_KEEP', 'vfat');
    const { warnings } = await rig.boot('VOLUMES=LABEL=HFT_KEEP:/usr/local\nPERSISTENT_STATE_PATHS=/home');
    expect(warnings).toContain('changes below /home last until the next boot');
    rig.put('home/a', 'works');
    rig.put('usr/local/a', 'works');
    expect(rig.get('etc/fstab')).not.toContain('.state');
  });

  test('two of one name: the first is taken, and fstab names the device', async () => {
    const devices = [await rig.makeVolume('HFT_TWIN'), await rig.makeVolume('HFT_TWIN')].sort();
    const { warnings } = await rig.boot('VOLUMES=LABEL=HFT_TWIN:/oem');
    expect(warnings).toEqual([
      expect.stringMatching(/^LABEL=HFT_TWIN is on several devices \(.*\); \/dev\/loop\d+ is taken$/),
    ]);
    const [, taken] = /; (\S+) is taken/.exec(warnings[0] ?? '') ?? [];
    expect(devices).toContain(taken);
    expect(rig.get('etc/fstab')).toContain(`${taken} /oem auto defaults,nofail 0 0`);
  });

  test('the OEM device that the initramfs has chosen is taken', async () => {
    const devices = [await rig.makeVolume('HFT_OEM'), await rig.makeVolume('HFT_OEM')].sort();
    const second = devices[1] ?? '';
    symlinkSync(second, join(rig.runDirectory, 'oem'));
    const commandLine = 'rd.cos.oemlabel=HFT_OEM rd.cos.mount=LABEL=HFT_OEM:/oem';
    expect((await rig.boot('', { commandLine })).warnings).toEqual([]);
    expect(rig.get('etc/fstab')).toContain(`${second} /oem auto`);
  });

  test('an OEM partition that the initramfs has waited for in vain isn’t waited for again', async () => {
    writeFileSync(join(rig.runDirectory, 'oem.missing'), '');
    const commandLine = 'rd.cos.oemlabel=HFT_NONE rd.cos.mount=LABEL=HFT_NONE:/oem';
    // The test ends only because nothing waits.
    const { warnings } = await rig.boot('', { commandLine, deviceTimeoutMs: 1_000_000 });
    expect(warnings).toEqual(['LABEL=HFT_NONE was not found; /oem is not kept over a reboot']);
  });

  test('one that comes late is waited for', async () => {
    const late = new Promise((resolve) => setTimeout(resolve, 700)).then(() => rig.makeVolume('HFT_LATE'));
    const { warnings } = await rig.boot('VOLUMES=LABEL=HFT_LATE:/oem', { deviceTimeoutMs: 60_000 });
    await late;
    expect(warnings).toEqual([]);
    expect(rig.mountPoints()).toContain('/oem');
  });
});

describe('the base of ephemeral changes', () => {
  test.each(['ext4', 'xfs'] as const)('on a device with %s', async (type) => {
    await rig.makeVolume('HFT_SCRATCH', type);
    const commandLine = 'fsck.mode=force';
    expect((await rig.boot('OVERLAY=LABEL=HFT_SCRATCH', { commandLine })).warnings).toEqual([]);
    rig.put('etc/a', 'written');
    expect(rig.get('etc/fstab')).toContain(`/dev/disk/by-label/HFT_SCRATCH ${rig.overlayDirectory} auto`);
  });

  test.each(['damaged', 'vfat'])('on a device that is of no use (%s) it is replaced by memory', async (how) => {
    const device = await rig.makeVolume('HFT_SCRAP', how === 'vfat' ? 'vfat' : 'ext4');
    if (how === 'damaged') await damage(device);
    const { warnings } = await rig.boot('OVERLAY=LABEL=HFT_SCRAP');
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toMatch(/; ephemeral changes are kept in memory$/);
    rig.put('etc/a', 'written');
    expect(rig.get('etc/fstab')).toContain(`tmpfs ${rig.overlayDirectory} tmpfs`);
  });
});

describe('hostile', () => {
  test('links of the image that lead out of it are not followed out', async () => {
    const outside = join(rig.work, 'outside');
    mkdirSync(outside);
    for (const [name, target] of Object.entries({
      home: '/../../../..',
      opt: '/run/holdfast-test-nowhere',
      srv: `../../../../../..${outside}`,
      data: '/proc/self',
      loop: 'loop',
    })) {
      await runChecked(['rm', '-rf', join(rig.tree, name)]);
      symlinkSync(target, join(rig.tree, name));
    }
    await rig.makeImage();
    const before = listMounts().map(({ mountPoint }) => mountPoint);
    const { warnings } = await rig.boot('RW_PATHS="/etc /home /opt /srv /data /loop"');
    expect(warnings).toEqual([
      '/home is not mounted: it leads to /, and it is the root itself',
      '/opt is not mounted: it leads to /run/holdfast-test-nowhere, and everything below /run is in memory and writable',
      '/data is not mounted: it leads to /proc/self, and it is the kernel’s',
      '/loop is not mounted: the image has no such directory',
      expect.stringMatching(/^\S*outside is not mounted: the image has no such directory$/),
    ]);
    const added = listMounts()
      .map(({ mountPoint }) => mountPoint)
      .filter((at) => !before.includes(at));
    expect(added.filter((at) => at !== rig.sysroot && at !== rig.overlayDirectory)).toEqual([
      join(rig.sysroot, 'etc'),
      join(rig.sysroot, 'tmp'),
    ]);
    expect(readdirSync(outside)).toEqual([]);
  });

  test.each(['overlay', 'bind'])('a volume whose %s directory is a link keeps nothing there', async (mode) => {
    const device = await rig.makeVolume('HFT_KEEP');
    const outside = join(rig.work, 'outside');
    mkdirSync(outside);
    await onVolume(device, (at) => {
      mkdirSync(join(at, '.state'));
      symlinkSync(outside, join(at, `.state/etc-ssh.${mode}`));
    });
    const env = `VOLUMES=LABEL=HFT_KEEP:/usr/local\nPERSISTENT_STATE_PATHS=/etc/ssh\nPERSISTENT_STATE_BIND=${mode === 'bind'}`;
    const { warnings } = await rig.boot(env);
    expect(warnings.length).toBe(2);
    expect(warnings[0]).toMatch(/is a link/);
    expect(warnings[1]).toBe('changes below /etc/ssh last until the next boot');
    expect(rig.get('etc/ssh/sshd_config')).toBe('image\n');
    expect(readdirSync(outside)).toEqual([]);
  });

  test('a volume whose content leads a place elsewhere doesn’t get something mounted there', async () => {
    const device = await rig.makeVolume('HFT_KEEP');
    await onVolume(device, (at) => symlinkSync('/etc', join(at, 'data')));
    const { warnings } = await rig.boot('VOLUMES=LABEL=HFT_KEEP:/usr/local\nRW_PATHS="/etc /usr/local/data"');
    expect(warnings).toEqual([
      '/usr/local/data is not writable: /usr/local/data is a link to /etc by now; nothing is mounted there',
    ]);
    expect(rig.mountPoints().filter((at) => at === '/etc').length).toBe(1);
  });

  test('ten thousand volumes, long words and control characters end in notices', async () => {
    const volumes = Array.from({ length: 10_000 }, (_, index) => `LABEL=X${index}:/v${index}`).join(' ');
    const { warnings } = await rig.boot(`VOLUMES="${volumes}"\nRW_PATHS="/etc /a\u001b[31m/b /${'x'.repeat(300)}"`);
    expect(warnings).toContain('VOLUMES: only the first 256 of 10000 words are read');
    expect(warnings).toContain('only the first 64 of 256 volumes are mounted');
    expect(warnings.some((text) => text.includes('/a\\x1b[31m/b is not an absolute path'))).toBe(true);
    expect(warnings.length).toBeLessThan(80);
    rig.put('etc/a', 'works');
    for (const text of [...warnings, rig.get('etc/fstab') ?? '']) expect(text).not.toContain('\u001b');
  });

  test('places of the running initramfs can’t be covered', async () => {
    await rig.makeVolume('HFT_KEEP');
    const busy = `/run/holdfast-test-${process.pid}`;
    mkdirSync(busy);
    writeFileSync(join(busy, 'a'), 'here');
    try {
      const { warnings } = await rig.boot(
        `VOLUMES="LABEL=HFT_KEEP:${busy} LABEL=HFT_KEEP:/run LABEL=HFT_KEEP:/dev/shm"`,
      );
      expect(warnings).toEqual([
        `${busy} is not mounted: it is in use`,
        '/run is not mounted: it is in use',
        '/dev/shm is not mounted: it is the kernel’s',
      ]);
      expect(readFileSync(join(busy, 'a'), 'utf8')).toBe('here');
    } finally {
      await runChecked(['rm', '-r', busy]);
    }
  });

  test('a volume below /run can keep persistent paths', async () => {
    await rig.makeVolume('HFT_KEEP');
    const at = `/run/holdfast-test-${process.pid}`;
    const env = `VOLUMES=LABEL=HFT_KEEP:${at}\nPERSISTENT_STATE_TARGET=${at}/.state\nPERSISTENT_STATE_PATHS=/home\nCUSTOM_BIND_MOUNTS=/etc/ssh`;
    try {
      for (const expected of [undefined, 'kept']) {
        expect((await rig.boot(env)).warnings).toEqual([]);
        expect([rig.get('home/a'), rig.get('etc/ssh/a')]).toEqual([expected, expected]);
        rig.put('home/a', 'kept');
        rig.put('etc/ssh/a', 'kept');
        expect(rig.get('etc/fstab')).toContain(`upperdir=${at}/.state/home.overlay/upper`);
        await rig.unmountAll();
        await unmount(at);
      }
    } finally {
      await unmount(at);
      await runChecked(['rmdir', at]);
    }
  });
});
