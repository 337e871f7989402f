// What `holdfast status` prints in each state of a machine, and the line that a failed stage puts on the console.

import { describe, expect, test } from 'vitest';
import type { AttachedOverlay } from '../../../src/boot/attached-overlay.ts';
import type { LayoutRecord } from '../../../src/boot/layout-record.ts';
import { consoleLine } from '../../../src/cli/console-line.ts';
import { checkLines, statusLines } from '../../../src/cli/status.ts';
import type { AssessmentReport } from '../../../src/lifecycle/assessment-report.ts';
import { judgeStatus } from '../../../src/lifecycle/judge-status.ts';
import { lastActionOf, recentEvents } from '../../../src/lifecycle/last-action.ts';
import type { MachineStatus } from '../../../src/lifecycle/status.ts';
import { statusSchema } from '../../../src/lifecycle/status-schema.ts';
import type { RunningOverlay } from '../../../src/overlay/running.ts';
import type { RecordEntry } from '../../../src/record/entry.ts';
import { BOOT_STAGES, type BootStage, type StageRecord } from '../../../src/stages/stagerecord.ts';

const record = (stage: BootStage, changes: Partial<StageRecord> = {}): StageRecord => ({
  stage,
  outcome: 'ok',
  startedAt: '2026-01-02T03:04:05.000Z',
  durationMs: 12,
  counts: { ok: 1, skipped: 0, failed: 0, errors: 0, warnings: 0 },
  failures: [],
  furtherFailures: 0,
  ...changes,
});
const failed = (stage: BootStage): StageRecord =>
  record(stage, {
    outcome: 'failed',
    counts: { ok: 3, skipped: 0, failed: 1, errors: 0, warnings: 0 },
    failures: [
      {
        file: '/oem/90_mine.yaml',
        line: 12,
        column: 7,
        subStage: `${stage}.after`,
        name: 'Registry',
        message: 'commands: podman login failed with status 125\nfiles: no space',
        outputTail: 'Error: one\nError: two',
      },
    ],
  });

const LAYOUT: LayoutRecord = { version: 1, outcome: 'ok', notices: [], mounts: [], durationMs: 9 };

/** A healthy installed machine; each test changes one thing. */
const machine = (changes: Partial<MachineStatus> = {}, boot: Partial<MachineStatus['boot']> = {}): MachineStatus => ({
  booted: { slot: 'active', uuid: 'a', replaced: false },
  boot: {
    mode: 'active',
    stages: BOOT_STAGES.slice(1, 6).map((stage) => record(stage)),
    layout: LAYOUT,
    failedSlots: [],
    logs: undefined,
    problems: [],
    ...boot,
  },
  rebootPending: false,
  slots: [{ slot: 'active', prettyName: 'Demo 1', uuid: 'a', sizeBytes: 1 << 30 }],
  stateFreeBytes: 1 << 30,
  problems: [],
  unknown: [],
  ...changes,
});
const overlay = (changes: Partial<RunningOverlay> = {}, attached: Partial<AttachedOverlay> = {}): RunningOverlay => ({
  attached: {
    used: true,
    device: 'LABEL=KEEP',
    path: '/p.img',
    readonly: false,
    permission: 'rw',
    ...attached,
  },
  status: { state: 'ok', allocatedBytes: 118 << 20, totalBytes: 300 << 20, metadataBytes: 8192 },
  sizeBytes: 300 << 20,
  baseBytes: 3072 << 20,
  freeBytes: 190 << 20,
  cannotOverflow: false,
  rootReadOnly: false,
  ...changes,
});

test.each<[string, RunningOverlay, string[]]>([
  ['a small overlay', overlay(), ['overlay    LABEL=KEEP:/p.img, 118 MiB of 300 MiB used (39 %), can grow by 190 MiB']],
  [
    'a full cover',
    overlay({ cannotOverflow: true }),
    ['overlay    LABEL=KEEP:/p.img, 118 MiB of 300 MiB used (39 %), can’t overflow'],
  ],
  [
    'one that is full',
    overlay({ status: { state: 'overflow' } }),
    [
      'overlay    LABEL=KEEP:/p.img, OVERFLOW, can grow by 190 MiB',
      'OVERLAY    The overlay of / is full: no more changes are kept. Make room and reboot.',
    ],
  ],
  [
    'one that could not be used',
    overlay({}, { used: false, reason: 'mismatch', message: 'it belongs to another system.' }),
    [
      'overlay    LABEL=KEEP:/p.img, not used (mismatch)',
      'OVERLAY    / is without its overlay, changes are not kept: it belongs to another system.',
    ],
  ],
  [
    'one that was left out on purpose',
    overlay({}, { used: false, reason: 'skipped', message: 'rd.cos.rootoverlay=0' }),
    ['overlay    LABEL=KEEP:/p.img, not used (skipped)'],
  ],
  [
    'a root that was made read-only',
    overlay({ rootReadOnly: true }),
    [
      'overlay    LABEL=KEEP:/p.img, 118 MiB of 300 MiB used (39 %), can grow by 190 MiB, / is read-only',
      'OVERLAY    / was made read-only: its overlay is almost full, or its file system has an error.',
    ],
  ],
  [
    'one that keeps new changes in memory',
    overlay({ cannotOverflow: true }, { readonly: true }),
    [
      'overlay    LABEL=KEEP:/p.img, 118 MiB of 300 MiB used (39 %), can’t overflow, new changes are kept in memory only',
    ],
  ],
])('%s', (_, running, expected) => {
  const lines = statusLines(machine({ overlay: running })).filter((line) => /^overlay/i.test(line));
  expect(lines).toEqual(expected);
});

const WELL = [
  'booted     active',
  'stages     rootfs, initramfs, fs, boot, network: ok',
  'layout     as asked',
  'active     Demo 1  (running, 1.0 GiB)',
  'COS_STATE  1.0 GiB free',
];

test('a machine on which all is well', () => {
  expect(statusLines(machine())).toEqual(WELL);
});

test('an upgrade that waits for its reboot', () => {
  expect(statusLines(machine({ rebootPending: true }))[3]).toBe(
    'active     Demo 1  (starts at the next reboot, 1.0 GiB)',
  );
});

test('a stage that failed: place, message, last words, what to do', () => {
  const stages = [record('fs', { outcome: 'skipped' }), failed('boot'), record('network', { outcome: 'running' })];
  expect(statusLines(machine({}, { stages })).slice(1, 10)).toEqual([
    'stages     fs: ok',
    'stages     network: running since 2026-01-02T03:04:05.000Z',
    'FAILED     Stage boot: 1 step failed: /oem/90_mine.yaml:12:7 "Registry"',
    '           /oem/90_mine.yaml:12:7 "Registry" (boot.after)',
    '             commands: podman login failed with status 125',
    '             files: no space',
    '             | Error: one',
    '             | Error: two',
    '           all of it: journalctl -b -u cos-setup-boot; when it is mended: holdfast run-stage boot',
  ]);
});

test('a name with a line break breaks no line', () => {
  const [failure] = failed('boot').failures;
  const stage = { ...failed('boot'), failures: failure === undefined ? [] : [{ ...failure, name: 'early\nbird' }] };
  const lines = statusLines(machine({}, { stages: [stage] }));
  expect(lines.filter((line) => line.includes('"early bird"'))).toHaveLength(2);
  expect(lines.filter((line) => line.includes('\n'))).toEqual([]);
});

test('a stage of the initramfs is not to be run by hand', () => {
  expect(statusLines(machine({}, { stages: [failed('rootfs')] })).at(-4)).toBe(
    '           all of it: journalctl -b -u cos-setup-rootfs; it runs again at the next boot',
  );
});

test('without a journal the words of a stage are in a file', () => {
  expect(statusLines(machine({}, { stages: [failed('boot')], logs: '/run/holdfast/log' }))).toContain(
    '           all of it: /run/holdfast/log/boot.log; when it is mended: holdfast run-stage boot',
  );
});

test('a passive boot after one that failed, with a layout that is not as asked', () => {
  const lines = statusLines(
    machine(
      { booted: { slot: 'passive', uuid: 'p', replaced: false } },
      {
        mode: 'passive',
        failedSlots: [{ slot: 'active', reason: 'the image has no working /usr/bin/holdfast' }],
        layout: {
          ...LAYOUT,
          notices: ['LABEL=COS_PERSISTENT is missing: /usr/local is kept until the next boot only'],
        },
      },
    ),
  );
  expect(lines.slice(0, 4)).toEqual([
    'booted     passive',
    'FAILED     The active slot did not start at an earlier boot: the image has no working /usr/bin/holdfast. This is passive.',
    'stages     rootfs, initramfs, fs, boot, network: ok',
    'LAYOUT     LABEL=COS_PERSISTENT is missing: /usr/local is kept until the next boot only',
  ]);
});

test('a container: what is unknown is said', () => {
  const { stateFreeBytes: _, ...nothing } = machine({
    booted: { slot: undefined, uuid: undefined, replaced: false },
    slots: [],
    unknown: ['slots: no partition with the label COS_STATE was found'],
  });
  const boot = { mode: undefined, stages: [], layout: undefined, failedSlots: [], logs: undefined, problems: [] };
  expect(statusLines({ ...nothing, boot })).toEqual([
    'booted     not from a slot',
    'stages     none of this boot is known',
    'unknown    slots: no partition with the label COS_STATE was found',
  ]);
});

test('a layout that was not to be mounted', () => {
  const layout = { ...LAYOUT, outcome: 'skipped' as const, reason: 'rd.cos.disable is on the kernel command line' };
  expect(statusLines(machine({}, { layout }))[2]).toBe('layout     none: rd.cos.disable is on the kernel command line');
});

test.each([
  ['live', 'live system, from a medium or the network'],
  ['recovery', 'recovery'],
] as const)('a root that is no slot file: %s', (mode, words) => {
  const booted = { slot: undefined, uuid: undefined, replaced: false };
  expect(statusLines(machine({ booted }, { mode }))[0]).toBe(`booted     ${words}`);
});

test('a stage that went well says nothing on the console', () => {
  expect((['ok', 'skipped', 'running'] as const).map((outcome) => consoleLine({ ...record('fs'), outcome }))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('a stage that failed is one line on the console, short and harmless', () => {
  expect(consoleLine(failed('boot'))).toBe(
    'holdfast: Stage boot: 1 step failed: /oem/90_mine.yaml:12:7 "Registry": commands: podman login failed with status 125 files: no space (see: holdfast status)',
  );
  const [failure] = failed('boot').failures;
  const name = `\x1b[2J\x07${'long '.repeat(100)}`;
  const line = consoleLine({ ...failed('boot'), failures: failure === undefined ? [] : [{ ...failure, name }] });
  expect(line).toMatch(/^[\x20-\x7e]{160}$/);
  expect(line).toMatch(/\.\.\. \(see: holdfast status\)$/);
});

test('a stage that was broken off gives its reason once', () => {
  const line = consoleLine(
    record('fs', {
      outcome: 'failed',
      counts: { ...record('fs').counts, ok: 0 },
      failures: [{ message: 'interrupted' }],
    }),
  );
  expect(line).toBe('holdfast: Stage fs did not finish: interrupted (see: holdfast status)');
});

const FALLBACK: AssessmentReport = {
  boot: 'fallback',
  outcome: 'fallback',
  at: '2026-01-02T03:04:05.000Z',
  system: 'Demo 2',
  reason: 'the check /oem/health.d/web failed (its status was 1)',
  checks: [
    { name: '/oem/health.d/web', outcome: 'failed', message: 'its status was 1', outputTail: 'connecting\nno answer' },
  ],
};

test('a machine that runs its fallback: since when, why, with the last lines, and what to do', () => {
  expect(statusLines(machine({}, { mode: 'passive', assessment: FALLBACK })).slice(1, 6)).toEqual([
    'FALLBACK   This machine runs its fallback since the active system (Demo 2) failed on 2026-01-02 03:04 UTC: the check /oem/health.d/web failed (its status was 1).',
    '           /oem/health.d/web: its status was 1',
    '             | connecting',
    '             | no answer',
    '           mend the image and upgrade to it, or: holdfast boot --default active',
  ]);
});

test.each<[Partial<AssessmentReport>, string]>([
  [{ outcome: 'running' }, 'assessed   this system is on trial since 2026-01-02T03:04:05.000Z'],
  [
    { outcome: 'passed', checks: [{ name: 'units', outcome: 'ok', message: '' }] },
    'assessed   this system has proved on 2026-01-02T03:04:05.000Z that it works (1 checks)',
  ],
  [{ outcome: 'put-back' }, 'assessed   this system was chosen by hand; the trial of the new one is still due'],
  [
    { outcome: 'failed' },
    'FAILED     The system (Demo 2) did not prove that it works: the check /oem/health.d/web failed (its status was 1).',
  ],
])('an assessed boot: %j', (changes, line) => {
  expect(statusLines(machine({}, { assessment: { ...FALLBACK, checks: [], ...changes } }))[1]).toBe(line);
});

test('a verdict that GRUB could not be told', () => {
  const assessment: AssessmentReport = {
    ...FALLBACK,
    boot: 'trial',
    outcome: 'passed',
    checks: [],
    problem: 'read-only',
  };
  expect(statusLines(machine({}, { assessment }))[2]).toBe(
    'PROBLEM    GRUB could not be told that this system works: read-only',
  );
});

test('an action that completed with warnings is told with all of them, one that failed with its reason', () => {
  const last = { action: 'upgrade', command: 'holdfast upgrade x', date: '2026-11-21T10:00:00Z', warnings: [] };
  const lines = (lastAction: MachineStatus['lastAction']) =>
    statusLines({ ...machine(), lastAction }).filter((line) => !WELL.includes(line));
  expect(lines({ ...last, outcome: 'ok' })).toEqual(['last       upgrade at 2026-11-21T10:00:00Z ok']);
  expect(lines({ ...last, outcome: 'ok-with-warnings', warnings: ['hook x: step failed', 'two\nlines'] })).toEqual([
    'last       upgrade at 2026-11-21T10:00:00Z completed with warnings:',
    '           ! hook x: step failed',
    '           ! two lines',
  ]);
  expect(lines({ ...last, outcome: 'failed', error: 'the disk is full' })).toEqual([
    'last       upgrade at 2026-11-21T10:00:00Z failed: the disk is full',
  ]);
  expect(
    lines({ ...last, id: 'abcd2345', outcome: 'refused', error: 'hook x: step at /oem/a:3', outputTail: 'E: 1\nE: 2' }),
  ).toEqual([
    'last       upgrade at 2026-11-21T10:00:00Z was refused: hook x: step at /oem/a:3',
    '           | E: 1',
    '           | E: 2',
    '           all of it: holdfast history abcd2345',
  ]);
  expect(lines({ ...last, outcome: 'interrupted' })).toEqual([
    'last       upgrade at 2026-11-21T10:00:00Z was interrupted: it did not come to its end',
  ]);
});

test('what happened before it stands below the last action, newest first and without the stages that went well, if only in the end', () => {
  const entry = (id: string, changes: Partial<RecordEntry>): RecordEntry => ({
    id,
    kind: 'action',
    name: 'upgrade',
    startedAt: '2026-11-21T10:00:00.123Z',
    outcome: 'ok',
    ...changes,
  });
  const entries = [
    entry('aaaa2222', { kind: 'owner', name: 'pkg add vim', message: 'vim is kept' }),
    entry('gggg2222', { kind: 'stage', name: 'boot', outcome: 'failed', error: { message: 'mended since' } }),
    entry('bbbb2222', { kind: 'stage', name: 'boot' }),
    entry('cccc2222', { kind: 'hook', name: 'after-upgrade', parent: 'dddd2222' }),
    entry('eeee2222', { kind: 'stage', name: 'network', outcome: 'failed', error: { message: 'no net' } }),
    entry('dddd2222', {}),
    entry('ffff2222', { outcome: 'skipped' }),
  ];
  const recent = recentEvents(entries, 8);
  const lines = statusLines({ ...machine(), lastAction: lastActionOf(entries), recent });
  expect(lines.filter((line) => !WELL.includes(line))).toEqual([
    'last       upgrade at 2026-11-21T10:00:00.123Z ok (dddd2222)',
    '           2026-11-21 10:00 stage network failed: no net (eeee2222)',
    '           2026-11-21 10:00 pkg add vim ok: vim is kept (aaaa2222)',
  ]);
});

test('what waits is told with the command that goes on', () => {
  const pending = {
    plan: { id: '0123456789ab', name: 'Demo 3', image: 'docker:x', created: '2026-11-21T10:00:00Z' },
    ownerChanges: true,
    live: { uuid: 'u', date: '', directories: ['/usr'], added: 12, copied: 1 },
  };
  const lines = statusLines(machine({ pending, rebootPending: true }));
  const from = lines.findIndex((line) => line.startsWith('pending'));
  expect(lines.slice(from, from + 4)).toEqual([
    'pending    Demo 1 starts at the next reboot',
    '           the owner’s changes are not in the active system yet: holdfast apply',
    '           the plan 0123456789ab (Demo 3, 2026-11-21 10:00) is kept: holdfast upgrade --apply',
    '           until the next reboot only: 12 new paths in /usr',
  ]);
  expect(statusLines(machine({ pending: { ownerChanges: false } }))).toEqual(statusLines(machine()));
});

test('room and failed units', () => {
  const space = [
    { name: 'COS_STATE', freeBytes: 5 << 20, totalBytes: 8 << 20 },
    { name: 'COS_OEM', freeBytes: 1 << 10, totalBytes: 8 << 20 },
  ];
  const health = { state: 'degraded', failed: ['a.service', 'b.mount'] };
  const lines = statusLines(machine({ space, health }));
  expect(lines).toEqual(
    expect.arrayContaining([
      'free       COS_STATE 5.0 MiB of 8.0 MiB, COS_OEM 1.0 KiB of 8.0 MiB',
      'FULL       almost: COS_OEM',
      'UNITS      failed: a.service, b.mount',
    ]),
  );
  // The last row of a healthy machine without them.
  expect(lines.some((line) => line.startsWith('COS_STATE'))).toBe(false);
});

describe('what monitoring asks', () => {
  const last = { action: 'upgrade', command: 'x', date: '2026-11-21T10:00:00Z', warnings: [] };
  test.each<[string, MachineStatus, string, string]>([
    ['nothing', machine(), 'well', 'WELL       nothing is wrong'],
    [
      'an upgrade that was refused',
      machine({ lastAction: { ...last, outcome: 'refused', error: 'no signature' } }),
      'warnings',
      'WARNINGS   The last upgrade was refused: no signature',
    ],
    [
      'a failed unit and a full partition',
      machine({
        health: { state: 'degraded', failed: ['a.service'] },
        space: [{ name: 'COS_OEM', freeBytes: 1, totalBytes: 1000 }],
      }),
      'warnings',
      'WARNINGS   The unit a.service has failed. (and 1 more)',
    ],
    [
      'a failed stage',
      machine({ lastAction: { ...last, outcome: 'refused', error: 'no' } }, { stages: [failed('boot')] }),
      'trouble',
      'TROUBLE    Stage boot: 1 step failed: /oem/90_mine.yaml:12:7 "Registry" (and 1 more)',
    ],
    [
      'a slot that is missing',
      machine({ slots: [{ slot: 'passive', problem: 'cOS/passive.img is missing' }] }),
      'trouble',
      'TROUBLE    The passive slot: cOS/passive.img is missing.',
    ],
    ['a machine that nobody installed', machine({ unknown: ['slots: none'] }), 'trouble', 'TROUBLE    slots: none'],
  ])('%s', (_, status, outcome, line) => {
    const check = judgeStatus(status);
    expect(check.outcome).toBe(outcome);
    expect(checkLines(check)).toEqual([line]);
  });
});

test('the schema has every field that status prints', () => {
  const status = machine(
    {
      overlay: overlay({ baseBytes: 3 * 2 ** 30 }),
      space: [{ name: 'COS_STATE', freeBytes: 1, totalBytes: 2 }],
      health: { state: 'running', failed: [] },
      pending: {
        plan: { id: 'a', name: 'b', image: 'c', created: 'd' },
        planProblem: 'e',
        ownerChanges: true,
        live: { uuid: 'u', date: '', directories: ['/usr'], added: 12, copied: 1 },
      },
      lastAction: {
        id: 'abcd2345',
        action: 'upgrade',
        command: 'x',
        date: 'y',
        outcome: 'refused',
        warnings: ['w'],
        error: 'e',
        outputTail: 't',
      },
      recent: [{ id: 'abcd2345', kind: 'action', name: 'upgrade', outcome: 'ok', date: 'd', message: 'm' }],
    },
    { stages: [failed('boot')], failedSlots: [{ slot: 'active', reason: 'r' }] },
  );
  const printed = JSON.parse(JSON.stringify({ type: 'result', ...status, check: judgeStatus(status) }));
  // What the schema doesn't know is left out.
  expect(statusSchema.parse(printed)).toEqual(printed);
});

test('who vouches for each system stands below it; of what was never asked nothing is said', () => {
  const deployment = (verified: string) => ({
    source: 'docker:registry.example/os:v2',
    layers: [],
    uuid: 'a',
    date: '',
    fromAction: 'upgrade' as const,
    verified,
  });
  const lines = statusLines(
    machine({
      slots: [
        {
          slot: 'active',
          prettyName: 'Demo 2',
          uuid: 'a',
          deployment: deployment(
            'digests of all layers; Notary https://n: tag v2 signed by targets; cosign: signed by key 12',
          ),
        },
        {
          slot: 'passive',
          prettyName: 'Demo 1',
          uuid: 'b',
          deployment: deployment('digests of all layers; NOT VERIFIED (--no-verify)'),
        },
        {
          slot: 'recovery',
          prettyName: 'Demo 1',
          uuid: 'c',
          deployment: deployment('digests of all layers; no signature (local source)'),
        },
      ],
    }),
  );
  const from = lines.findIndex((line) => line.startsWith('active '));
  expect(lines.slice(from, from + 6)).toEqual([
    'active     Demo 2  (running)',
    '           Notary https://n: tag v2 signed by targets',
    '           cosign: signed by key 12',
    'passive    Demo 1  ()',
    '           NOT VERIFIED (--no-verify)',
    'recovery   Demo 1  ()',
  ]);
});
