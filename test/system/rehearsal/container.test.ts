// Real systems in real containers: Debian's systemd comes up in one, is asked how it is, and leaves nothing behind. What it
// may not do is tried by a health check inside of it.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureGuestRoot } from '../../../lab/crash/guest-root.ts';
import { ensureExecutable } from '../../../lab/executable.ts';
import { type Observation, observeInContainer } from '../../../src/rehearsal/container.ts';
import { planPlaces } from '../../../src/rehearsal/places.ts';
import { silent } from '../../../src/system/events.ts';
import { listLoops } from '../../../src/system/loopdevices.ts';
import { listMounts, mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-rehearsal-'));
const slot = join(directory, 'slot.img');
const oem = join(directory, 'oem');
const persistent = join(directory, 'persistent');
let executable = '';

beforeAll(async () => {
  const log = () => {};
  executable = await ensureExecutable(log);
  const { image } = await ensureGuestRoot({ log });
  await runChecked(['cp', '--sparse=always', image, slot]);
  for (const path of [join(oem, 'health.d'), persistent]) mkdirSync(path, { recursive: true });
  await changeSystem(slot, (root) => root.makeDirectory('/oem'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function changeSystem(file: string, change: (root: Root) => void): Promise<void> {
  const at = join(directory, 'mounted');
  await mount(file, at, { options: ['loop'] });
  try {
    change(new Root(at));
  } finally {
    await unmount(at);
  }
}

/** Boots a copy of the system, changed; the copy is thrown away. */
async function observe(
  change: (root: Root) => void,
  options: { timeoutMs?: number; signal?: AbortSignal; onStart?: () => void } = {},
): Promise<Observation> {
  const copy = join(directory, 'copy.img');
  await runChecked(['cp', '--sparse=always', slot, copy]);
  await changeSystem(copy, change);
  const undo = new UndoStack();
  const workDirectory = join(directory, 'work');
  try {
    const seen = observeInContainer(
      {
        slotFile: copy,
        workDirectory,
        executable,
        places: planPlaces({ layout: undefined, oem, persistent }),
        commandLine: 'quiet rehearsal.test=1',
        timeoutMs: options.timeoutMs ?? 90_000,
      },
      { undo, signal: options.signal ?? new AbortController().signal, events: silent },
    );
    options.onStart?.();
    return await seen;
  } finally {
    expect(await undo.unwind(true)).toEqual([]);
    rmSync(workDirectory, { recursive: true });
    expect(listLoops().filter(({ file }) => file.startsWith(directory))).toEqual([]);
    expect(listMounts().filter(({ mountPoint }) => mountPoint.startsWith(directory))).toEqual([]);
    const groups = listMounts().flatMap(({ type, mountPoint }) => (type === 'cgroup2' ? readdirSync(mountPoint) : []));
    expect(groups.filter((name) => name === `holdfast-rehearsal-${process.pid}`)).toEqual([]);
  }
}

const service = (lines: string) => `[Unit]\nDescription=of the test\n\n[Service]\nType=oneshot\n${lines}\n`;

/** Each line fails when a container lets through what it must not, or keeps from a system what that needs. */
const LOOK_AROUND = `#!/bin/sh
fail() { echo "$1"; exit 1; }
[ "$(ls /sys/class/net)" = lo ] || fail "there is a network: $(ls /sys/class/net)"
! touch /usr/new 2>/dev/null || fail "/usr can be written to"
! touch /new 2>/dev/null || fail "/ can be written to"
touch /etc/new /var/new /usr/local/new /oem/new || fail "what a system writes to can't be written to"
! mknod /run/disk b 7 0 2>/dev/null || fail "devices can be made"
! [ -e /dev/loop0 ] && ! [ -e /dev/vda ] || fail "there are disks"
! echo 1 2>/dev/null >/proc/sys/kernel/panic || fail "the kernel's settings can be changed"
! echo h 2>/dev/null >/proc/sysrq-trigger || fail "the kernel can be told to do things"
! date --set=2001-01-01 >/dev/null 2>&1 || fail "the clock can be set"
[ "$(cat /proc/cmdline)" = "quiet rehearsal.test=1" ] || fail "the command line is $(cat /proc/cmdline)"
[ "$(cat /proc/1/comm)" = systemd ] || fail "the first process is $(cat /proc/1/comm)"
cat /oem/marker
exit 7
`;

describe('a system in a container', () => {
  test('comes up, is asked, and can touch nothing of the machine', async () => {
    writeFileSync(join(oem, 'health.d/look-around'), LOOK_AROUND, { mode: 0o755 });
    writeFileSync(join(oem, 'marker'), 'the owner’s file\n');
    const hostname = await runChecked(['hostname']);
    try {
      // A check that fails is tried again: once is enough here.
      mkdirSync(join(oem, 'holdfast'), { recursive: true });
      writeFileSync(join(oem, 'holdfast/assessment.yaml'), 'tries: 1\n');
      const { verdict, notes, problem } = await observe(() => {});
      expect(problem).toBe('');
      expect(verdict).toMatchObject({
        startup: { outcome: 'ok' },
        units: [],
        checks: [
          {
            name: '/oem/health.d/look-around',
            outcome: 'failed',
            message: 'its status was 7',
            outputTail: 'the owner’s file',
          },
        ],
      });
      expect(notes).toEqual([]);
    } finally {
      rmSync(join(oem, 'health.d/look-around'));
    }
    expect(existsSync(join(oem, 'new'))).toBe(false);
    expect(existsSync(join(persistent, 'new'))).toBe(false);
    expect(await runChecked(['hostname'])).toBe(hostname);
  });

  test('a service that fails is named, with what its journal says', async () => {
    const { verdict } = await observe((root) => {
      root.writeFile('/etc/systemd/system/web.service', service('ExecStart=/bin/sh -c "echo port in use; exit 3"'));
      root.link('/etc/systemd/system/multi-user.target.wants/web.service', '/etc/systemd/system/web.service');
    });
    expect(verdict?.units.map(({ name }) => name)).toEqual(['web.service']);
    expect(verdict?.units[0]?.outputTail).toContain('port in use');
  });

  test('what waits for a network is set aside', async () => {
    const { verdict } = await observe((root) => {
      const unit = 'systemd-networkd-wait-online.service';
      root.link(`/etc/systemd/system/multi-user.target.wants/${unit}`, `/lib/systemd/system/${unit}`);
    });
    expect([verdict?.startup?.outcome, verdict?.units]).toEqual(['ok', []]);
  });

  test('a system whose first process ends is one that doesn’t work', async () => {
    const { verdict, problem, outputTail } = await observe((root) => {
      root.remove('/sbin/init');
      root.writeFile('/sbin/init', '#!/bin/sh\necho no such root >&2\nexit 1\n', { mode: 0o755 });
    });
    expect(verdict).toBeUndefined();
    expect(problem).toBe('its first process ended before the boot had come to its end');
    expect(outputTail).toContain('no such root');
  });

  test('one that says nothing is ended when its time is over', async () => {
    const { verdict, problem } = await observe(
      (root) => {
        root.remove('/sbin/init');
        root.writeFile('/sbin/init', '#!/bin/sh\ntrap "" TERM\nsleep 1000 & wait\n', { mode: 0o755 });
      },
      { timeoutMs: 2000 },
    );
    expect([verdict, problem]).toEqual([undefined, 'it said nothing within 2 seconds']);
  });

  // The earliest find a container that hasn't got to its control group yet.
  test.each([0, 10, 40, 400])('an interruption ends it, %i ms after its start', async (afterMs) => {
    const controller = new AbortController();
    const seen = observe(
      (root) => {
        root.remove('/sbin/init');
        root.writeFile('/sbin/init', '#!/bin/sh\nsleep 1000 & wait\n', { mode: 0o755 });
      },
      { signal: controller.signal, onStart: () => setTimeout(() => controller.abort(), afterMs) },
    );
    await expect(seen).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
  });
});
