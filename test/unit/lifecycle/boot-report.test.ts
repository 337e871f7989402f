// What is said of a boot, and the words above the login prompt: exact, since they are all that a person sees who comes to
// a machine that is not well.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readBootReport, troublesOf } from '../../../src/lifecycle/boot-report.ts';
import { bannerLines, refreshBanner } from '../../../src/lifecycle/login-banner.ts';
import { writePendingCarry } from '../../../src/lifecycle/pending-carry.ts';
import { readFingerprint } from '../../../src/overlay/fingerprint.ts';
import { runningRecord, type StageRecord, writeRecord } from '../../../src/stages/stagerecord.ts';

let run: string;
let etc: string;
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'holdfast-run-'));
  etc = join(run, 'etc');
  put('etc/issue', 'Linux\n');
});
afterEach(() => rmSync(run, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(run, path)), { recursive: true });
  writeFileSync(join(run, path), text);
}
const text = (path: string) => (existsSync(join(run, path)) ? readFileSync(join(run, path), 'utf8') : undefined);

const WELL: StageRecord = {
  stage: 'boot',
  outcome: 'ok',
  startedAt: '2026-01-02T03:04:05.000Z',
  counts: { ok: 1, skipped: 0, failed: 0, errors: 0, warnings: 0 },
  failures: [],
  furtherFailures: 0,
};
const FAILED: StageRecord = {
  ...WELL,
  outcome: 'failed',
  counts: { ...WELL.counts, failed: 2 },
  failures: [
    {
      file: '/oem/90.yaml',
      line: 12,
      column: 7,
      subStage: 'boot',
      name: 'Mine',
      message: 'secret words',
      outputTail: 'x',
    },
    { file: '/oem/91.yaml', line: 1, column: 1, subStage: 'boot', message: 'more' },
  ],
};
const layout = (changes: object) =>
  JSON.stringify({ version: 1, outcome: 'ok', notices: [], mounts: [], durationMs: 1, ...changes });
const record = (value: StageRecord) => writeRecord(value, join(run, 'holdfast/stages'));

test('a machine that nobody has booted with holdfast is unknown, not broken', () => {
  expect(readBootReport(run)).toEqual({
    mode: undefined,
    stages: [],
    layout: undefined,
    failedSlots: [],
    logs: undefined,
    problems: [],
  });
});

test.each([
  [['active'], 'active'],
  [['passive'], 'passive'],
  [['active', 'recovery'], 'recovery'],
  [['live'], 'live'],
])('mode files %j say %s', (files, mode) => {
  for (const name of files) put(`cos/${name}_mode`, '1');
  expect(readBootReport(run).mode).toBe(mode);
});

test.each<[string, Partial<StageRecord>, string]>([
  ['two steps', {}, 'Stage boot: 2 steps failed, first /oem/90.yaml:12:7 "Mine"'],
  [
    'one step and an error in a file',
    { counts: { ...WELL.counts, failed: 1, errors: 1 } },
    'Stage boot: 1 step failed, 1 error in stage files, first /oem/90.yaml:12:7 "Mine"',
  ],
  ['one step', { counts: { ...WELL.counts, failed: 1 } }, 'Stage boot: 1 step failed: /oem/90.yaml:12:7 "Mine"'],
  [
    'broken off',
    { counts: WELL.counts, failures: [{ message: 'interrupted' }] },
    'Stage boot did not finish: interrupted',
  ],
])('a stage that failed: %s', (_, changes, sentence) => {
  record({ ...FAILED, ...changes });
  expect(troublesOf(readBootReport(run))).toEqual([sentence]);
});

test('a stage whose process is gone did not finish; one that runs is no trouble', () => {
  // This process is there, but runs no stage.
  record(runningRecord('network', WELL.startedAt, process.pid));
  expect(troublesOf(readBootReport(run))).toEqual([
    'Stage network did not finish: its process ended before the stage did',
  ]);
});

test.each([
  ['used=yes\nmessage=the file had holes\n', []],
  ['used=no\nreason=skipped\nmessage=rd.cos.rootoverlay=0\n', []],
  [
    'used=no\nreason=device-missing\nmessage=/dev/sdb did not appear within 30 seconds.\n',
    ['/ is without its overlay, changes are not kept: /dev/sdb did not appear within 30 seconds.'],
  ],
  ['used=no\nreason=mismatch\n', ['/ is without its overlay, changes are not kept: mismatch.']],
  ['used=yes\nreason=full\nmessage=it is 97 % full\n', ['The overlay of /: it is 97 % full.']],
])('a root overlay: %j', (text, sentences) => {
  put('cos/rootoverlay', text);
  expect(troublesOf(readBootReport(run))).toEqual(sentences);
});

test('slots that did not start, but not the one that runs', () => {
  put('cos/passive_mode', '1');
  put('holdfast/boot_failure', 'active:there is no /cOS/active.img;passive:it was tried before\n');
  expect(troublesOf(readBootReport(run))).toEqual([
    'The active slot did not start at an earlier boot: there is no /cOS/active.img. This is passive.',
  ]);
});

test('notices of the layout; one that failed, or whose record is damaged', () => {
  put('holdfast/layout.json', layout({ notices: ['/opt is kept until the next boot only'] }));
  expect(troublesOf(readBootReport(run))).toEqual(['/opt is kept until the next boot only']);
  put('holdfast/layout.json', layout({ outcome: 'failed', reason: '/sysroot is no mount point' }));
  expect(troublesOf(readBootReport(run))).toEqual(['The layout could not be mounted: /sysroot is no mount point']);
  put('holdfast/layout.json', '{');
  expect(troublesOf(readBootReport(run))).toEqual(['The layout could not be mounted: its record is damaged']);
});

test('the banner says what failed and where more is, never what a program printed', () => {
  record(FAILED);
  expect(bannerLines(readBootReport(run))).toEqual([
    'holdfast: Stage boot: 2 steps failed, first /oem/90.yaml:12:7 "Mine"',
    'holdfast: "holdfast status" shows more.',
  ]);
});

test('the banner has few and short lines, whatever it is about', () => {
  put('holdfast/layout.json', layout({ notices: Array.from({ length: 50 }, () => 'x'.repeat(5000)) }));
  const lines = bannerLines(readBootReport(run));
  expect(lines).toHaveLength(7);
  expect(lines.at(-2)).toBe('holdfast: and 45 more.');
  expect(Math.max(...lines.map((line) => line.length))).toBe(160);
});

test('the banner is written where agetty and pam_motd look, and goes away when all is well', () => {
  record({ ...FAILED, failures: [{ ...FAILED.failures[0], message: '', name: 'a\\4\n\x1b[2Jb' }] });
  refreshBanner(readBootReport(run), { run, etc });
  const first = 'holdfast: Stage boot: 2 steps failed, first /oem/90.yaml:12:7';
  const last = 'holdfast: "holdfast status" shows more.\n';
  expect(text('holdfast/login.issue')).toBe(`${first} "a\\\\4 b"\n${last}\n`);
  expect(text('motd.d/50-holdfast')).toBe(`${first} "a\\4 b"\n${last}`);
  expect(statSync(join(run, 'motd.d/50-holdfast')).mode & 0o777).toBe(0o644);
  // The image's link in /etc/issue.d leads to the first one; a second place would show it twice.
  expect(text('issue.d/50-holdfast.issue')).toBeUndefined();
  record(WELL);
  refreshBanner(readBootReport(run), { run, etc });
  expect([text('holdfast/login.issue'), text('motd.d/50-holdfast')]).toEqual([undefined, undefined]);
});

test('without /etc/issue, agetty reads /run/issue.d', () => {
  rmSync(join(etc, 'issue'));
  record(FAILED);
  refreshBanner(readBootReport(run), { run, etc });
  expect(text('issue.d/50-holdfast.issue')).toContain('Stage boot: 2 steps failed');
});

test('prompts are drawn again only when the banner has changed', () => {
  put('agetty.reload', '');
  const reload = join(run, 'agetty.reload');
  const past = new Date('2020-01-01');
  utimesSync(reload, past, past);
  record(WELL);
  refreshBanner(readBootReport(run), { run, etc });
  expect(statSync(reload).mtime).toEqual(past);
  record(FAILED);
  refreshBanner(readBootReport(run), { run, etc });
  expect(statSync(reload).mtime).not.toEqual(past);
  utimesSync(reload, past, past);
  refreshBanner(readBootReport(run), { run, etc });
  expect(statSync(reload).mtime).toEqual(past);
});

test('what became of this boot’s assessment is read, and what checks printed stays out of the banner', () => {
  const report = {
    boot: 'fallback',
    outcome: 'fallback',
    at: '2026-01-02T03:04:05.000Z',
    system: 'Demo 2',
    reason: 'it hung',
    checks: [{ name: '/x', outcome: 'failed', message: 'm', outputTail: 'a secret' }],
  };
  put('holdfast/assessment.json', JSON.stringify(report));
  expect(readBootReport(run).assessment).toEqual(report);
  expect(bannerLines(readBootReport(run))).toEqual([
    'holdfast: This machine runs its fallback since the active system (Demo 2) failed on 2026-01-02 03:04 UTC: it hung.',
    'holdfast: "holdfast status" shows more.',
  ]);
  for (const damaged of ['', '{', '[]', '{"outcome":"great","at":"x","checks":[]}', '{"outcome":"failed"}']) {
    put('holdfast/assessment.json', damaged);
    expect(readBootReport(run)).not.toHaveProperty('assessment');
  }
});

test('what an upgrade could not carry of the overlay is told until it is carried', () => {
  const superblock = Buffer.alloc(4096);
  superblock.writeUInt16LE(0xef53, 1024 + 0x38);
  put('initramfs/cos-state/cOS/active.img', superblock.toString('latin1'));
  writeFileSync(join(run, 'initramfs/cos-state/cOS/active.img'), superblock);
  const to = readFingerprint(join(run, 'initramfs/cos-state/cOS/active.img'));
  const note = { device: 'LABEL=KEEP', path: '/p', from: '3f9c1a7be0428d11'.padEnd(64, '0'), to };
  const rest = { bootId: 'another', date: '2026-11-20T10:00:00.000Z', conflicts: 'x', state: 'open' as const };
  writePendingCarry(join(run, 'initramfs/cos-state'), { ...note, ...rest });
  const report = readBootReport(run);
  expect(report.problems).toEqual([]);
  expect(bannerLines(report)[0]).toMatch(/^holdfast: What changed in the overlay after the upgrade of 2026-11-20/);
  expect(report.overlayCarry).toContain('"holdfast overlay rebase --from 3f9c1a7be0428d11"');
  writePendingCarry(join(run, 'initramfs/cos-state'), { ...note, ...rest, to: 'f'.repeat(64) });
  expect(readBootReport(run).overlayCarry).toBeUndefined();
});
