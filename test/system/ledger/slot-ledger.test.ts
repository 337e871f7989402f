// A real install and upgrades of a tiny image on a disk image: every path that hooks made different has an entry that says which
// step of which file it was, and ledgers live and go with their slots. Takes under half a minute.

import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import type { Ledger } from '../../../src/ledger/entry.ts';
import { readLedger } from '../../../src/ledger/ledger-file.ts';
import { pathTextOf } from '../../../src/ledger/path-name.ts';
import { removeRemains } from '../../../src/lifecycle/leftovers.ts';
import { SLOT_FILES } from '../../../src/slots/names.ts';
import { probeFilesystem } from '../../../src/system/filesystems.ts';
import { mount, mountAt, unmount } from '../../../src/system/mounts.ts';
import { type RunResult, run } from '../../../src/system/process.ts';
import type { DiskImage } from '../lifecycle/disk-image.ts';
import { ALL_LABELS, InstalledDisk, LATER } from '../lifecycle/installed-disk.ts';

const HOOKS = `stages:
  after-install-chroot:
    - name: Installed
      files:
        - path: /etc/installed
          content: by a file
          permissions: 0644
  after-upgrade-chroot:
    - name: Motd
      files:
        - path: /etc/motd
          content: hello
          permissions: 0644
    - name: Not here
      if: '[ -e /nowhere ]'
      commands: ['echo never > /etc/never']
    - name: By command
      commands:
        - echo 1 > /etc/made; echo more >> /etc/motd
        - mkdir /srv/data; echo x > /srv/data/file
`;

let installed: InstalledDisk;
let disk: DiskImage;
let executable: string;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  const files = { 'etc/motd': 'from the image\n', 'etc/shadow': 'root:*:1::::::\n', 'srv/.keep': '' };
  installed = await InstalledDisk.create({ v1: { 'system/oem/10_hooks.yaml': HOOKS, ...files } });
  disk = await installed.copy();
}, 120_000);
afterAll(() => installed?.remove());

/** Runs a command while the disk's partitions are found by their labels, as on live media. */
function holdfast(...args: string[]): Promise<RunResult> {
  return disk.withPartitions(ALL_LABELS, () => run([executable, ...args]));
}

/** The ledgers on COS_STATE, by the slots that they are of. */
async function ledgers(): Promise<{ active: Ledger | undefined; passive: Ledger | undefined; names: string[] }> {
  return disk.withMounted('COS_STATE', async (state) => {
    const of = async (slot: 'active' | 'passive') => {
      const { uuid } = await probeFilesystem(join(state, SLOT_FILES[slot]));
      return readLedger(state, uuid ?? '');
    };
    const names = readdirSync(join(state, 'cOS')).filter((name) => name.startsWith('ledger-'));
    for (const name of names) expect(statSync(join(state, 'cOS', name)).mode & 0o777).toBe(0o600);
    return { active: await of('active'), passive: await of('passive'), names };
  });
}

function told(ledger: Ledger | undefined): string[] {
  return (ledger?.entries ?? []).map(({ path, kind, cause, earlier }) => {
    const by = cause.by === 'step' ? `${cause.step.file}:${cause.step.line} ${cause.step.name}` : cause.by;
    return [pathTextOf(path), kind, by, ...earlier.map(({ name }) => `after ${name}`)].join(' ');
  });
}

test('an install leaves one ledger for both slots, with the step that its hook ran', async () => {
  const { active, passive, names } = await ledgers();
  expect(told(active)).toEqual(['/etc/installed added /system/oem/10_hooks.yaml:3 Installed']);
  expect(passive?.origin.uuid).toBe(active?.origin.uuid);
  expect(names).toHaveLength(1);
  expect(active).toMatchObject({ basis: 'pristine', omitted: 0, origin: { action: 'install', command: 'test' } });
});

test('an upgrade’s ledger names the last step of each path, and those before it; what a skipped step would do isn’t there', async () => {
  const result = await installed.upgrade(disk, 'v2', { now: LATER });
  expect(result.warnings).toEqual([]);
  const { active, names } = await ledgers();
  expect(told(active)).toEqual([
    '/etc/made added /system/oem/10_hooks.yaml:17 By command',
    '/etc/motd changed /system/oem/10_hooks.yaml:17 By command after Motd',
    '/srv/data added /system/oem/10_hooks.yaml:17 By command',
    '/srv/data/file added /system/oem/10_hooks.yaml:17 By command',
  ]);
  const motd = active?.entries.find(({ path }) => path === 'etc/motd');
  expect(motd?.before).toMatchObject({ type: 'file', sizeBytes: 15, mode: 0o644 });
  expect(motd?.before?.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(motd?.after).toMatchObject({ type: 'file', sizeBytes: 10 });
  expect(motd?.fields).toContain('content');
  expect(motd?.cause).toMatchObject({ step: { stage: 'after-upgrade-chroot' } });
  // That of the install is still the passive system's.
  expect(names).toHaveLength(2);
});

test('a ledger goes when no slot has its system any more', async () => {
  // From the outside passive stays, so only the first upgrade's ledger goes.
  await installed.upgrade(disk, 'v1', { now: LATER });
  await installed.upgrade(disk, 'v2', { now: LATER });
  const { active, passive, names } = await ledgers();
  expect(names).toHaveLength(2);
  expect(told(passive)).toEqual(['/etc/installed added /system/oem/10_hooks.yaml:3 Installed']);
  expect(told(active)).toHaveLength(4);
});

test('diff names each path below the step that made it, with the lines that differ', async () => {
  const { status, stdout, stderr } = await holdfast('diff', '--content');
  expect([status, stderr]).toEqual([0, '']);
  expect(
    stdout.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME').replace(/oci-layout:\S+/, 'IMAGE'),
  ).toBe(`The active system against IMAGE

/system/oem/10_hooks.yaml:17 "By command"  (after-upgrade-chroot, TIME)
  + /etc/made
      @@ -0,0 +1 @@
      +1
  ~ /etc/motd  (content)
      @@ -1 +1 @@
      -from the image
      +hellomore
  + /srv/data
  + /srv/data/file
      @@ -0,0 +1 @@
      +x

4 paths differ: 3 added, 1 changed, 0 removed; 0 unexplained.
`);
});

test('why says which step made a path and what it was, and which layer brought another one', async () => {
  const motd = await holdfast('why', '/etc/motd', '--slot', 'active');
  expect(motd.stdout).toMatch(
    /^\/etc\/motd: changed by \/system\/oem\/10_hooks.yaml:17 "By command"\n {2}stage after-upgrade-chroot, .*\n {2}upgrade at .* by \S+: test.*\n {2}in the image: file, mode 0644, owner 0:0, 15 bytes.*\n {2}before that by \/system\/oem\/10_hooks.yaml:9 "Motd"\n$/,
  );
  const release = await holdfast('why', '/etc/os-release', '--slot', 'active');
  expect(release.stdout).toMatch(
    /^\/etc\/os-release: as the image brought it\n {2}image .*\n {2}layer 2 of 2 \(sha256:/,
  );
  const nothing = await holdfast('why', '/etc/nothing', '--slot', 'active');
  expect([nothing.status, nothing.stderr]).toEqual([1, expect.stringContaining('nothing is at /etc/nothing')]);
});

test('what is changed in a slot behind its ledger is not explained by it', async () => {
  const change = async (state: string) => {
    const at = join(state, '..', 'slot');
    await mount(join(state, SLOT_FILES.active), at, { options: ['loop'] });
    try {
      writeFileSync(join(at, 'etc/motd'), 'by hand\n');
      writeFileSync(join(at, 'etc/by-hand'), '');
    } finally {
      await unmount(at);
    }
  };
  await disk.withMounted('COS_STATE', change, { writable: true });
  const { stdout } = await holdfast('diff', '--json');
  const { differences } = JSON.parse(stdout.split('\n').find((line) => line.includes('"result"')) ?? '');
  const causes = differences.map(({ path, cause, isChangedSince }: Record<string, { by: string }>) => [
    path,
    cause?.by,
    isChangedSince ?? false,
  ]);
  expect(causes).toContainEqual(['/etc/motd', 'unknown', true]);
  expect(causes).toContainEqual(['/etc/by-hand', 'unknown', false]);
  expect(causes).toContainEqual(['/etc/made', 'step', false]);
});

test('what a killed diff left mounted is taken away by the next action, that of a living one isn’t', async () => {
  const [killed, living] = ['/run/holdfast/diff-4194305', `/run/holdfast/why-${process.ppid}`];
  try {
    await disk.withPartitions([], async () => {
      for (const at of [killed, living]) await mount('none', join(at, 'active'), { type: 'tmpfs' });
      const remains = await removeRemains();
      expect(remains.filter((text) => text.includes(killed))).toHaveLength(1);
    });
    expect([killed, living].map((at) => mountAt(join(at, 'active')) !== undefined)).toEqual([false, true]);
  } finally {
    if (mountAt(join(living, 'active')) !== undefined) await unmount(join(living, 'active'));
    for (const at of [killed, living]) rmSync(at, { recursive: true, force: true });
  }
});

test.each([
  ['a slot that there isn’t', ['diff', 'third'], /"third" is none of active/],
  ['a path that isn’t absolute', ['why', 'etc/motd', '--slot', 'active'], /no absolute path/],
  ['adopting on a machine that wasn’t booted from a slot', ['adopt', '/etc/motd'], /not booted from a slot/],
  ['reverting there', ['revert', '/etc/motd'], /not booted from a slot/],
  ['the running system there', ['diff', 'running'], /no overlay and no directory that forgets/],
])('%s is refused', async (_, args, message) => {
  const { status, stderr } = await holdfast(...args);
  expect(status).not.toBe(0);
  expect(stderr).toMatch(message);
});
