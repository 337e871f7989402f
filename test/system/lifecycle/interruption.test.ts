// Ctrl-C at any moment: the real executable is sent SIGINT while it installs and upgrades, at moments spread over the
// whole action, and must leave no mount, loop device, process or work directory behind, and slots that are complete.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { SLOT_FILES } from '../../../src/slots/names.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { DiskImage, machineTraces, writeToExt4 } from './disk-image.ts';
import { BOOT_FILES, osRelease, TinyImages } from './tiny-image.ts';

let executable: string;
let images: TinyImages;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  images = new TinyImages();
  const base = { name: 'base', files: { ...BOOT_FILES, ...osRelease(1) } };
  await images.add('v1', [base]);
  await images.add('v2', [base, { name: 'second', files: osRelease(2) }]);
  const slow = 'stages:\n  after-install-chroot:\n    - commands: ["sleep 86399"]\n';
  await images.add('slow', [base, { name: 'slow', files: { 'system/oem/slow.yaml': slow } }]);
});
afterAll(() => images?.remove());

/** Runs the executable and sends SIGINT when `count` actions have begun (at once for 0). */
async function interrupt(args: readonly string[], count: number): Promise<{ status: number | null; begun: number }> {
  const child = spawn(executable, [...args, '--json'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let begun = 0;
  let text = '';
  if (count === 0) child.kill('SIGINT');
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const now = text.split('"type":"action-start"').length - 1;
    if (begun < count && now >= count) child.kill('SIGINT');
    begun = now;
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, begun };
}

/** The hook's own program, by the number that only it has. */
function sleeping(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') === 'sleep\0' + '86399\0';
    } catch {
      return false;
    }
  });
}

describe.each([1, 2, 4, 5, 6, 8, 9])('interrupted when action %i has begun', (count) => {
  test('install leaves nothing behind', async () => {
    const disk = DiskImage.create(4096);
    const before = machineTraces();
    const { status, begun } = await interrupt(
      ['install', disk.file, '--system', `oci-layout:${images.layout}:v1`],
      count,
    );
    expect(machineTraces()).toEqual(before);
    expect({ status, begun: begun >= count }).toEqual({ status: 130, begun: true });
    disk.remove();
  });
});

test('what a killed install left is taken away by the next one, which needs no --force', async () => {
  const disk = DiskImage.create(4096);
  const before = machineTraces();
  const installTag = (tag: string): [string, ...string[]] => [
    executable,
    'install',
    disk.file,
    '--system',
    `oci-layout:${images.layout}:${tag}`,
  ];
  const [program, ...args] = installTag('slow');
  const killed = spawn(program, [...args, '--json'], { stdio: ['ignore', 'pipe', 'ignore'] });
  killed.stdout.resume();
  await expect.poll(sleeping, { timeout: 60_000 }).toHaveLength(1);
  const ended = new Promise((resolve) => killed.on('close', resolve));
  killed.kill('SIGKILL');
  await ended;
  expect(machineTraces().loops.length).toBeGreaterThan(before.loops.length);
  const again = await run(installTag('v1'));
  expect(again.stderr).toContain('was still running for an install that was killed; it was ended');
  expect(again.status).toBe(0);
  expect(sleeping()).toEqual([]);
  expect(machineTraces()).toEqual(before);
  disk.remove();
});

describe('upgrade', () => {
  let disk: DiskImage;
  beforeAll(async () => {
    disk = DiskImage.create(4096);
    await runChecked([executable, 'install', disk.file, '--system', `oci-layout:${images.layout}:v1`]);
  });
  afterAll(() => disk?.remove());

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'interrupted when action %i has begun leaves two complete slots',
    async (count) => {
      await disk.withPartitions(['COS_STATE', 'COS_OEM', 'COS_PERSISTENT'], async () => {
        const before = machineTraces();
        const { status } = await interrupt(['upgrade', `oci-layout:${images.layout}:v2`, '--force'], count);
        expect(machineTraces()).toEqual(before);
        // Begun late enough it may be done before the signal arrives; nothing else is right.
        expect([0, 130]).toContain(status);
      });
      await disk.withMounted('COS_STATE', async (state) => {
        for (const slot of ['active', 'passive'] as const) {
          const file = join(state, SLOT_FILES[slot]);
          expect((await run(['e2fsck', '-fn', file])).status).toBe(0);
          expect(await runChecked(['debugfs', '-R', 'cat /etc/os-release', file])).toMatch(/PRETTY_NAME="Tiny [12]"/);
        }
      });
    },
  );

  test('what a killed upgrade left is taken away by the next one', async () => {
    const hook = 'stages:\n  after-upgrade-chroot:\n    - commands: ["sleep 86399"]\n';
    await disk.withPartitions(['COS_STATE', 'COS_OEM', 'COS_PERSISTENT'], async (devices) => {
      const before = machineTraces();
      await writeToExt4(disk, devices['COS_OEM'] ?? '', 'mine.yaml', hook);
      const args = ['upgrade', `oci-layout:${images.layout}:v2`, '--force', '--json'];
      const killed = spawn(executable, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      killed.stdout.resume();
      await expect.poll(sleeping, { timeout: 60_000 }).toHaveLength(1);
      const ended = new Promise((resolve) => killed.on('close', resolve));
      killed.kill('SIGKILL');
      await ended;
      expect(machineTraces().mounts.length).toBeGreaterThan(before.mounts.length);

      await writeToExt4(disk, devices['COS_OEM'] ?? '', 'mine.yaml', 'stages: {}\n');
      const again = await run([executable, ...args.slice(0, -1)]);
      expect(again.stderr).toContain('was still running for an upgrade that was killed; it was ended');
      expect(again.status).toBe(0);
      expect(sleeping()).toEqual([]);
      expect(machineTraces()).toEqual(before);
    });
  });

  test('a second upgrade at the same time is told who is at work', async () => {
    await disk.withPartitions(['COS_STATE', 'COS_OEM', 'COS_PERSISTENT'], async () => {
      const args = ['upgrade', `oci-layout:${images.layout}:v2`, '--force', '--json'];
      const first = spawn(executable, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      const ended = new Promise((resolve) => first.on('close', resolve));
      await new Promise((resolve) => first.stdout.once('data', resolve));
      first.stdout.resume();
      const second = await run([executable, 'upgrade', `oci-layout:${images.layout}:v2`]);
      expect(second.status).toBe(92);
      expect(second.stderr).toContain(`another action is running: holdfast ${args.join(' ')} (pid ${first.pid})`);
      expect(await ended).toBe(0);
    });
  });
});
