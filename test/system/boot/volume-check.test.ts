// Volumes are checked as fsck.mode and fsck.repair ask for, once, without a question, and never while they are mounted.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkVolume } from '../../../src/boot/volume-check.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { LayoutRig } from './layout-rig.ts';

let work = '';
let file = '';
const marks = () => join(work, 'checked');
const options = (rest: Partial<Parameters<typeof checkVolume>[2]> = {}) => {
  return { mode: 'auto', repair: 'preen', marks: marks(), limitMs: 60_000, starting: () => {}, ...rest } as const;
};

beforeEach(async () => {
  work = mkdtempSync(join(tmpdir(), 'holdfast-check-'));
  file = join(work, 'disk');
  writeFileSync(file, '');
  truncateSync(file, 32 << 20);
  await runChecked(['mkfs.ext4', '-q', '-F', file]);
});
afterEach(() => rmSync(work, { recursive: true }));

/** What e2fsck -p mends: a file system that notes errors, with a wrong count of free blocks. */
const noteErrors = () => runChecked(['debugfs', '-w', '-R', 'ssv state 2', file]);
/** What only e2fsck -y mends: an inode in use whose mode is nonsense. */
const breakInode = () => runChecked(['debugfs', '-w', '-R', 'clri <2>', file]);

test('a clean file system is checked only when that is forced', async () => {
  expect(await checkVolume(file, 'ext4', options())).toEqual({ outcome: 'skipped' });
  expect(await checkVolume(file, 'ext4', options({ mode: 'skip' }))).toEqual({ outcome: 'skipped' });
  expect(await checkVolume(file, 'ext4', options({ mode: 'force' }))).toEqual({ outcome: 'ok' });
  expect(readdirSync(marks())).toEqual(['disk']);
});

test('one that notes errors is repaired, and isn’t checked twice', async () => {
  await noteErrors();
  const result = await checkVolume(file, 'ext4', options());
  expect(result).toEqual({ outcome: 'noted', text: `${file} had errors, which e2fsck repaired` });
  expect((await run(['e2fsck', '-fn', file])).status).toBe(0);
  expect(await checkVolume(file, 'ext4', options({ mode: 'force' }))).toEqual({ outcome: 'skipped' });
});

test('errors that may cost files are left unless fsck.repair=yes', async () => {
  await breakInode();
  const left = await checkVolume(file, 'ext4', options({ mode: 'force' }));
  expect(left).toMatchObject({ outcome: 'failed' });
  expect(readFileSync(join(marks(), 'disk'), 'utf8')).toBe('4\n');
  // The mark remembers it for whoever comes next.
  expect(await checkVolume(file, 'ext4', options())).toMatchObject({ outcome: 'failed' });
  rmSync(marks(), { recursive: true });
  expect(await checkVolume(file, 'ext4', options({ mode: 'force', repair: 'no' }))).toMatchObject({
    outcome: 'failed',
  });
  rmSync(marks(), { recursive: true });
  expect(await checkVolume(file, 'ext4', options({ mode: 'force', repair: 'yes' }))).toMatchObject({
    outcome: 'noted',
  });
  expect((await run(['e2fsck', '-fn', file])).status).toBe(0);
});

test('what somebody else has checked is left alone', async () => {
  await noteErrors();
  mkdirSync(marks());
  writeFileSync(join(marks(), basename(file)), '0\n');
  expect(await checkVolume(file, 'ext4', options())).toEqual({ outcome: 'skipped' });
});

test('a check that takes too long ends', async () => {
  expect(await checkVolume(file, 'ext4', options({ mode: 'force', limitMs: 1 }))).toMatchObject({
    outcome: 'failed',
    text: expect.stringContaining('did not finish within 1 ms'),
  });
});

test('without the program the volume is taken as it is', async () => {
  const { PATH } = process.env;
  process.env['PATH'] = '/nowhere';
  try {
    expect(await checkVolume(file, 'ext4', options({ mode: 'force' }))).toMatchObject({
      outcome: 'noted',
      text: expect.stringContaining('e2fsck is not installed'),
    });
  } finally {
    process.env['PATH'] = PATH;
  }
});

test.each(['xfs', 'btrfs', 'squashfs', 'auto'])('%s checks itself at the mount', async (type) => {
  expect(await checkVolume(file, type, options({ mode: 'force' }))).toEqual({ outcome: 'skipped' });
});

test('in the layout, a volume with errors that are left isn’t mounted, with fsck.repair=yes it is', async () => {
  const rig = new LayoutRig();
  try {
    await rig.makeImage();
    const device = await rig.makeVolume('HFT_KEEP');
    await runChecked(['debugfs', '-w', '-R', 'clri <2>', device]);
    const env = 'VOLUMES=LABEL=HFT_KEEP:/usr/local';
    const { warnings } = await rig.boot(env, { commandLine: 'fsck.mode=force' });
    expect(warnings[0]).toMatch(/^\/dev\/loop\d+ has errors that e2fsck left \(status 4\)/);
    expect(warnings.slice(1)).toEqual(['changes below /usr/local last until the next boot']);
    rmSync(join(rig.runDirectory, 'checked'), { recursive: true });
    const repaired = await rig.boot(env, { commandLine: 'fsck.mode=force fsck.repair=yes' });
    expect(repaired.warnings).toEqual([`${device} had errors, which e2fsck repaired`]);
    expect(rig.get('etc/fstab')).toContain('HFT_KEEP');
  } finally {
    expect(await rig.close()).toEqual([]);
  }
});
