// Local changes without a new image, as on a booted machine: the real executable runs from a slot file as its root and can't
// reach the image that it was installed from. What is built, what stays, what a failing step leaves, and what comes to the
// running system without a reboot. Takes half a minute.

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readAssessmentRecord } from '../../../src/lifecycle/assessment-record.ts';
import { applyLocalChanges } from '../../../src/lifecycle/local-changes.ts';
import type { SlotName } from '../../../src/slots/names.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { type RunResult, run } from '../../../src/system/process.ts';
import { type DiskImage, machineTraces, slotText, writeToExt4 } from './disk-image.ts';
import {
  ALL_LABELS,
  holdfastInSlot,
  InstalledDisk,
  LATER,
  prepareDelivery,
  TOOL_DIRECTORIES,
} from './installed-disk.ts';

const HOLDFAST = '/run/delivery/holdfast';
const FILE = 'mine.yaml';

let installed: InstalledDisk;
let delivery: string;

beforeAll(async () => {
  installed = await InstalledDisk.create({
    v1: {
      ...TOOL_DIRECTORIES,
      'opt/of-the-image': 'old\n',
      'opt/data/.keep': '',
      'var/lib/list': 'one\n',
      'var/lib/other': 'one\n',
    },
  });
  delivery = await prepareDelivery(installed);
}, 300_000);
afterAll(() => installed?.remove());

/** What the owner wants of every system from now on. */
async function want(disk: DiskImage, commands: readonly string[]): Promise<void> {
  const lines = commands.map((command) => `        - ${JSON.stringify(command)}\n`).join('');
  const text = `stages:\n  after-upgrade-chroot:\n    - name: mine\n      commands:\n${lines}`;
  await disk.withPartitions(['COS_OEM'], (devices) => writeToExt4(disk, devices['COS_OEM'] ?? '', FILE, text));
}

const TOOL = 'mkdir -p /opt/tool; echo new > /opt/tool/file';

async function apply(disk: DiskImage, slot: SlotName, args: readonly string[] = [], status = 0): Promise<string> {
  const result = await holdfastInSlot(delivery, disk, slot, ['apply', ...args]);
  const text = `${result.stdout}${result.stderr}`;
  expect(result.status, text).toBe(status);
  return text;
}

/** Several commands on one machine that was booted from the active slot, /var in memory as the mount layout has it. */
function session(disk: DiskImage, script: string): Promise<RunResult> {
  const layout = [
    'set -e; mkdir -p /run/overlay/upper /run/overlay/work',
    'mount -t tmpfs tmpfs /run/overlay; mkdir /run/overlay/upper /run/overlay/work',
    'mount -t overlay -o lowerdir=/var,upperdir=/run/overlay/upper,workdir=/run/overlay/work overlay /var',
  ].join('\n');
  return run(['sh', 'lab/crash/in-slot.sh', disk.file, 'active', 'sh', '-c', `${layout}\n${script}`], {
    env: { ...process.env, IN_SLOT_DELIVERY: delivery },
    timeoutMs: 120_000,
  });
}

const look = (disk: DiskImage) =>
  disk.withMounted('COS_STATE', async (state) => ({
    slots: readState(join(state, 'state.yaml')).state,
    files: readdirSync(join(state, 'cOS')).filter((name) => !/^pristine|^ledger/.test(name)),
    active: (await slotText(state, 'active', '/opt/tool/file')).trim(),
    passive: (await slotText(state, 'passive', '/opt/tool/file')).trim(),
    trial: readAssessmentRecord(state).record.pending,
  }));

test('the active system is built anew from the unchanged copy; what runs becomes passive; once is enough', async () => {
  const disk = await installed.copy();
  const before = machineTraces();
  const was = (await look(disk)).slots.active;
  await want(disk, [TOOL]);

  const planned = await apply(disk, 'active', ['--dry-run']);
  expect(planned).toContain('Apply local changes to oci-layout:');
  expect((await look(disk)).slots.active).toEqual(was);

  const text = await apply(disk, 'active');
  expect(text).toMatch(
    /^Apply completed\n {2}active {5}Tiny 1 with the changes in [\d.]+ s, from oci-layout:\S+:v1\n/m,
  );
  expect(text).toContain('  passive    the system that is running now\n');
  expect(machineTraces()).toEqual(before);
  const first = await look(disk);
  expect(first).toMatchObject({ active: 'new', passive: '', files: ['active.img', 'passive.img', 'running.img'] });
  // The same image, whoever vouched for it; a trial of its own, which says nothing of the image when it fails.
  const { active, passive } = first.slots;
  expect(active).toMatchObject({
    fromAction: 'apply',
    digest: was?.digest,
    layers: was?.layers,
    verified: was?.verified,
  });
  expect(active?.uuid).not.toBe(was?.uuid);
  expect(active?.changes).toMatch(/^scrypt:[0-9a-f]{32}:[0-9a-f]{64}$/);
  expect(passive?.uuid).toBe(was?.uuid);
  expect(first.trial).toMatchObject({ uuid: active?.uuid, source: active?.source });
  expect(first.trial).not.toHaveProperty('digest');

  expect(await apply(disk, 'active')).toContain('Nothing to apply: the active system was built with');
  expect((await look(disk)).slots).toEqual(first.slots);

  // In the next boot it is taken back.
  await want(disk, ['true']);
  expect(await apply(disk, 'active')).toContain('Apply completed');
  expect(await look(disk)).toMatchObject({ active: '', passive: 'new', slots: { passive: { uuid: active?.uuid } } });
});

test('from the fallback the active system alone is built anew, also when nothing has changed', async () => {
  const disk = await installed.copy();
  await want(disk, [TOOL]);
  expect(await apply(disk, 'active')).toContain('Apply completed');
  const text = await apply(disk, 'passive');
  expect(text).toContain('  passive    unchanged\n');
  expect(await look(disk)).toMatchObject({ active: 'new', passive: '' });
});

test('a step that fails leaves every slot as it was, and says which file, line, command and output', async () => {
  const disk = await installed.copy();
  const before = { ...(await look(disk)), traces: machineTraces() };
  await want(disk, [TOOL, 'echo no such package >&2; exit 100']);
  const text = await apply(disk, 'active', [], 39);
  expect(text).toContain('hook after-upgrade-chroot: step "mine" at /oem/mine.yaml:3 failed in commands');
  expect(text).toContain('exit 100');
  expect(text).toContain('no such package');
  expect({ ...(await look(disk)), traces: machineTraces() }).toEqual(before);
  // The machine remembers it.
  const status = await holdfastInSlot(delivery, disk, 'active', ['status']);
  expect(status.stdout).toMatch(/apply/i);
  expect(status.stdout).toContain('/oem/mine.yaml:3');
});

test('without its unchanged copy the image is read again where it came from, by its digest', async () => {
  const disk = await installed.copy();
  await want(disk, [TOOL]);
  await disk.withMounted(
    'COS_STATE',
    (state) => {
      for (const name of readdirSync(join(state, 'cOS'))) if (/^pristine/.test(name)) rmSync(join(state, 'cOS', name));
    },
    { writable: true },
  );
  // In there the layout has another place.
  const refused = await apply(disk, 'active', [], 68);
  expect(refused).toContain('the installed image can’t be read again: ');
  const result = await disk.withPartitions(ALL_LABELS, () =>
    applyLocalChanges({ strictness: 'chroot' }, { command: 'test', now: LATER }),
  );
  expect(result).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 1' });
  expect((await look(disk)).active).toBe('new');
});

test('interrupted after the switch it is done all the same, and nothing that belongs to it is taken away', async () => {
  const disk = await installed.copy();
  await want(disk, [TOOL]);
  const abort = new AbortController();
  let records = -1;
  const result = await disk.withPartitions(ALL_LABELS, () =>
    applyLocalChanges(
      { strictness: 'chroot' },
      {
        command: 'test',
        now: LATER,
        signal: abort.signal,
        events: (event) => {
          if (event.type === 'plan-start') records = event.actions.findIndex(({ kind }) => kind === 'write-records');
        },
        beforeAction: (index) => {
          if (index === records) abort.abort();
        },
      },
    ),
  );
  expect(result.outcome).toMatch(/^ok/);
  const { slots, active } = await look(disk);
  expect(active).toBe('new');
  const names = await disk.withMounted('COS_STATE', (state) => readdirSync(join(state, 'cOS')));
  expect(names).toContain(`ledger-${slots.active?.uuid}.ndjson.gz`);
  expect(names.filter((name) => /^pristine-.*img$/.test(name))).toHaveLength(1);
});

test('what is new comes to the running system too, once and again, and what is changed there stays for the reboot', async () => {
  const disk = await installed.copy();
  const before = machineTraces();
  await want(disk, [TOOL, 'echo two >> /var/lib/list', 'echo new > /var/lib/new']);
  const more = await installed.copy();
  expect(more.file).not.toBe(disk.file);
  const shown = await session(
    disk,
    `mkdir /opt/mine 2>&1 || true
     mount --make-rshared /
     mount -t tmpfs tmpfs /opt/data; mkdir /opt/data/below; mount -t tmpfs tmpfs /opt/data/below
     mkdir /opt/data/below/it; mount -t tmpfs tmpfs /opt/data/below/it; echo kept > /opt/data/below/it/file
     ${HOLDFAST} apply --live
     cat /opt/tool/file /opt/of-the-image /opt/data/below/it/file /var/lib/list /var/lib/new
     ${HOLDFAST} apply --live
     sed -i 's/echo new > .opt/echo newer > \\/opt/; s/var.lib.new/var\\/lib\\/newer/' /oem/${FILE}
     ${HOLDFAST} apply --live
     cat /opt/tool/file`,
  );
  const text = `${shown.stdout}${shown.stderr}`;
  expect(shown.status, text).toBe(0);
  expect(text).toContain('Read-only file system');
  expect(text).toMatch(/running {4}has them too: 3 paths are new, 2 files written until the reboot\n/);
  expect(text).toContain('\nnew\nold\nkept\none\ntwo\nnew\n');
  expect(text).toContain('  running    has the changes already\n');
  // A file that is replaced refuses all of it.
  expect(text).toContain(
    'warning: the running system stays as it is until the reboot: 2 paths can’t be changed while it runs',
  );
  expect(text).toContain('/opt/tool/file: it is replaced (content), and something may be using the old one');
  expect(text).toContain('/var/lib/new: it is gone from the new system');
  expect(shown.stdout.endsWith('\nnew\n')).toBe(true);
  expect(machineTraces()).toEqual(before);
  expect(await look(disk)).toMatchObject({ active: 'newer', passive: '' });
});
