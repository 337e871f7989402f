// What happened to users of the originals, and must not happen here; each test is named after it, on a real disk image.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { upgrade } from '../../../src/lifecycle/apply-upgrade.ts';
import { listMounts, mount, unmount } from '../../../src/system/mounts.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { type DiskImage, machineTraces, slotText } from './disk-image.ts';
import { ALL_LABELS, InstalledDisk, NOW, systemsIn } from './installed-disk.ts';

let installed: InstalledDisk;
let executable: string;
/** Nothing but zeros nowhere, so that a hole shows. */
const CONTENT = 'not zero\n'.repeat(4_000_000);

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  installed = await InstalledDisk.create({ v2: { 'usr/share/large': CONTENT } });
});
afterAll(() => installed?.remove());

test('after an upgrade files were full of zeros (harvester#7457, #10687): the system is on the disk, whole', async () => {
  const disk = await installed.copy();
  await installed.upgrade(disk, 'v2');
  await expectWhole(disk);
});

test('while an upgrade was at work COS_STATE got full (harvester#7457): it fails, and the systems are as they were', async () => {
  const disk = await installed.copy();
  const before = machineTraces();
  let state: string | undefined;
  const fill = async () => {
    const unpacking = listMounts().find(({ mountPoint }) => /^\/run\/holdfast\/upgrade-\d+\/state$/.test(mountPoint));
    if (unpacking === undefined || state !== undefined) return;
    // The room for the new system has been asked for by now; somebody else takes it.
    if (!existsSync(join(unpacking.mountPoint, 'cOS/transition.img'))) return;
    state = unpacking.mountPoint;
    const free = Number(await runChecked(['stat', '--file-system', '--format=%a', state])) * 4096;
    await runChecked(['fallocate', '--length', String(free - (1 << 20)), join(state, 'ballast')]);
  };
  await expect(installed.upgrade(disk, 'v2', { beforeAction: fill })).rejects.toMatchObject({ name: 'HoldfastError' });
  expect(state).toBeDefined();
  expect(machineTraces()).toEqual(before);
  await disk.withMounted('COS_STATE', (directory) => rmSync(join(directory, 'ballast')), { writable: true });
  await disk.withMounted('COS_STATE', async (directory) => {
    expect(await systemsIn(directory)).toEqual(['Tiny 1', 'Tiny 1']);
    expect(existsSync(join(directory, 'cOS/transition.img'))).toBe(false);
  });
  // With room again it is done.
  await installed.upgrade(disk, 'v2');
  await expectWhole(disk);
});

/** The active system is version 2, byte for byte. */
async function expectWhole(disk: DiskImage): Promise<void> {
  await disk.withMounted('COS_STATE', async (state) => {
    const directory = join(disk.directory, 'slot');
    mkdirSync(directory, { recursive: true });
    await runChecked(['mount', '-o', 'loop,ro', join(state, 'cOS/active.img'), directory]);
    try {
      expect(readFileSync(join(directory, 'usr/share/large'), 'utf8') === CONTENT).toBe(true);
      const tree = installed.images.treeOf('base');
      const differing = await run(['diff', '--recursive', '--brief', '--no-dereference', tree, directory]);
      expect(differing.stdout.match(/^Files .* differ$/gm)).toEqual([
        `Files ${tree}/etc/os-release and ${directory}/etc/os-release differ`,
      ]);
    } finally {
      await unmount(directory);
    }
  });
}

test('images were unpacked into COS_STATE or a small /tmp (elemental-toolkit#480, elemental-cli#184)', async () => {
  const disk = await installed.copy();
  const seen = new Set<string>();
  await disk.withPartitions(ALL_LABELS, async () => {
    await upgrade(
      { image: await installed.open('v2'), strictness: 'chroot', force: false },
      {
        command: 'test',
        now: NOW,
        beforeAction: () => {
          for (const { mountPoint } of listMounts()) {
            if (!/^\/run\/holdfast\/upgrade-\d+\/(?:state|persistent)$/.test(mountPoint)) continue;
            for (const name of readdirSync(mountPoint, { recursive: true, encoding: 'utf8' })) {
              seen.add(`${mountPoint.replace(/.*\//, '')} ${name.replace(/pristine-[0-9a-f]+/, 'pristine-X')}`);
            }
          }
        },
      },
    );
  });
  const names = [...seen].filter((name) => /^\w+ cOS\/|tmp|unpack/.test(name)).sort();
  expect(names).toContain('state cOS/transition.img');
  expect(
    names.filter(
      (name) =>
        !/^state cOS\/(?:(?:active|passive|transition|pristine-X)\.img(?:\.new)?|pristine-X\.index|ledger-[0-9a-f-]+\.ndjson\.gz)$/.test(
          name,
        ),
    ),
  ).toEqual([]);
});

test('a machine whose /tmp has no room is upgraded (elemental-cli#184)', async () => {
  const disk = await installed.copy();
  const before = machineTraces();
  const script = [
    // What lies in /tmp while it can still be seen.
    'mount --bind "$1" /mnt && mount --bind "$2" /srv && mount -t tmpfs -o size=16k,mode=1777 tmpfs /tmp',
    'exec /mnt/holdfast upgrade oci-layout:/srv:v2',
  ].join(' && ');
  await disk.withPartitions(ALL_LABELS, async () => {
    const result = await run([
      'unshare',
      '--mount',
      'sh',
      '-c',
      script,
      'sh',
      dirname(executable),
      installed.images.layout,
    ]);
    expect(result.stderr).toBe('');
    expect(result.status).toBe(0);
  });
  expect(machineTraces()).toEqual(before);
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 2');
  });
});

test('an upgrade needed COS_PERSISTENT (elemental-toolkit#930, #989): without it, and without recovery, it is done', async () => {
  const disk = await installed.copy();
  await disk.withPartitions(['COS_STATE', 'COS_OEM'], async () => {
    const result = await upgrade(
      { image: await installed.open('v2'), strictness: 'chroot', force: false },
      { command: 'test', now: NOW },
    );
    expect(result).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 2' });
  });
});

test('the configured size was forgotten by later upgrades (kairos#2985, #3788): each one keeps it', async () => {
  const disk = await installed.copy();
  const env = { ...process.env, DEFAULT_IMAGE_SIZE: '700' };
  for (const tag of ['v2', 'v1']) {
    await disk.withPartitions(ALL_LABELS, () =>
      runChecked([executable, 'upgrade', `oci-layout:${installed.images.layout}:${tag}`], { env }),
    );
    await disk.withMounted('COS_STATE', (state) => {
      expect(statSync(join(state, 'cOS/active.img')).size).toBeGreaterThanOrEqual(700 << 20);
    });
  }
});

test('a stale transition file of an upgrade that was cut off is no obstacle, and goes', async () => {
  const disk = await installed.copy();
  await disk.withPartitions(ALL_LABELS, async (devices) => {
    const state = join(disk.directory, 'stale');
    mkdirSync(state);
    await mount(devices['COS_STATE'] ?? '', state);
    writeFileSync(join(state, 'cOS/transition.img'), 'half of a system');
    await unmount(state);
    rmSync(state, { recursive: true });
    const { outcome } = await upgrade(
      { image: await installed.open('v2'), strictness: 'chroot', force: false },
      { command: 'test', now: NOW },
    );
    expect(outcome).toBe('ok');
  });
  await disk.withMounted('COS_STATE', (state) => {
    expect(existsSync(join(state, 'cOS/transition.img'))).toBe(false);
  });
});
