// What the doctor says of everything beside the partitions: for each check a machine that is well, and one thing broken at a
// time. Every trouble says why it matters and what mends it.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { AttachedOverlay } from '../../../src/boot/attached-overlay.ts';
import { type BootFacts, judgeBoot, parseMdir } from '../../../src/doctor/boot-files.ts';
import { judgeClock, parseTimedate } from '../../../src/doctor/clock.ts';
import { AREAS, type Finding, worstOf } from '../../../src/doctor/finding.ts';
import { lookAtBlock, stateOfBlock } from '../../../src/doctor/grub-blocks.ts';
import { judgeArguments } from '../../../src/doctor/kernel-arguments.ts';
import { judgeOverlay } from '../../../src/doctor/overlay.ts';
import { judgeRecord } from '../../../src/doctor/record.ts';
import { type FoundSlot, judgeSlots, type SlotFacts } from '../../../src/doctor/slots.ts';
import { type FoundSpace, judgeSpace } from '../../../src/doctor/space.ts';
import { judgeStageFiles } from '../../../src/doctor/stage-files.ts';
import { judgeBootReport } from '../../../src/doctor/this-boot.ts';
import { judgeTools, USES } from '../../../src/doctor/tools.ts';
import { judgeUnits, parseFailedUnits } from '../../../src/doctor/units.ts';
import type { BootReport } from '../../../src/lifecycle/boot-report.ts';
import type { RecordEntry } from '../../../src/record/entry.ts';

const MIB = 1 << 20;
const short = (findings: readonly Finding[]) => findings.map(({ outcome, message }) => `${outcome}: ${message}`);
/** What is wrong, after a look that it is all explained. */
const troubles = (findings: readonly Finding[]) => {
  const wrong = findings.filter(({ outcome }) => outcome === 'warning' || outcome === 'failed');
  for (const { why = '', mend = '' } of wrong) {
    expect(why.length).toBeGreaterThan(10);
    expect(mend.length).toBeGreaterThan(5);
  }
  return short(wrong);
};

describe('slots', () => {
  const slot = (name: FoundSlot['slot'], changes: Partial<FoundSlot> = {}): FoundSlot => ({
    slot: name,
    file: `/run/initramfs/cos-state/cOS/${name}.img`,
    isThere: true,
    errors: '',
    unbootable: undefined,
    recorded: 'yes',
    ...changes,
  });
  const facts = (changes: Partial<SlotFacts> = {}, active: Partial<FoundSlot> = {}): SlotFacts => ({
    slots: [slot('active', active), slot('passive'), slot('recovery')],
    booted: 'active',
    stateProblems: [],
    unfinishedBytes: 0,
    pristine: 'kept',
    ...changes,
  });

  test('three that are well', () => {
    expect(short(judgeSlots(facts()))).toEqual(
      ['active', 'passive', 'recovery'].map(
        (name) => `ok: the ${name} slot is complete and its file system has no errors`,
      ),
    );
  });

  test.each<[string, SlotFacts, string]>([
    ['missing', facts({}, { isThere: false }), 'failed: cOS/active.img is missing'],
    [
      'damaged',
      facts({}, { errors: 'Inode 12 is in use' }),
      'failed: the file system in cOS/active.img is damaged: Inode 12 is in use',
    ],
    [
      'without kernel',
      facts({}, { unbootable: 'it lacks /boot/vmlinuz' }),
      'failed: the active slot can’t boot: it lacks /boot/vmlinuz',
    ],
    [
      'another file',
      facts({}, { recorded: 'other' }),
      'warning: state.yaml speaks of another file than cOS/active.img',
    ],
    ['on passive', facts({ booted: 'passive' }), 'warning: the passive system runs, not the active one'],
    [
      'leftovers',
      facts({ unfinishedBytes: 300 * MIB }),
      'warning: an action that was cut off has left 300 MiB in /cOS',
    ],
    ['damaged record', facts({ stateProblems: ['state.yaml is no mapping'] }), 'warning: state.yaml is no mapping'],
  ])('%s', (_, found, expected) => {
    expect(troubles(judgeSlots(found))).toEqual([expected]);
  });

  test('a passive slot that is missing is no reason to stop', () => {
    const found = facts({
      slots: [slot('active'), slot('passive', { isThere: false }), slot('recovery', { file: undefined })],
    });
    expect(short(judgeSlots(found)).slice(1)).toEqual([
      'warning: cOS/passive.img is missing',
      'skipped: the recovery slot can’t be looked at: its partition is not there',
    ]);
  });

  test('what was not checked is not called checked', () => {
    expect(short(judgeSlots(facts({}, { errors: undefined })))[0]).toBe('ok: the active slot is complete');
  });
});

describe('boot', () => {
  const facts = (changes: Partial<BootFacts> = {}): BootFacts => ({
    firmware: 'efi',
    esp: { programs: ['BOOTX64.EFI'], hasConfig: true },
    bootSector: undefined,
    menu: 'grub2/grub.cfg',
    blocks: [{ name: '/oem/grubenv', path: '/oem/grubenv', state: 'ok', optional: false }],
    initramfs: 'holdfast',
    next: { slot: 'active', entry: 'cos', why: 'first entry' },
    ...changes,
  });
  const block = (state: BootFacts['blocks'][number]['state'], optional = false) => ({
    blocks: [{ name: 'grubenv on COS_OEM', path: '/oem/grubenv', state, optional }],
  });

  test('a machine that is well', () => {
    expect(short(judgeBoot(facts()))).toEqual([
      'ok: boot loader, menu and environment blocks are there',
      'ok: the initramfs of the active slot mounts it',
      'ok: the next boot starts the active system (as usual)',
    ]);
  });

  test.each<[string, Partial<BootFacts>, string]>([
    [
      'no loader',
      { esp: { programs: [], hasConfig: true } },
      'failed: there is no boot loader in EFI/BOOT on COS_GRUB',
    ],
    [
      'no loader, BIOS',
      { firmware: 'bios', esp: { programs: [], hasConfig: true } },
      'warning: there is no boot loader in EFI/BOOT on COS_GRUB',
    ],
    [
      'no configuration',
      { esp: { programs: ['BOOTX64.EFI'], hasConfig: false } },
      'failed: EFI/BOOT/grub.cfg is missing on COS_GRUB',
    ],
    ['no boot sector', { bootSector: false }, 'failed: the first sector of the disk does not start GRUB'],
    ['no menu', { menu: undefined }, 'failed: there is no grub.cfg on COS_STATE'],
    ['no block', block('missing'), 'warning: grubenv on COS_OEM is missing'],
    ['a bad block', block({ problem: 'is damaged: x' }), 'warning: grubenv on COS_OEM is damaged: x'],
    ['no initramfs', { initramfs: 'missing' }, 'failed: the active slot has no initramfs'],
    [
      'a foreign initramfs',
      { initramfs: 'none' },
      'failed: the initramfs of the active slot has no module that mounts a slot',
    ],
    [
      'a saved entry',
      { next: { slot: 'passive', entry: 'fallback', why: 'saved_entry' } },
      'warning: every boot starts the passive system, not the active system',
    ],
  ])('%s', (_, changes, expected) => {
    expect(troubles(judgeBoot(facts(changes)))).toEqual([expected]);
  });

  test('an optional block may be missing, and a choice for once is no trouble', () => {
    expect(troubles(judgeBoot(facts(block('missing', true))))).toEqual([]);
    const once = judgeBoot(facts({ next: { slot: 'recovery', entry: 'recovery', why: 'next_entry' } }));
    expect(short(once).at(-1)).toBe('ok: the next boot starts the recovery system (once, as chosen)');
  });

  const directory = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  test.each([
    ['good', `# GRUB Environment Block\na=b\n${'#'.repeat(995)}`, 'ok'],
    ['short', '# GRUB Environment Block\n', { problem: 'has 25 bytes; GRUB can only write one of 1024' }],
    ['other', 'x'.repeat(1024), { problem: expect.stringMatching(/^is damaged: this is no GRUB environment block/) }],
  ])('a block that is %s', (name, text, expected) => {
    const file = join(directory, name);
    writeFileSync(file, text);
    expect(stateOfBlock(file)).toEqual(expected);
  });

  test('a listing of mdir', () => {
    const text = ` Volume in drive : is COS_GRUB
 Volume Serial Number is 9E4B-1A2B
Directory for ::/EFI/BOOT

.            <DIR>     2026-11-20  10:00
..           <DIR>     2026-11-20  10:00
BOOTX64  EFI    143360 2026-11-20  10:00
grub     cfg       312 2026-11-20  10:00
MMX64~1  EFI         0 2026-11-20  10:00  mmx64-long.efi
        5 files             143 672 bytes
`;
    expect(parseMdir(text)).toEqual([
      { name: 'BOOTX64.EFI', bytes: 143360 },
      { name: 'grub.cfg', bytes: 312 },
      { name: 'mmx64-long.efi', bytes: 0 },
    ]);
  });

  const stateBlock = (state: BootFacts['blocks'][number]['state'], optional = false) => ({
    ...lookAtBlock('grub_oem_env', 'COS_STATE', '/run/holdfast/doctor-7/state', {
      device: '/dev/vda3',
      mountPoint: undefined,
    }),
    state,
    optional,
  });
  const bad = { problem: 'is damaged: x' };
  const opened = {
    path: '/run/initramfs/cos-state/grub_oem_env',
    access: { before: 'mount -o remount,rw STATE', after: 'mount -o remount,ro STATE' },
  };
  test.each<[string, BootFacts['blocks'][number], string | undefined]>([
    [
      'that only the doctor had mounted',
      stateBlock(bad),
      'mount /dev/vda3 /mnt; rm -r /mnt/grub_oem_env; holdfast grubenv --file /mnt/grub_oem_env set holdfast=1; umount /mnt',
    ],
    [
      'on a partition that is read-only',
      { ...stateBlock('missing'), ...opened },
      `mount -o remount,rw STATE; holdfast grubenv --file ${opened.path} set holdfast=1; mount -o remount,ro STATE`,
    ],
    [
      'that is made where it is needed',
      stateBlock(bad, true),
      'mount /dev/vda3 /mnt; rm -r /mnt/grub_oem_env; umount /mnt',
    ],
    [
      'on the owner’s partition',
      { name: 'grubenv on COS_OEM', path: '/oem/grubenv', state: bad },
      'rm -r /oem/grubenv; holdfast grubenv --file /oem/grubenv set holdfast=1',
    ],
    ['that nobody needs', stateBlock('missing', true), undefined],
  ])('the commands that mend a block %s', (_, found, mend) => {
    expect(judgeBoot(facts({ blocks: [found] })).find(({ outcome }) => outcome === 'warning')?.mend).toBe(mend);
  });

  test('a block that is missing, or a directory', () => {
    expect(stateOfBlock(join(directory, 'nothing'))).toBe('missing');
    expect(stateOfBlock(directory)).toEqual({ problem: 'is no file' });
  });
});

/** Names that begin with holdfast are files, too, unless they get a value. */
const ARGUMENT = /(?<![\w./-])(?:rd\.cos(?:\.[a-z]+)+|holdfast(?:\.[a-z]+)+(?==))/g;

function textsBelow(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.includes('.generated.'));
  return files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

describe('kernel arguments', () => {
  const good =
    'root=LABEL=COS_STATE cos-img/filename=/cOS/active.img cos.label=COS_ACTIVE holdfast.slot=1 rd.cos.oemlabel=COS_OEM rd.cos.mount=LABEL=COS_OEM:/oem';

  test.each([
    [good, []],
    [
      `${good} rd.cos.mout=LABEL=A:/a`,
      ['warning: nothing reads the kernel argument rd.cos.mout; rd.cos.mount is meant?'],
    ],
    [`${good} elemental.xyzzy=1`, ['warning: nothing reads the kernel argument elemental.xyzzy']],
    [`${good} rd.cos.debugrw`, ['warning: rd.cos.debugrw is set: / is writable']],
    [`${good} rd.cos.debugrw=0`, []],
    [`${good} rd.immucore.disable`, ['warning: rd.cos.disable is set']],
    [`${good} rd.live.overlay=none rd.live.overlay=LABEL=A:/b`, ['warning: rd.live.overlay is there 2 times']],
    ['root=/dev/sda1', ['failed: the command line names no image file (cos-img/filename)']],
  ])('%s', (line, expected) => {
    expect(troubles(judgeArguments(line, 'active'))).toEqual(expected);
  });

  test('every argument that the boot reads is known', () => {
    const places = ['src/boot', 'src/overlay', 'src/lifecycle', 'src/media', 'os', 'docs/reference'];
    const texts = places.flatMap((place) => textsBelow(join(import.meta.dirname, '../../..', place)));
    const words = new Set(texts.flatMap((text) => text.match(ARGUMENT) ?? []));
    expect(words).toContain('holdfast.assess');
    expect(words).toContain('rd.cos.rootoverlay.key');
    expect(troubles(judgeArguments([good, ...words].join(' '), 'active'))).toEqual([
      'warning: rd.cos.debugrw is set: / is writable',
      'warning: rd.cos.disable is set',
    ]);
  });

  test('an ordinary system has its own', () => {
    expect(troubles(judgeArguments('root=/dev/sda1', undefined))).toEqual([]);
  });
});

describe('tools', () => {
  test('each missing program once, with its package', () => {
    const findings = judgeTools(new Set(['losetup', 'zstd']));
    expect(troubles(findings)).toEqual([
      'failed: the program losetup is missing',
      'warning: the program zstd is missing',
    ]);
    expect(findings.map(({ mend }) => mend)).toEqual([
      'in the image: install the package util-linux',
      'in the image: install the package zstd',
    ]);
  });

  test('every program has a package', () => {
    for (const { mend } of judgeTools(new Set(USES.flatMap(({ programs }) => programs)))) {
      expect(mend).not.toContain('the package that brings');
    }
  });
});

describe('space', () => {
  const place = (changes: Partial<FoundSpace> = {}): FoundSpace => ({
    name: 'COS_OEM',
    totalBytes: 60 * MIB,
    freeBytes: 50 * MIB,
    totalFiles: 1000,
    freeFiles: 900,
    loss: 'stage files can’t be kept',
    mend: 'du -xsh /oem/*',
    ...changes,
  });
  const slot = { wantedBytes: 500 * MIB, freeBytes: 700 * MIB, reclaimableBytes: 0, shares: true };

  test.each<[string, FoundSpace, string[]]>([
    ['roomy', place(), []],
    ['low', place({ freeBytes: 2 * MIB }), ['warning: COS_OEM is almost full: 2.0 MiB of 60 MiB free']],
    ['full', place({ freeBytes: 0 }), ['failed: COS_OEM is full: 0 B of 60 MiB free']],
    ['out of inodes', place({ freeFiles: 3 }), ['failed: COS_OEM has room for 3 more files']],
    ['without inodes of its own', place({ totalFiles: 0, freeFiles: 0 }), []],
  ])('%s', (_, found, expected) => {
    expect(troubles(judgeSpace({ places: [found], slot: undefined }))).toEqual(expected);
  });

  test('the next system', () => {
    expect(short(judgeSpace({ places: [], slot }))).toEqual([
      'ok: the next system may be as large as this one: COS_STATE has 700 MiB for it, and shares what is the same',
    ]);
    expect(troubles(judgeSpace({ places: [], slot: { ...slot, freeBytes: 400 * MIB } }))).toEqual([
      'warning: the next system may need 500 MiB, and COS_STATE has 400 MiB for it',
    ]);
    // What an interrupted upgrade left goes first.
    expect(
      troubles(judgeSpace({ places: [], slot: { ...slot, freeBytes: 400 * MIB, reclaimableBytes: 300 * MIB } })),
    ).toEqual([]);
  });
});

describe('stage files', () => {
  const problem = (line: number, severity: 'error' | 'warning' = 'error') => ({
    severity,
    message: `problem ${line}`,
    location: { file: '/oem/a.yaml', line, column: 1 },
  });

  test('with their places, errors first, and no endless list', () => {
    const many = Array.from({ length: 10 }, (_, index) => problem(index + 1));
    const findings = judgeStageFiles({ count: 3, problems: [problem(99, 'warning'), ...many], remote: 0 });
    expect(troubles(findings)).toEqual([
      ...Array.from({ length: 8 }, (_, index) => `failed: /oem/a.yaml:${index + 1}: problem ${index + 1}`),
      'failed: 2 more like these',
      'warning: /oem/a.yaml:99: problem 99',
    ]);
    expect(findings[0]?.mend).toBe('holdfast validate /oem/a.yaml');
  });

  test('none', () => {
    expect(short(judgeStageFiles({ count: 1, problems: [], remote: 1 }))).toEqual([
      'ok: 1 stage file without a problem; 1 more on the web was not read',
    ]);
  });
});

describe('units', () => {
  test('in place', () => {
    expect(short(judgeUnits({ made: true, changed: [], failedUnits: [] }))).toEqual([
      'ok: the units of holdfast are in place, and none has failed',
    ]);
    expect(short(judgeUnits({ made: false, changed: [], failedUnits: undefined }))).toEqual([
      'skipped: no systemd runs here, and the image was not made by holdfast init',
    ]);
  });

  test('gone, changed, masked, failed', () => {
    const findings = judgeUnits({
      made: true,
      changed: [
        { path: '/usr/lib/systemd/system/cos-setup-fs.service', how: 'changed' },
        { path: '/etc/systemd/system/cos-setup-boot.service', how: 'masked' },
        { path: '/etc/systemd/system/x.wants/y.service', how: 'missing' },
      ],
      failedUnits: ['cos-setup-boot.service', 'nginx.service'],
    });
    expect(troubles(findings)).toEqual([
      'warning: /usr/lib/systemd/system/cos-setup-fs.service is changed',
      'failed: /etc/systemd/system/cos-setup-boot.service is masked',
      'failed: /etc/systemd/system/x.wants/y.service is missing',
      'failed: cos-setup-boot.service has failed',
      'warning: nginx.service has failed',
    ]);
    expect(findings[1]?.mend).toBe('systemctl unmask cos-setup-boot.service');
  });

  test('a list of systemctl', () => {
    const text = '● a.service loaded failed failed A\nb@1.service loaded failed failed B\n\n0 loaded units listed.\n';
    expect(parseFailedUnits(text)).toEqual(['a.service', 'b@1.service']);
  });
});

describe('this boot', () => {
  const report = (changes: Partial<BootReport> = {}): BootReport => ({
    mode: 'active',
    stages: [],
    layout: undefined,
    failedSlots: [],
    logs: undefined,
    problems: [],
    ...changes,
  });
  const counts = { ok: 1, skipped: 0, failed: 1, errors: 0, warnings: 0 };

  test('a stage that failed, with the unit that ran it', () => {
    const stage = {
      stage: 'boot',
      outcome: 'failed',
      startedAt: '',
      counts,
      failures: [{ file: '/oem/90.yaml', line: 12, column: 7, name: 'Install', message: 'x' }],
      furtherFailures: 0,
    } as const;
    const findings = judgeBootReport(report({ stages: [stage] }), { rebootPending: false });
    expect(troubles(findings)).toEqual(['failed: Stage boot: 1 step failed: /oem/90.yaml:12:7 "Install"']);
    expect(findings[0]?.mend).toBe('journalctl -b -u cos-setup-boot, then: holdfast run-stage boot');
  });

  test('a slot that did not start', () => {
    const findings = judgeBootReport(
      report({ mode: 'passive', failedSlots: [{ slot: 'active', reason: 'no kernel' }] }),
      {
        rebootPending: true,
      },
    );
    expect(short(findings)).toEqual([
      'failed: The active slot did not start at an earlier boot: no kernel. This is passive',
      'ok: a new system waits for the next reboot',
    ]);
  });

  test('a machine of somebody else', () => {
    expect(short(judgeBootReport(report(), { rebootPending: false }))).toEqual([
      'skipped: nothing of this boot was recorded: it is no system of holdfast',
    ]);
  });
});

describe('overlay', () => {
  const attached = { used: true, permission: 'rw', readonly: false } as AttachedOverlay;

  test('none, one that is well, one that is full', () => {
    expect(short(judgeOverlay(undefined))).toEqual(['ok: none is asked for: changes of / are not kept']);
    const status = { state: 'ok', allocatedBytes: 10 * MIB, totalBytes: 100 * MIB } as const;
    const base = { attached, rootReadOnly: false, sizeBytes: 100 * MIB, baseBytes: 900 * MIB, freeBytes: 0 };
    expect(short(judgeOverlay({ ...base, status: { ...status, metadataBytes: 0 } }))).toEqual([
      'ok: changes of / are kept, and there is room for more',
    ]);
    expect(
      troubles(judgeOverlay({ ...base, status: { ...status, metadataBytes: 0, allocatedBytes: 80 * MIB } })),
    ).toEqual(['warning: the overlay is 80 % full']);
    expect(troubles(judgeOverlay({ ...base, status: { state: 'overflow' } }))[0]).toMatch(
      /^failed: The overlay of \/ is full/,
    );
  });
});

describe('record', () => {
  const entry = (changes: Partial<RecordEntry>): RecordEntry => ({
    id: 'abcdefgh',
    kind: 'action',
    name: 'upgrade',
    startedAt: '2026-03-04T05:06:07Z',
    outcome: 'ok',
    ...changes,
  });

  test.each<[string, RecordEntry[], string[]]>([
    ['empty', [], []],
    ['well', [entry({})], []],
    [
      'refused',
      [entry({ outcome: 'refused', error: { message: 'no room' } })],
      ['warning: the last action, upgrade of 2026-03-04 05:06, was refused: no room'],
    ],
    ['failed', [entry({ outcome: 'failed' })], ['warning: the last action, upgrade of 2026-03-04 05:06, failed']],
    ['mended since', [entry({ outcome: 'failed' }), entry({ id: 'bbbbbbbb' })], []],
    ['a failed stage is said elsewhere', [entry({ kind: 'stage', outcome: 'failed' })], []],
  ])('%s', (_, entries, expected) => {
    expect(troubles(judgeRecord({ entries, problems: [] }))).toEqual(expected);
  });

  test('damaged lines', () => {
    expect(troubles(judgeRecord({ entries: [], problems: ['3 lines of the record are damaged'] }))).toEqual([
      'warning: 3 lines of the record are damaged',
    ]);
  });
});

describe('clock', () => {
  const nowMs = Date.UTC(2026, 2, 4, 5, 6);

  test.each([
    ['well', { nowMs, imageMs: nowMs - 1000, synchronized: true }, 'ok: 2026-03-04 05:06 UTC, synchronised'],
    ['nobody knows', { nowMs, imageMs: undefined, synchronized: undefined }, 'ok: 2026-03-04 05:06 UTC'],
    [
      'before the image',
      { nowMs, imageMs: nowMs + 2 * 86_400_000, synchronized: true },
      'failed: the clock says 2026-03-04 05:06, and the image is of 2026-03-06',
    ],
    [
      'not synchronised',
      { nowMs, imageMs: nowMs, synchronized: false },
      'warning: the clock says 2026-03-04 05:06 and is not synchronised',
    ],
  ])('%s', (_, facts, expected) => {
    expect(short(judgeClock(facts))).toEqual([expected]);
  });

  test.each([
    ['NTP=yes\nNTPSynchronized=yes\nCanNTP=yes\n', true],
    ['NTP=yes\nNTPSynchronized=no\nCanNTP=yes\n', false],
    ['NTP=no\nNTPSynchronized=no\nCanNTP=no\n', undefined],
  ])('timedatectl: %j', (text, expected) => {
    expect(parseTimedate(text)).toBe(expected);
  });
});

test('the worst counts', () => {
  const finding = (outcome: Finding['outcome']): Finding => ({ area: 'slots', outcome, message: '' });
  expect(worstOf([finding('ok'), finding('skipped')])).toBe('well');
  expect(worstOf([finding('ok'), finding('warning')])).toBe('warnings');
  expect(worstOf([finding('failed'), finding('warning')])).toBe('trouble');
  expect(new Set(AREAS).size).toBe(AREAS.length);
});
