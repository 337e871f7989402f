// An upgrade as it is typed on a live system: its root is a tree at /run/rootfsbase in a mount namespace of the test's own, and the
// partitions of the installed system are found by label. What becomes of the active slot, of the passive one, and of
// what nobody asked for.

import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { type RunResult, run } from '../../../src/system/process.ts';
import { type DiskImage, slotText } from './disk-image.ts';
import { ALL_LABELS, InstalledDisk, systemsIn } from './installed-disk.ts';

const LIVE_ROOT = '/run/rootfsbase';
let installed: InstalledDisk;
let executable: string;

/** Shows what a hook sees of the installed system. */
const HOOK = `stages:
  after-upgrade-chroot:
    - commands: ["cat /oem/mark /usr/local/mark > /marks"]
`;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  installed = await InstalledDisk.create();
  // The medium's own system is another one than the installed one.
  writeFileSync(join(installed.images.treeOf('base'), 'etc/os-release'), 'NAME="Tiny"\nPRETTY_NAME="Tiny live"\n');
  const { original } = installed;
  await original.withMounted(
    'COS_OEM',
    (oem) => {
      writeFileSync(join(oem, 'mark'), 'oem\n');
      writeFileSync(join(oem, '90_hook.yaml'), HOOK);
    },
    { writable: true },
  );
  await original.withMounted('COS_PERSISTENT', (local) => writeFileSync(join(local, 'mark'), 'local\n'), {
    writable: true,
  });
});
afterAll(() => installed?.remove());

/** Runs a command where the machine looks like a live system. */
async function onLive(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<RunResult> {
  const made = mkdirSync(LIVE_ROOT, { recursive: true });
  const script = 'mount --bind "$0" "$1" && shift && exec "$@"';
  try {
    return await run(
      ['unshare', '--mount', 'sh', '-c', script, installed.images.treeOf('base'), LIVE_ROOT, executable, ...args],
      { env: { ...process.env, ...env } },
    );
  } finally {
    if (made !== undefined) rmdirSync(LIVE_ROOT);
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

const passiveOf = async (disk: DiskImage) => {
  let digest = '';
  await disk.withMounted('COS_STATE', async (state) => {
    digest = await sha256(join(state, 'cOS/passive.img'));
  });
  return digest;
};

const systemsOf = async (disk: DiskImage) => {
  let systems: string[] = [];
  await disk.withMounted('COS_STATE', async (state) => {
    systems = await systemsIn(state);
  });
  return systems;
};

test('cos-upgrade alone: the active image, which is gone, becomes the medium’s system; passive is the same', async () => {
  const disk = await installed.copy();
  await disk.withMounted('COS_STATE', (state) => rmSync(join(state, 'cOS/active.img')), { writable: true });
  const before = await passiveOf(disk);
  await disk.withPartitions(ALL_LABELS, async (devices) => {
    const { status, stdout, stderr } = await onLive(['compat', 'cos-upgrade']);
    expect(`${stdout}${stderr}`).toContain(
      `what is upgraded is the system that is installed on ${devices['COS_STATE']}`,
    );
    expect(stdout).toContain('Upgrade done, now you might want to reboot');
    expect(status).toBe(0);
  });
  expect(await systemsOf(disk)).toEqual(['Tiny live', 'Tiny 1']);
  expect(await passiveOf(disk)).toBe(before);
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await slotText(state, 'active', '/marks')).toBe('oem\nlocal\n');
    expect(readdirSync(join(state, 'cOS')).filter((name) => /transition/.test(name))).toEqual([]);
  });
});

test('the image that the settings name counts more, and is built also where it is installed', async () => {
  const disk = await installed.copy();
  const config = join(installed.images.directory, 'config');
  mkdirSync(config);
  writeFileSync(join(config, 'config.yaml'), `upgrade:\n  system: oci-layout:${installed.images.layout}:v1\n`);
  await disk.withPartitions(ALL_LABELS, async (devices) => {
    const { status, stdout } = await onLive(['upgrade', '--config-dir', config]);
    expect(stdout).toMatch(/active +Tiny 1 in .* on \/dev\/loop/);
    expect(stdout).toContain(`on ${devices['COS_STATE']}`);
    expect(stdout).toContain('take the medium out and reboot');
    expect(status).toBe(0);
  });
  expect(await systemsOf(disk)).toEqual(['Tiny 1', 'Tiny 1']);
});

test('a package of a channel, as cOS has it by default, is no reason not to repair; a dry run changes nothing', async () => {
  const disk = await installed.copy();
  await disk.withPartitions(ALL_LABELS, async (devices) => {
    const oem = devices['COS_OEM'] ?? '';
    const before = await sha256(oem);
    const { status, stdout, stderr } = await onLive(['upgrade', '--dry-run'], { UPGRADE_IMAGE: 'system/cos' });
    expect(stderr).toMatch(/asks for a package of a luet channel .* the medium’s own system is taken/);
    expect(stdout).toContain('this would be done (nothing was changed)');
    expect(status).toBe(0);
    expect(await sha256(oem)).toBe(before);
  });
  expect(await systemsOf(disk)).toEqual(['Tiny 1', 'Tiny 1']);
});

test('two disks with a system: neither is touched', async () => {
  const [one, two] = [await installed.copy(), await installed.copy()];
  await one.withPartitions(ALL_LABELS, () =>
    two.withPartitions(ALL_LABELS, async () => {
      const { status, stderr } = await onLive(['upgrade']);
      expect(stderr).toMatch(/the label COS_STATE is on several partitions: \/dev\/loop\d+ .*\/dev\/loop\d+/);
      expect(status).not.toBe(0);
    }),
  );
  expect(await systemsOf(one)).toEqual(['Tiny 1', 'Tiny 1']);
});

test('no disk with a system: in words', async () => {
  const { status, stderr } = await onLive(['upgrade']);
  expect(stderr).toMatch(/no partition with the label COS_STATE was found/);
  expect(status).not.toBe(0);
});
