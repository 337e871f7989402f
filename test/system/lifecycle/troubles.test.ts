// What goes wrong on real machines: a disk that fills up, a hook that keeps a partition busy, an earlier run that was
// killed, an interruption at any action. Each ends as it was before or done, and never without a system.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rebuild } from '../../../src/lifecycle/apply-rebuild.ts';
import { rollback } from '../../../src/lifecycle/apply-rollback.ts';
import { readLastAction } from '../../../src/lifecycle/last-action.ts';
import type { SessionOptions } from '../../../src/lifecycle/session.ts';
import { readRecord } from '../../../src/record/record.ts';
import { freeBytes } from '../../../src/system/filesystems.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { type DiskImage, machineTraces, writeToExt4 } from './disk-image.ts';
import {
  ALL_LABELS,
  holdfastInSlot,
  InstalledDisk,
  LATER,
  prepareDelivery,
  systemsIn,
  TOOL_DIRECTORIES,
} from './installed-disk.ts';

const V2 = 'oci-layout:/run/delivery/layout:v2';

let installed: InstalledDisk;
/** Active is version 2, passive version 1. */
let upgraded: DiskImage;
let delivery: string;

beforeAll(async () => {
  installed = await InstalledDisk.create({ v1: TOOL_DIRECTORIES });
  upgraded = await installed.copy();
  await installed.upgrade(upgraded, 'v2');
  delivery = await prepareDelivery(installed);
}, 300_000);
afterAll(() => installed?.remove());

const systems = (disk: DiskImage) => disk.withMounted('COS_STATE', (state) => systemsIn(state));
const stageFile = (disk: DiskImage, hook: string, command: string) =>
  disk.withPartitions(['COS_OEM'], (devices) =>
    writeToExt4(disk, devices['COS_OEM'] ?? '', 'mine.yaml', `stages:\n  ${hook}:\n    - commands: ["${command}"]\n`),
  );

test('a hook that fills the new system stops the upgrade, which says so and leaves all as it was', async () => {
  const disk = await installed.copy();
  await stageFile(disk, 'after-upgrade-chroot', 'cat /dev/zero > /fills-it-up');
  const before = machineTraces();
  await expect(installed.upgrade(disk, 'v2')).rejects.toMatchObject({
    code: 'HF-HOOK',
    exitStatus: 39,
    outputTail: expect.stringContaining('No space left on device'),
  });
  expect(machineTraces()).toEqual(before);
  expect(await systems(disk)).toEqual(['Tiny 1', 'Tiny 1']);
  await disk.withMounted('COS_STATE', (state) => {
    expect(existsSync(join(state, 'cOS/transition.img'))).toBe(false);
    expect(readLastAction(state)).toMatchObject({ outcome: 'refused', error: expect.stringContaining('mine.yaml') });
    // The whole story is in the record: how it came to be installed, and the step that failed with its last words.
    const { entries, problems } = readRecord({ stateDirectory: state });
    expect(problems).toEqual([]);
    const action = entries.findLast(({ kind }) => kind === 'action');
    // What other tests were refused on this machine may have waited to be written before it.
    const install = entries.find(({ name }) => name === 'install');
    expect(install).toMatchObject({ kind: 'action', outcome: 'ok', by: { pid: process.pid } });
    expect(action).toMatchObject({
      name: 'upgrade',
      message: expect.stringContaining('Upgrade to'),
      error: { code: 'HF-HOOK', exitStatus: 39, outputTail: expect.stringContaining('No space left on device') },
      durations: expect.arrayContaining([{ action: 'open-state', durationMs: expect.any(Number) }]),
    });
    expect(entries.filter(({ parent }) => parent === action?.id)).toMatchObject([
      { kind: 'hook', name: 'before-upgrade' },
      {
        kind: 'hook',
        name: 'after-upgrade-chroot',
        outcome: 'failed',
        steps: [
          {
            file: '/oem/mine.yaml',
            line: 3,
            outcome: 'failed',
            definition: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
            message: expect.stringContaining('cat /dev/zero > /fills-it-up failed with status 1'),
            outputTail: expect.stringContaining('No space left on device'),
          },
        ],
      },
    ]);
  });
});

test('a full state partition is refused with figures; what a killed run was building doesn’t count', async () => {
  const disk = await installed.copy();
  const fill = (name: string, leaveMib: number) =>
    disk.withMounted(
      'COS_STATE',
      (state) => {
        const bytes = freeBytes(state) - leaveMib * 2 ** 20;
        return runChecked(['fallocate', '--length', String(bytes), join(state, name)]);
      },
      { writable: true },
    );
  await fill('cOS/transition.img', 100);
  expect((await installed.upgrade(disk, 'v2')).outcome).toBe('ok');
  await fill('filler', 100);
  await expect(installed.upgrade(disk, 'v1')).rejects.toMatchObject({
    code: 'HF-NO-SPACE',
    message: expect.stringMatching(/^not enough space in .* for the new system: \d+ MiB needed, \d+ MiB free$/),
  });
  expect(await systems(disk)).toEqual(['Tiny 2', 'Tiny 1']);
});

test('a hook that leaves a program on the state partition: the upgrade is done, the rest is a warning that status shows', async () => {
  const disk = await installed.copy();
  await stageFile(disk, 'post-upgrade', 'cd /run/cos/state && sleep 86398 > /dev/null 2>&1 &');
  const before = machineTraces();
  const { status, stdout } = await holdfastInSlot(delivery, disk, 'active', ['upgrade', V2]);
  endSleepers();
  // The last of its mounts go with it.
  await expect.poll(machineTraces, { timeout: 20_000 }).toEqual(before);
  expect(status).toBe(0);
  expect(stdout).toMatch(/Upgrade completed with warnings \(\d\):\n {2}! cleaning up after hook post-upgrade: unmount/);
  expect(await systems(disk)).toEqual(['Tiny 2', 'Tiny 1']);
  await disk.withMounted('COS_STATE', (state) => {
    expect(readLastAction(state)).toMatchObject({ outcome: 'ok-with-warnings', action: 'upgrade' });
    const upgrade = readRecord({ stateDirectory: state }).entries.findLast(({ name }) => name === 'upgrade');
    expect(upgrade).toMatchObject({
      outcome: 'ok-with-warnings',
      by: { command: `holdfast upgrade ${V2}` },
      slot: { name: 'active', digest: expect.stringMatching(/^sha256:/) },
      durations: expect.arrayContaining([{ action: 'activate', durationMs: expect.any(Number) }]),
    });
  });
});

test('what a boot does waits in /run; what fails is on the disk at once, also an upgrade that could not even begin', async () => {
  const disk = await installed.copy();
  await disk.withPartitions(['COS_OEM'], (devices) => {
    const text = `stages:
  boot: [{ commands: ["true"] }]
  network: [{ name: Registry, commands: ["echo last words; echo password=hunter22; false"] }]
`;
    return writeToExt4(disk, devices['COS_OEM'] ?? '', 'mine.yaml', text);
  });
  const script = `mkdir -p /run/systemd/system
holdfast() { /run/delivery/holdfast "$@" > /run/out 2>&1; echo "$? $(ls /run/holdfast/record | grep -c json)"; }
holdfast run-stage boot
holdfast run-stage boot
holdfast run-stage network
holdfast upgrade oci-layout:/nowhere:v9
holdfast history --json; cp /run/out /run/history
holdfast upgrade oci-layout:/nowhere:v9
cat /run/history`;
  const inSlot = await run(['sh', 'lab/crash/in-slot.sh', disk.file, 'active', 'sh', '-c', script], {
    env: { ...process.env, IN_SLOT_DELIVERY: delivery },
    timeoutMs: 120_000,
  });
  const [first, again, failing, refused, history, refusedAgain, ...json] = inSlot.stdout.trim().split('\n');
  expect([first, again, failing, refused, history]).toEqual([
    '0 1',
    '0 1',
    '0 0',
    expect.stringMatching(/^[1-9]\d* 0$/),
    '0 0',
  ]);
  // The same again is counted, and the disk is left alone.
  expect(refusedAgain).toMatch(/^[1-9]\d* 1$/);
  const recorded = await disk.withMounted('COS_STATE', (state) => readRecord({ stateDirectory: state }).entries);
  expect(JSON.parse(json.join('\n'))).toMatchObject({ type: 'result', problems: [], entries: recorded });
  const own = recorded.filter(({ parent, name }) => parent === undefined && name !== 'install');
  expect(own).toMatchObject([
    { kind: 'stage', name: 'boot', outcome: 'ok', times: 2, steps: [{ file: '/oem/mine.yaml', line: 2 }] },
    {
      kind: 'stage',
      name: 'network',
      outcome: 'failed',
      steps: [{ name: 'Registry', line: 3, outcome: 'failed', outputTail: expect.stringContaining('last words') }],
    },
    {
      kind: 'action',
      name: 'upgrade',
      by: { command: 'holdfast upgrade oci-layout:/nowhere:v9' },
      error: { code: 'HF-NO-SOURCE' },
    },
  ]);
  expect(JSON.stringify(recorded)).not.toContain('hunter22');
});

/** Ends the program of the hook above, known by the number that only it has. */
function endSleepers(): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (command === 'sleep\0' + '86398\0') process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

describe('interrupted before each action', () => {
  /** Runs an action again and again, interrupted `step` actions later each time, until it comes to its end. */
  async function interruptEach(
    from: DiskImage,
    act: (options: SessionOptions) => Promise<unknown>,
    step = 1,
  ): Promise<string[][]> {
    const seen: string[][] = [];
    for (let at = 1; ; at += step) {
      const disk = await installed.copy(from);
      const abort = new AbortController();
      const before = machineTraces();
      const finished = await disk.withPartitions(ALL_LABELS, () =>
        act({
          command: 'test',
          now: LATER,
          signal: abort.signal,
          beforeAction: (index) => {
            if (index === at) abort.abort();
          },
        }).then(
          () => true,
          (error: unknown) => {
            expect(error).toMatchObject({ code: 'HF-INTERRUPTED' });
            return false;
          },
        ),
      );
      expect(machineTraces()).toEqual(before);
      seen.push(await systems(disk));
      for (const slot of ['active', 'passive']) {
        await disk.withMounted('COS_STATE', async (state) => {
          expect((await run(['e2fsck', '-fn', join(state, `cOS/${slot}.img`)])).status, `${slot}, ${at}`).toBe(0);
        });
      }
      const again = await disk.withPartitions(ALL_LABELS, () => act({ command: 'test', now: LATER }));
      expect(again, `again after ${at}`).toMatchObject({ outcome: expect.stringMatching(/^(ok|up-to-date)$/) });
      disk.remove();
      if (finished) return seen;
    }
  }

  test('rollback: before the switch as it was, after it done', async () => {
    const seen = await interruptEach(upgraded, (options) => rollback(options));
    expect(seen[0]).toEqual(['Tiny 2', 'Tiny 1']);
    expect(seen.at(-1)).toEqual(['Tiny 1', 'Tiny 1']);
    expect(new Set(seen.map((names) => names.join()))).toEqual(new Set(['Tiny 2,Tiny 1', 'Tiny 1,Tiny 1']));
  });

  test('reset: both slots are complete at each moment', async () => {
    const seen = await interruptEach(
      upgraded,
      (options) =>
        rebuild(
          {
            action: 'reset',
            strictness: 'chroot',
            force: true,
            formatState: false,
            wipe: ['persistent', 'oem'],
            cloudInit: [{ name: 'a.yaml', text: 'stages: {}\n' }],
          },
          undefined,
          options,
        ),
      3,
    );
    expect(seen[0]).toEqual(['Tiny 2', 'Tiny 1']);
    expect(seen.at(-1)).toEqual(['Tiny 1', 'Tiny 1']);
  });
});

test('an interrupted action is noted, and what it wrote to /oem before the switch is taken back', async () => {
  const disk = await installed.copy(upgraded);
  const abort = new AbortController();
  await disk.withMounted('COS_OEM', (oem) => writeFileSync(join(oem, '99_custom.yaml'), 'old\n'), { writable: true });
  await expect(
    disk.withPartitions(ALL_LABELS, () =>
      rebuild(
        {
          action: 'reset',
          strictness: 'chroot',
          force: true,
          formatState: false,
          wipe: [],
          cloudInit: [{ name: 'a.yaml', text: 'new\n' }],
        },
        undefined,
        {
          command: 'test',
          now: LATER,
          signal: abort.signal,
          beforeAction: (index) => (index === 5 ? abort.abort() : undefined),
        },
      ),
    ),
  ).rejects.toMatchObject({ code: 'HF-INTERRUPTED', exitStatus: 130 });
  await disk.withMounted('COS_OEM', async (oem) => {
    expect(await runChecked(['cat', join(oem, '99_custom.yaml')])).toBe('old\n');
  });
  await disk.withMounted('COS_STATE', (state) => {
    expect(readLastAction(state)).toMatchObject({
      action: 'reset',
      outcome: 'interrupted',
      error: expect.stringContaining('interrupted before'),
    });
  });
});
