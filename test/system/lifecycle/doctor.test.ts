// The doctor on real disks: one that is well, and the same with one thing broken at a time, each found with the command that
// mends it, nothing changed and nothing left mounted; a report of such a machine without its secrets; and what such a machine
// would promote into an image. Ten seconds.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { examine } from '../../../src/doctor/examine.ts';
import type { Area, Finding } from '../../../src/doctor/finding.ts';
import { makeReport } from '../../../src/doctor/report.ts';
import { LOCK_FILE } from '../../../src/lifecycle/session.ts';
import { newEntryId } from '../../../src/record/entry.ts';
import { writeRecord } from '../../../src/record/record.ts';
import { DEFAULT_LABELS } from '../../../src/slots/names.ts';
import { silent } from '../../../src/system/events.ts';
import { lockUntilEnd } from '../../../src/system/lock.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { run } from '../../../src/system/process.ts';
import { type DiskImage, machineTraces, slotText } from './disk-image.ts';
import { ALL_LABELS, holdfastInSlot, InstalledDisk, NOW, prepareDelivery, TOOL_DIRECTORIES } from './installed-disk.ts';

let installed: InstalledDisk;
let disk: DiskImage;
let delivery: string;

beforeAll(async () => {
  installed = await InstalledDisk.create({ v1: TOOL_DIRECTORIES });
  disk = installed.original;
  delivery = await prepareDelivery(installed);
});
afterAll(() => installed?.remove());

const AREAS: readonly Area[] = ['partitions', 'slots', 'boot', 'space', 'record'];
const options = {
  labels: DEFAULT_LABELS,
  events: silent,
  signal: new AbortController().signal,
  command: 'holdfast doctor',
};
const look = (at: DiskImage, labels: readonly string[] = ALL_LABELS, areas = AREAS) =>
  at.withPartitions(labels, () => examine({ ...options, areas }));
const wrong = (findings: readonly Finding[]) =>
  findings
    .filter(({ outcome }) => outcome === 'warning' || outcome === 'failed')
    .map(({ outcome, message }) => `${outcome}: ${message}`);

test('a disk that is well, and the look leaves no trace on the machine', async () => {
  const before = machineTraces();
  const { findings, problems } = await look(disk);
  expect(wrong(findings)).toEqual([]);
  expect(problems).toEqual([]);
  expect(findings.filter(({ outcome }) => outcome === 'ok').map(({ message }) => message)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^COS_GRUB, COS_OEM, COS_RECOVERY, COS_STATE, COS_PERSISTENT are there, once each/),
      'the active slot is complete and its file system has no errors',
      'the passive slot is complete and its file system has no errors',
      'the recovery slot is complete and its file system has no errors',
      'boot loader, menu and environment blocks are there',
      'the next boot starts the active system (as usual)',
    ]),
  );
  expect(machineTraces()).toEqual(before);
});

test('a partition that is not there', async () => {
  const { findings, exitStatus } = await look(
    disk,
    ALL_LABELS.filter((label) => label !== 'COS_OEM'),
  );
  expect(wrong(findings)[0]).toMatch(/^warning: .*COS_OEM/);
  expect(exitStatus).toBeGreaterThan(0);
});

test('what is broken on COS_STATE, all at once', async () => {
  const broken = await installed.copy();
  await broken.withMounted(
    'COS_STATE',
    (state) => {
      damage(join(state, 'cOS/passive.img'));
      rmSync(join(state, 'grub2/grub.cfg'));
      truncateSync(join(state, 'grub_oem_env'), 1000);
      writeFileSync(join(state, 'cOS/transition.img'), Buffer.alloc(2 << 20, 1));
      writeFileSync(join(state, 'state.yaml'), 'state: [\n');
    },
    { writable: true },
  );
  await broken.withMounted(
    'COS_OEM',
    (oem) => writeGrubEnvironment(join(oem, 'grubenv'), { saved_entry: 'recovery' }),
    {
      writable: true,
    },
  );
  const { findings, outcome, exitStatus } = await look(broken);
  expect(wrong(findings)).toEqual([
    expect.stringMatching(/^failed: the file system in cOS\/passive\.img is damaged: \S/),
    expect.stringMatching(/^warning: .*state\.yaml can't be read/),
    'warning: an action that was cut off has left 2.0 MiB in /cOS',
    'failed: there is no grub.cfg on COS_STATE',
    'warning: grub_oem_env on COS_STATE has 1000 bytes; GRUB can only write one of 1024',
    'warning: every boot starts the recovery system, not the active system',
  ]);
  expect({ outcome, exitStatus }).toEqual({ outcome: 'trouble', exitStatus: 3 });
  // It looks, and mends nothing.
  await broken.withMounted('COS_STATE', async (state) => {
    const { status } = await run(['e2fsck', '-f', '-n', join(state, 'cOS/passive.img')]);
    expect(status).not.toBe(0);
  });
});

test('a slot without its kernel', async () => {
  const broken = await installed.copy();
  await broken.withMounted(
    'COS_STATE',
    (state) => run(['debugfs', '-w', '-R', 'rm /boot/vmlinuz', join(state, 'cOS/active.img')]),
    {
      writable: true,
    },
  );
  const { findings } = await look(broken, ALL_LABELS, ['slots']);
  expect(wrong(findings).at(-1)).toBe('failed: the active slot can’t boot: it lacks /boot/vmlinuz (the kernel)');
});

test('while another action runs, what it may change is left alone', async () => {
  const undo = new UndoStack();
  await lockUntilEnd(undo, LOCK_FILE, 'holdfast upgrade');
  try {
    const { findings } = await look(disk, ALL_LABELS, ['slots', 'boot']);
    expect(findings[0]).toMatchObject({
      outcome: 'skipped',
      message: expect.stringMatching(/^another action is running: holdfast upgrade/),
    });
    expect(wrong(findings)).toEqual([]);
  } finally {
    await undo.unwind(true);
  }
});

test('a report has what is on the partitions, and nothing that is secret', async () => {
  const machine = await installed.copy();
  const secrets = {
    password: 'Tr0ub4dor-and-3',
    content: 'psk of the neighbours',
    token: 'K10-token-of-the-cluster',
    key: 'base64keymaterial',
  };
  await machine.withMounted(
    'COS_OEM',
    (oem) => {
      writeFileSync(
        join(oem, 'signing.key'),
        `-----BEGIN PRIVATE KEY-----\n${secrets.key}\n-----END PRIVATE KEY-----\n`,
      );
      writeFileSync(join(oem, 'userdata.yaml'), `token: ${secrets.token}\n`);
    },
    { writable: true },
  );
  await machine.withMounted(
    'COS_STATE',
    (state) =>
      writeGrubEnvironment(join(state, 'grub_oem_env'), { extra_cmdline: `console=ttyS0 token=${secrets.password}` }),
    { writable: true },
  );
  // As a plan that is kept notes what it was made from.
  const digest = createHash('sha256').update(secrets.token).digest('hex');
  await machine.withMounted(
    'COS_STATE',
    (state) => {
      writeFileSync(
        join(state, 'cOS/planned.json'),
        JSON.stringify({ inputs: { files: { '/oem/userdata.yaml': digest } } }),
      );
      mkdirSync(join(state, 'holdfast'), { recursive: true });
      const step = { file: '/oem/a.yaml', line: 1, outcome: 'ok' as const, definition: digest };
      writeRecord(state, [
        { id: newEntryId(), kind: 'stage', name: 'boot', startedAt: NOW, outcome: 'ok', steps: [step] },
      ]);
    },
    { writable: true },
  );
  const before = machineTraces();
  const { archive, members, problems } = await machine.withPartitions(ALL_LABELS, () =>
    makeReport({ ...options, version: '0.0.0', nowMs: Date.UTC(2026, 0, 2) }),
  );
  expect(problems).toEqual([]);
  expect(machineTraces()).toEqual(before);
  expect(members.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'doctor.json',
      'status.json',
      'state-partition.txt',
      'oem.txt',
      'state/state.yaml',
      'state/grub_oem_env',
    ]),
  );
  const all = execFileSync('tar', ['-xzO'], { input: archive, encoding: 'utf8', maxBuffer: 64 << 20 });
  for (const secret of Object.values(secrets)) expect(all).not.toContain(secret);
  expect(all).not.toContain(digest);
  for (const useful of [
    '"file":"/oem/a.yaml"',
    'active.img (',
    'signing.key (',
    'userdata.yaml (',
    'console=ttyS0',
    'oci-layout:',
    'COS_STATE',
  ]) {
    expect(all).toContain(useful);
  }
});

test('on a machine that was booted from its active slot', async () => {
  const machine = await installed.copy();
  await machine.withMounted(
    'COS_OEM',
    (oem) => writeFileSync(join(oem, '90_mine.yaml'), 'stages:\n  boot:\n    - nmae: typo\n      commands: [echo]\n'),
    { writable: true },
  );
  const areas = ['partitions', 'slots', 'boot', 'kernel-arguments', 'stage-files', 'settings', 'this-boot'];
  const { status, stdout } = await holdfastInSlot(delivery, machine, 'active', ['doctor', ...areas]);
  expect(stdout).toContain('the next boot starts the active system (as usual)');
  expect(stdout).toMatch(/! stage files +\/oem\/90_mine\.yaml:3: .*nmae/);
  expect(stdout).toContain('to mend it: holdfast validate /oem/90_mine.yaml');
  expect(stdout).not.toContain('could not be looked at');
  expect(status).toBe(2);

  const report = await holdfastInSlot(delivery, machine, 'active', ['report', '--dry-run']);
  expect(report).toMatchObject({ status: 0, stderr: '' });
  expect(report.stdout).toContain('  stage-files/oem/90_mine.yaml (');
});

test('promote knows what the owner keeps, and by the ledger what stage files have changed', async () => {
  const machine = await installed.copy();
  const stage =
    'stages:\n  after-upgrade-chroot:\n    - name: Mine\n      files:\n        - {path: /etc/mine.conf, content: colour=blue, permissions: 0640}\n';
  await machine.withMounted('COS_OEM', (oem) => writeFileSync(join(oem, '80_mine.yaml'), stage), { writable: true });
  const inSlot = (...args: string[]) => holdfastInSlot(delivery, machine, 'active', args);
  const nothing = await inSlot('promote', '--dry-run');
  expect(nothing.stdout).toContain('There is nothing to promote');
  expect(await inSlot('run', '--', 'echo hello > /etc/hello')).toMatchObject({ status: 0 });
  expect(await inSlot('upgrade', 'oci-layout:/run/delivery/layout:v2')).toMatchObject({ status: 0 });

  const { status, stdout, stderr } = await inSlot(
    'promote',
    '--changed',
    '--dry-run',
    '--from',
    'registry.example/os:v2',
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const lines = stdout.split('\n');
  expect(lines).toContain('FROM registry.example/os:v2');
  expect(lines).toContain('# /oem/80_mine.yaml:3 "Mine": /etc/mine.conf');
  expect(lines).toContain('COPY files/ /');
  expect(lines).toContain('RUN echo hello > /etc/hello');
  // What the owner's own step has made is not there twice.
  expect(stdout.match(/hello/g)).toHaveLength(2);
});

test('the slots are what they were', async () => {
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 1');
  });
});

/** Zeros over the first inodes: what a bad disk does. */
function damage(slot: string): void {
  const fd = openSync(slot, 'r+');
  try {
    for (let block = 1; block < 400; block += 3) writeSync(fd, Buffer.alloc(2048, 0xa5), 0, 2048, block * 4096 + 8192);
  } finally {
    closeSync(fd);
  }
}
