// The mount layout on a real read-only image with real volumes: what is writable, what survives, what happens when a
// volume is broken.

import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mountLayout } from '../../../src/boot/mount-layout.ts';
import { silent } from '../../../src/system/events.ts';
import { listMounts, mount } from '../../../src/system/mounts.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { LayoutRig } from './layout-rig.ts';

let rig: LayoutRig;

beforeEach(async () => {
  rig = new LayoutRig();
  await runChecked(['chmod', '700', join(rig.tree, 'root')]);
  await rig.makeImage();
});

afterEach(async () => {
  expect(await rig.close()).toEqual([]);
});

describe('with both volumes', () => {
  const env = 'VOLUMES="LABEL=HFT_OEM:/oem LABEL=HFT_KEEP:/usr/local"\nOVERLAY=tmpfs:16m';
  beforeEach(async () => {
    await rig.makeVolume('HFT_OEM');
    await rig.makeVolume('HFT_KEEP');
  });

  test('the root is read-only, /etc is new at each boot, volumes keep what they get', async () => {
    const { warnings } = await rig.boot(env);
    expect(warnings).toEqual([]);
    expect(() => rig.put('x', '')).toThrow(/EROFS/);
    const places = ['etc/a', 'var/lib/a', 'oem/a', 'usr/local/a', 'tmp/a'];
    for (const path of places) rig.put(path, 'written');
    await rig.boot(env);
    expect(places.map((path) => rig.get(path))).toEqual([undefined, undefined, 'written', 'written', undefined]);
  });

  test('directories keep their owner and mode under an overlay', async () => {
    await rig.boot(`${env}\nPERSISTENT_STATE_PATHS=/root`);
    expect(statSync(join(rig.sysroot, 'root')).mode & 0o7777).toBe(0o700);
    expect(statSync(join(rig.sysroot, 'tmp')).mode & 0o7777).toBe(0o1777);
  });

  test('fstab says what is mounted, and systemd and findmnt can read it', async () => {
    await rig.boot(`${env}\nPERSISTENT_STATE_PATHS=/var/lib\nCUSTOM_BIND_MOUNTS=/etc/ssh`);
    const lines = (rig.get('etc/fstab') ?? '').trim().split('\n').slice(1);
    const fields = lines.map((line) => line.split(' '));
    expect(fields.every(({ length }) => length === 6)).toBe(true);
    const places = fields.map(([, place]) => place);
    expect(new Set(places)).toEqual(new Set(['/', rig.overlayDirectory, ...rig.mountPoints()]));
    expect(lines).toContain('/dev/disk/by-label/HFT_KEEP /usr/local auto defaults,nofail 0 0');
    expect(lines).toContain('/usr/local/.state/etc-ssh.bind /etc/ssh none defaults,bind 0 0');
    const fstab = join(rig.sysroot, 'etc/fstab');
    const { stdout } = await run(['findmnt', '--verify', '--tab-file', fstab]);
    expect(stdout).not.toMatch(/parse error/);

    const units = await generatedUnits(fstab);
    expect(Object.keys(units).filter((name) => name.endsWith('.mount'))).toEqual(
      expect.arrayContaining([
        '-.mount',
        'etc.mount',
        'etc-ssh.mount',
        'oem.mount',
        'usr-local.mount',
        'var-lib.mount',
      ]),
    );
    expect(units['var-lib.mount']).toContain('RequiresMountsFor=/usr/local');
    expect(units['etc-ssh.mount']).toContain('What=/usr/local/.state/etc-ssh.bind');
    expect(units['etc.mount']).toContain(`RequiresMountsFor=${rig.overlayDirectory}`);
  });

  test('etc.mount is unmounted lazily, unless somebody has said something about it', async () => {
    const dropIn = 'etc/systemd/system/etc.mount.d/override.conf';
    await rig.boot(env);
    expect(rig.get(dropIn)).toBe('[Mount]\nLazyUnmount=true\n');
    rig.inTree(dropIn, '# mine\n');
    await rig.makeImage();
    await rig.boot(env);
    expect(rig.get(dropIn)).toBe('# mine\n');
  });

  test.each(['', '\nPERSISTENT_STATE_BIND=true'])('persistent paths survive%j', async (mode) => {
    const withState = `${env}\nPERSISTENT_STATE_PATHS="/etc/ssh /home"${mode}`;
    expect((await rig.boot(withState)).warnings).toEqual([]);
    expect(rig.get('etc/ssh/sshd_config')).toBe('image\n');
    rig.put('etc/ssh/sshd_config', 'mine\n');
    rig.put('home/a', 'kept');
    rig.put('etc/a', 'lost');
    expect((await rig.boot(withState)).warnings).toEqual([]);
    expect(['etc/ssh/sshd_config', 'home/a', 'etc/a'].map((path) => rig.get(path))).toEqual([
      'mine\n',
      'kept',
      undefined,
    ]);
  });

  test('a second run in the same boot mounts nothing and keeps fstab true', async () => {
    const withState = `${env}\nPERSISTENT_STATE_PATHS=/home\nCUSTOM_BIND_MOUNTS=/etc/ssh`;
    await rig.boot(withState);
    const before = listMounts();
    const places = (rig.get('etc/fstab') ?? '').split('\n').map((line) => line.split(' ')[1]);
    expect((await rig.layOut(withState)).warnings).toEqual([]);
    expect(listMounts()).toEqual(before);
    expect((rig.get('etc/fstab') ?? '').split('\n').map((line) => line.split(' ')[1])).toEqual(places);
  });

  test('stopped between any two actions, the next boot is whole', async () => {
    const withState = `${env}\nPERSISTENT_STATE_PATHS="/home /var/lib"\nCUSTOM_BIND_MOUNTS=/etc/ssh`;
    const { plan } = await rig.boot(withState, { dryRun: true });
    for (const index of plan.actions.keys()) {
      const stop = { beforeAction: (at: number) => (at === index ? Promise.reject(new Error('stopped')) : undefined) };
      await expect(rig.boot(withState, stop)).rejects.toThrow('stopped');
      expect(rig.record()).toMatchObject({ outcome: 'failed', reason: 'stopped' });
    }
    expect((await rig.boot(withState)).warnings).toEqual([]);
    expect(rig.get('etc/ssh/sshd_config')).toBe('image\n');
  });

  test('the record has every place and what keeps it', async () => {
    await rig.boot(`${env}\nPERSISTENT_STATE_PATHS=/home`);
    expect(rig.record()).toMatchObject({
      version: 1,
      outcome: 'ok',
      notices: [],
      mounts: expect.arrayContaining([
        { path: '/usr/local', kind: 'volume', source: '/dev/disk/by-label/HFT_KEEP', persistent: true },
        { path: '/etc', kind: 'overlay', source: 'overlay', persistent: false },
        {
          path: '/home',
          kind: 'state-overlay',
          source: 'overlay',
          keptIn: '/usr/local/.state/home.overlay',
          persistent: true,
        },
      ]),
    });
  });

  test('with SELinux in the image, writable places are listed for labelling, kept ones once', async () => {
    rig.inTree('etc/selinux/config', '# x\nSELINUX=permissive\nSELINUXTYPE=targeted\n');
    mkdirSync(join(rig.tree, 'etc/selinux/targeted'));
    await rig.makeImage();
    const withState = `${env}\nPERSISTENT_STATE_PATHS=/home`;
    const listed = async (commandLine: string) => {
      await runChecked(['rm', '-rf', rig.relabelDirectory]);
      await rig.boot(withState, { commandLine });
      const file = join(rig.relabelDirectory, 'holdfast.relabel');
      return run(['cat', file]).then(({ stdout }) => stdout.trim().split('\n').sort());
    };
    const always = ['/etc', '/opt', '/root', '/srv', '/var'];
    expect(await listed('')).toEqual([...always, '/home', '/oem', '/usr/local'].sort());
    expect(await listed('')).toEqual(always);
    expect(await listed('selinux=0')).toEqual(['']);
  });
});

test.each(['xfs', 'btrfs'] as const)('a volume with %s keeps paths both ways', async (type) => {
  await rig.makeVolume('HFT_KEEP', type);
  const env = 'VOLUMES="LABEL=HFT_KEEP:/usr/local"\nPERSISTENT_STATE_PATHS=/home\nCUSTOM_BIND_MOUNTS=/etc/ssh';
  const boot = async () => expect((await rig.boot(env)).warnings).toEqual([]);
  await boot();
  rig.put('home/a', 'kept');
  rig.put('etc/ssh/a', 'kept');
  await boot();
  expect([rig.get('home/a'), rig.get('etc/ssh/a')]).toEqual(['kept', 'kept']);
});

test('/home that the image has as a link is mounted where it leads, after what it lies in', async () => {
  await runChecked(['rmdir', join(rig.tree, 'home')]);
  symlinkSync('var/home', join(rig.tree, 'home'));
  mkdirSync(join(rig.tree, 'var/home'));
  await rig.makeImage();
  await rig.makeVolume('HFT_KEEP');
  const env = 'VOLUMES=LABEL=HFT_KEEP:/usr/local\nPERSISTENT_STATE_PATHS=/home';
  expect((await rig.boot(env)).warnings).toEqual([]);
  rig.put('home/a', 'kept');
  expect((await rig.boot(env)).warnings).toEqual([]);
  expect(rig.get('var/home/a')).toBe('kept');
  expect(rig.mountPoints()).toContain('/var/home');
});

test('Elemental’s configuration in the image is the layout', async () => {
  await rig.makeVolume('HFT_KEEP');
  rig.inTree(
    'etc/elemental/config.yaml',
    [
      'mount:',
      '  ephemeral: {type: tmpfs, size: 12m, paths: [/etc, /var]}',
      '  persistent:',
      '    mode: bind',
      '    paths: [/etc/ssh, /home]',
      '    volume: {mountpoint: /usr/local, device: LABEL=HFT_KEEP, options: [noatime]}',
    ].join('\n'),
  );
  await rig.makeImage();
  expect((await rig.boot('')).warnings).toEqual([]);
  expect(rig.mountPoints().sort()).toEqual(['/etc', '/etc/ssh', '/home', '/tmp', '/usr/local', '/var']);
  expect(readdirSync(join(rig.sysroot, 'usr/local/.state')).filter((name) => name.endsWith('.bind'))).toEqual([
    'etc-ssh.bind',
    'home.bind',
  ]);
  expect(rig.get('etc/fstab')).toContain(' /usr/local auto noatime,nofail 0 0');
});

test('RW_PATHS that is set and empty leaves /etc read-only, with a warning and no failure', async () => {
  const { warnings } = await rig.boot('RW_PATHS=');
  expect(() => rig.put('etc/a', '')).toThrow(/EROFS/);
  expect(warnings).toEqual(['/etc/fstab was not written: /etc is not among the writable paths']);
});

test('rd.cos.disable and --dry-run mount nothing', async () => {
  await mount(join(rig.work, 'root.img'), rig.sysroot, { options: ['ro', 'loop'] });
  const before = listMounts().length;
  const { sysroot, overlayDirectory, runDirectory } = rig;
  const options = { sysroot, overlayDirectory, runDirectory, deviceTimeoutMs: 0, events: silent, layoutEnv: '' };
  expect((await mountLayout({ ...options, commandLine: '', dryRun: true })).outcome).toBe('ok');
  expect(readdirSync(runDirectory)).toEqual([]);
  const reason = 'rd.cos.disable is on the kernel command line';
  expect(await mountLayout({ ...options, commandLine: 'rd.cos.disable' })).toEqual({ outcome: 'skipped', reason });
  expect(rig.record()).toMatchObject({ outcome: 'skipped', reason });
  expect(listMounts().length).toBe(before);
});

/** What systemd's own generator makes of a fstab: unit files by name. */
async function generatedUnits(fstab: string): Promise<Record<string, string>> {
  const out = join(rig.work, 'units');
  mkdirSync(out);
  const generator = '/usr/lib/systemd/system-generators/systemd-fstab-generator';
  const env = { ...process.env, SYSTEMD_FSTAB: fstab, SYSTEMD_PROC_CMDLINE: 'quiet', SYSTEMD_LOG_TARGET: 'console' };
  const { status, stderr } = await run([generator, out, out, out], { env });
  writeFileSync(join(rig.work, 'generator.log'), stderr);
  expect({ status, stderr: stderr.replace(/^.*(?:not a mount point|Failed to determine).*$/gm, '').trim() }).toEqual({
    status: 0,
    stderr: '',
  });
  const files = readdirSync(out).filter((name) => statSync(join(out, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(out, name), 'utf8')]));
}
