// The mount layout on a real read-only image with real volumes: what is writable, what survives, what happens when a
// volume is broken. The "reboot" unmounts everything and mounts it again.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type MountLayoutResult, mountLayout } from '../../../src/boot/mount-layout.ts';
import { silent } from '../../../src/system/events.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { listMounts, mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { run, runChecked } from '../../../src/system/process.ts';

let work = '';
let sysroot = '';
let overlayDirectory = '';
let runDirectory = '';
let undo = new UndoStack();

/** Makes a volume with a label of its own, since the machine that runs this may have cOS's. */
async function makeVolume(label: string): Promise<string> {
  const file = join(work, `${label}.img`);
  writeFileSync(file, '');
  await runChecked(['truncate', '--size=32M', file]);
  await runChecked(['mkfs.ext4', '-q', '-F', '-L', label, file]);
  return (await attachLoop(undo, file)).device;
}

async function mountRoot(): Promise<void> {
  await mount(join(work, 'root.img'), sysroot, { options: ['ro', 'loop'] });
}

async function unmountAll(): Promise<void> {
  const below = listMounts().filter(({ mountPoint }) => mountPoint.startsWith(`${work}/`));
  for (const { mountPoint } of below.reverse()) await unmount(mountPoint);
}

async function boot(env: string, commandLine = ''): Promise<Extract<MountLayoutResult, { outcome: 'ok' }>> {
  await unmountAll();
  await mountRoot();
  const options = { sysroot, overlayDirectory, runDirectory, commandLine, deviceTimeoutMs: 0, events: silent };
  const result = await mountLayout({ ...options, layoutEnv: env });
  if (result.outcome !== 'ok') throw new Error(result.reason);
  return result;
}

const put = (path: string, text: string) => writeFileSync(join(sysroot, path), text);
const get = (path: string) => (existsSync(join(sysroot, path)) ? readFileSync(join(sysroot, path), 'utf8') : undefined);

beforeEach(async () => {
  work = mkdtempSync(join(tmpdir(), 'holdfast-layout-'));
  sysroot = join(work, 'sysroot');
  overlayDirectory = join(work, 'overlay');
  runDirectory = join(work, 'run');
  undo = new UndoStack();
  const tree = join(work, 'tree');
  for (const path of ['etc/ssh', 'root', 'home', 'opt', 'srv', 'var/lib', 'usr/local', 'oem', 'tmp']) {
    mkdirSync(join(tree, path), { recursive: true });
  }
  await runChecked(['chmod', '700', join(tree, 'root')]);
  writeFileSync(join(tree, 'etc/ssh/sshd_config'), 'image\n');
  await runChecked(['truncate', '--size=32M', join(work, 'root.img')]);
  await runChecked(['mkfs.ext4', '-q', '-F', '-d', tree, join(work, 'root.img')]);
  mkdirSync(sysroot);
});

afterEach(async () => {
  await unmountAll();
  expect(await undo.unwind(false)).toEqual([]);
  rmSync(work, { recursive: true });
});

describe('with both volumes', () => {
  const env = 'VOLUMES="LABEL=HFT_OEM:/oem LABEL=HFT_KEEP:/usr/local"\nOVERLAY=tmpfs:16m';
  beforeEach(async () => {
    await makeVolume('HFT_OEM');
    await makeVolume('HFT_KEEP');
  });

  test('the root is read-only, /etc is new at each boot, volumes keep what they get', async () => {
    const { warnings } = await boot(env);
    expect(warnings).toEqual([]);
    expect(() => put('x', '')).toThrow(/EROFS/);
    for (const path of ['etc/a', 'var/lib/a', 'oem/a', 'usr/local/a', 'tmp/a']) put(path, 'written');
    await boot(env);
    expect(['etc/a', 'var/lib/a', 'oem/a', 'usr/local/a', 'tmp/a'].map(get)).toEqual([
      undefined,
      undefined,
      'written',
      'written',
      undefined,
    ]);
  });

  test('directories keep their owner and mode under an overlay', async () => {
    await boot(env);
    expect(statSync(join(sysroot, 'root')).mode & 0o7777).toBe(0o700);
    expect(statSync(join(sysroot, 'tmp')).mode & 0o7777).toBe(0o1777);
  });

  test('fstab says what is mounted, in an order in which it can be mounted', async () => {
    await boot(env);
    const lines = (get('etc/fstab') ?? '').trim().split('\n').slice(1);
    const fields = lines.map((line) => line.split(' '));
    expect(fields.every(({ length }) => length === 6)).toBe(true);
    const places = fields.map(([, place]) => place);
    const above = listMounts().filter(({ mountPoint }) => mountPoint.startsWith(`${sysroot}/`));
    const mounted = above.map(({ mountPoint }) => mountPoint.slice(sysroot.length));
    expect(new Set(places)).toEqual(new Set(['/', overlayDirectory, ...mounted]));
    expect(lines).toContain('/dev/disk/by-label/HFT_KEEP /usr/local auto defaults,nofail 0 0');
    const { stdout } = await run(['findmnt', '--verify', '--tab-file', join(sysroot, 'etc/fstab')]);
    expect(stdout).not.toMatch(/parse error/);
  });

  test.each(['', '\nPERSISTENT_STATE_BIND=true'])('persistent paths survive%j', async (mode) => {
    const withState = `${env}\nPERSISTENT_STATE_PATHS="/etc/ssh /home"${mode}`;
    expect((await boot(withState)).warnings).toEqual([]);
    expect(get('etc/ssh/sshd_config')).toBe('image\n');
    put('etc/ssh/sshd_config', 'mine\n');
    put('home/a', 'kept');
    put('etc/a', 'lost');
    expect((await boot(withState)).warnings).toEqual([]);
    expect(['etc/ssh/sshd_config', 'home/a', 'etc/a'].map(get)).toEqual(['mine\n', 'kept', undefined]);
  });
});

test('a volume that is missing costs its persistence, not its place', async () => {
  await makeVolume('HFT_OEM');
  const env = 'VOLUMES="LABEL=HFT_OEM:/oem LABEL=HFT_KEEP:/usr/local"\nPERSISTENT_STATE_PATHS=/etc/ssh';
  const { warnings } = await boot(env);
  expect(warnings).toEqual([
    'LABEL=HFT_KEEP was not found; /usr/local is not kept over a reboot',
    '/etc/ssh is not persistent: no volume is mounted for /usr/local/.state',
  ]);
  put('usr/local/a', 'works');
  put('etc/ssh/a', 'works');
  expect(get('etc/fstab')).not.toContain('HFT_KEEP');
});

test('a volume that can’t be mounted costs its persistence, not the boot', async () => {
  const device = await makeVolume('HFT_KEEP');
  // Everything but the superblock is gone: it has its label, and no mount.
  await runChecked(['dd', 'if=/dev/zero', `of=${device}`, 'bs=1k', 'seek=2', 'count=4000', 'status=none']);
  const env = 'VOLUMES="LABEL=HFT_KEEP:/usr/local"\nPERSISTENT_STATE_PATHS=/etc/ssh';
  const { warnings } = await boot(env);
  expect(warnings.some((text) => text.includes('could not be mounted'))).toBe(true);
  expect(warnings).toContain('changes below /usr/local last until the next boot');
  put('usr/local/a', 'works');
  put('etc/ssh/a', 'works');
  expect(get('etc/fstab')).not.toContain('HFT_KEEP');
});

test('RW_PATHS that is set and empty leaves /etc read-only, with a warning and no failure', async () => {
  const { warnings } = await boot('RW_PATHS=');
  expect(() => put('etc/a', '')).toThrow(/EROFS/);
  expect(warnings).toEqual(['/etc/fstab was not written: /etc is not among the writable paths']);
});

test('rd.cos.disable and --dry-run mount nothing', async () => {
  await mountRoot();
  const before = listMounts().length;
  const options = { sysroot, overlayDirectory, runDirectory, deviceTimeoutMs: 0, events: silent, layoutEnv: '' };
  expect(await mountLayout({ ...options, commandLine: 'rd.cos.disable' })).toEqual({
    outcome: 'skipped',
    reason: 'rd.cos.disable is on the kernel command line',
  });
  expect((await mountLayout({ ...options, commandLine: '', dryRun: true })).outcome).toBe('ok');
  expect(listMounts().length).toBe(before);
});
