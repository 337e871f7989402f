// Upgrades of a machine that keeps writes to / in an overlay: what is in the new system's view afterwards, attribute by
// attribute, what an old one still holds, and what refuses. Nothing runs from an overlay here: the COWs are written in user
// space, and the machine is upgraded from the outside.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rollback } from '../../../src/lifecycle/apply-rollback.ts';
import { previewOverlay, type UpgradeResult, upgrade } from '../../../src/lifecycle/apply-upgrade.ts';
import { applyPlanned, planAhead } from '../../../src/lifecycle/planned-upgrade.ts';
import { rebaseOverlay } from '../../../src/lifecycle/rebase-overlay.ts';
import type { UpgradeRequest } from '../../../src/lifecycle/upgrade.ts';
import { describePlan } from '../../../src/preview/describe.ts';
import { planDocumentSchema } from '../../../src/preview/document.ts';
import type { DiskImage } from './disk-image.ts';
import { machineTraces } from './disk-image.ts';
import { ALL_LABELS, InstalledDisk, LATER, NOW, systemsIn } from './installed-disk.ts';
import { OverlayDisk } from './stored-view.ts';
import { osRelease } from './tiny-image.ts';

let installed: InstalledDisk;
/** With version 1 installed. */
let disk: DiskImage;
let keep: OverlayDisk;

beforeAll(async () => {
  installed = await InstalledDisk.create({
    v1: {
      'etc/app.conf': 'one\ntwo\nthree\n',
      'etc/both.conf': 'old\n',
      'usr/share/doc/going': 'goes\n',
      'usr/share/vendor': 'vendor 1\n',
      'usr/bin/tool': 'a tool\n',
    },
    v2: {
      'etc/app.conf': 'one\ntwo\nthree\nfour of the image\n',
      'etc/both.conf': 'of the image\n',
      'usr/share/vendor': 'vendor 2\n',
      'usr/share/fresh': 'new in 2\n',
    },
    sizeMib: 5120,
  });
  const base = { name: 'base', files: {} };
  await installed.images.add('v3', [base, { name: 'third', files: { ...osRelease(3), 'usr/share/third': '3\n' } }]);
  disk = installed.original;
  keep = await OverlayDisk.create();
  await keep.enable(disk);
  await keep.change(disk, 'active', ownersWork);
});
afterAll(async () => {
  await keep?.remove();
  installed?.remove();
});

const SECRET = Buffer.from('c3a9ff0a', 'hex').toString('latin1');

/** One of each kind. */
function ownersWork(root: string): void {
  const at = (path: string) => join(root, path);
  mkdirSync(at('srv/data'), { recursive: true });
  writeFileSync(at('srv/data/file'), 'written by hand\n');
  writeFileSync(at('etc/app.conf'), 'zero of mine\none\ntwo\nthree\n');
  writeFileSync(at('etc/both.conf'), 'mine\n');
  writeFileSync(at('usr/share/vendor'), 'mine\n');
  rmSync(at('usr/share/doc/going'));
  chmodSync(at('usr/bin/tool'), 0o4750);
  chownSync(at('usr/bin/tool'), 12, 34);
  chmodSync(at('usr/bin/tool'), 0o4750);
  symlinkSync('../nowhere', at('srv/data/link'));
  writeFileSync(at('srv/data/pair'), 'pair\n');
  linkSync(at('srv/data/pair'), at('srv/data/pair2'));
  writeFileSync(Buffer.from(`${at('srv/data/')}${SECRET}`, 'latin1'), 'odd name\n');
  writeFileSync(at('srv/data/sparse'), 'begins');
  truncateSync(at('srv/data/sparse'), 8 << 20);
  execFileSync('mkfifo', ['-m', '620', at('srv/data/fifo')]);
  execFileSync('mknod', [at('srv/data/null'), 'c', '1', '3']);
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', at('srv/data/file')]);
  execFileSync('setfattr', [
    '-n',
    'security.capability',
    '-v',
    '0x0100000200200000000000000000000000000000',
    at('bin/cat'),
  ]);
  execFileSync('touch', ['-d', '2001-02-03T04:05:06.789123456Z', at('srv/data/file')]);
}

/** What a tree holds below some paths: everything but inode numbers. */
function listing(root: string): string {
  const paths = ['srv/data', 'usr/bin/tool', 'bin/cat', 'etc/both.conf', 'usr/share/vendor', 'etc/app.conf'];
  const format = '%P %y %m %U:%G %s %n %T@ %l\\n';
  const found = execFileSync(
    'find',
    [...paths.filter((path) => existsSync(join(root, path))), '-printf', `%p ${format}`],
    {
      cwd: root,
      encoding: 'latin1',
    },
  );
  const attributes = execFileSync(
    'getfattr',
    ['-R', '-h', '-d', '-m', '^(user|security.capability)', 'srv/data', 'bin'],
    {
      cwd: root,
      encoding: 'latin1',
    },
  );
  const devices = execFileSync('stat', ['-c', '%n %t %T', 'srv/data/null'], { cwd: root, encoding: 'utf8' });
  // Times are set in microseconds.
  const times = found.replace(/(\.\d{6})\d{4} /g, '$1 ');
  return `${times.split('\n').sort().join('\n')}\n${attributes}${devices}`;
}

const upgraded = async (request: Partial<UpgradeRequest> & { tag: string }): Promise<UpgradeResult> => {
  const { tag, ...rest } = request;
  const image = await installed.open(tag);
  return disk.withPartitions(ALL_LABELS, () =>
    upgrade({ image, strictness: 'chroot', force: false, ...rest }, { command: 'test', now: NOW }),
  );
};

test('a preview says what becomes of each change, and leaves everything as it was', async () => {
  const before = await keep.files();
  const traces = machineTraces();
  const image = await installed.open('v2');
  const result = await disk.withPartitions(ALL_LABELS, () =>
    previewOverlay({ image, strictness: 'chroot', force: false }, { command: 'test', now: NOW }),
  );
  expect(result.outcome).toBe('previewed');
  expect(result.overlay?.report.join('\n')).toMatch(/both-changed +\/etc\/both.conf +keeping yours/);
  expect(result.overlay?.report.join('\n')).toMatch(/both-changed +\/usr\/share\/vendor +following new image/);
  expect(result.overlay?.decided).toBe(2);
  expect(await keep.files()).toEqual(before);
  expect(machineTraces()).toEqual(traces);
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await systemsIn(state)).toEqual(['Tiny 1', 'Tiny 1']);
    for (const name of ['transition.img', 'overlay-old', 'overlay-new']) {
      expect(existsSync(join(state, 'cOS', name)), name).toBe(false);
    }
  });
});

test('an upgrade carries every kind of change, attribute by attribute, and leaves the old overlay alone', async () => {
  const before = await keep.files();
  const old = await keep.look(disk, 'active', listing);
  const traces = machineTraces();
  const { outcome, warnings, overlay } = await upgraded({ tag: 'v2' });
  expect({ outcome, warnings }).toEqual({ outcome: 'ok', warnings: [] });
  expect(overlay?.decided).toBe(2);
  expect(machineTraces()).toEqual(traces);
  expect(await keep.files()).toMatchObject(before);

  await keep.look(disk, 'active', (root) => {
    const text = (path: string) => readFileSync(join(root, path), 'utf8');
    expect(text('etc/os-release')).toContain('Tiny 2');
    expect(text('usr/share/fresh')).toBe('new in 2\n');
    expect(text('etc/app.conf')).toBe('zero of mine\none\ntwo\nthree\nfour of the image\n');
    expect(text('etc/both.conf')).toBe('mine\n');
    expect(text('usr/share/vendor')).toBe('vendor 2\n');
    expect(existsSync(join(root, 'usr/share/doc/going'))).toBe(false);
    const changedByBoth = /^(etc\/app.conf|usr\/share\/vendor) .*\n/gm;
    expect(listing(root).replace(changedByBoth, '')).toBe(old.replace(changedByBoth, ''));
  });
  // What lost is kept beside the set, not in the tree.
  const conflicts = Object.keys(await keep.files()).filter((name) => name.includes('.conflicts/'));
  expect(conflicts.length).toBeGreaterThanOrEqual(2);
});

test('rolled back, the machine finds what it had', async () => {
  await keep.change(disk, 'active', (root) => writeFileSync(join(root, 'etc/later'), 'in version 2\n'));
  const before = await keep.files();
  await disk.withPartitions(ALL_LABELS, () => rollback({ command: 'test', now: LATER }));
  expect(await keep.files()).toEqual(before);
  await keep.look(disk, 'active', (root) => {
    expect(readFileSync(join(root, 'etc/os-release'), 'utf8')).toContain('Tiny 1');
    expect(readFileSync(join(root, 'usr/share/vendor'), 'utf8')).toBe('mine\n');
    expect(existsSync(join(root, 'etc/later'))).toBe(false);
  });
});

test('what was changed over the old system since can be carried to the new one', async () => {
  await upgraded({ tag: 'v2', force: true });
  const log = (version: number) => (root: string) => {
    mkdirSync(join(root, 'var/log'), { recursive: true });
    writeFileSync(join(root, 'var/log/boots'), `booted ${version}\n`);
  };
  await keep.change(disk, 'passive', (root) => {
    writeFileSync(join(root, 'etc/since'), 'in version 1\n');
    log(1)(root);
  });
  await keep.change(disk, 'active', (root) => {
    writeFileSync(join(root, 'etc/own'), 'in version 2\n');
    log(2)(root);
  });
  const old = await keep.cowOf(disk, 'passive');
  const before = await keep.files();
  const request = { set: keep.place, from: old.slice(-16, -8), strict: false };
  const run = (dryRun: boolean) =>
    disk.withPartitions(ALL_LABELS, () => rebaseOverlay(request, { command: 'test', now: LATER, dryRun }));
  expect(await run(true)).toMatchObject({ outcome: 'planned', live: false });
  expect(await keep.files()).toEqual(before);
  expect(await run(false)).toMatchObject({ outcome: 'ok', warnings: [] });
  expect((await keep.files())[old]).toBe(before[old]);
  await keep.look(disk, 'active', (root) => {
    expect(readFileSync(join(root, 'etc/os-release'), 'utf8')).toContain('Tiny 2');
    expect(readFileSync(join(root, 'etc/since'), 'utf8')).toBe('in version 1\n');
    expect(readFileSync(join(root, 'etc/own'), 'utf8')).toBe('in version 2\n');
    // What tells of the view's own history stays.
    expect(readFileSync(join(root, 'var/log/boots'), 'utf8')).toBe('booted 2\n');
    expect(readFileSync(join(root, 'srv/data/file'), 'utf8')).toBe('written by hand\n');
  });
  await expect(
    disk.withPartitions(ALL_LABELS, () => rebaseOverlay({ ...request, from: 'ffff' }, { command: 'test', now: LATER })),
  ).rejects.toMatchObject({ code: 'HF-USAGE' });
});

/** The same by a plan: nothing is carried before it is applied, and then what the plan says. */
const upgradedByPlan = async (tag: string) => {
  const image = await installed.open(tag);
  const before = await keep.files();
  const request = { image, strictness: 'chroot' as const, force: true, allowDowngrade: true };
  const { document } = await disk.withPartitions(ALL_LABELS, () =>
    planAhead(request, { command: 'test', now: NOW }, describePlan),
  );
  expect(await keep.files()).toEqual(before);
  const { id, overlay, etc } = planDocumentSchema.parse(document);
  expect(overlay).toMatchObject({ place: keep.place, action: 'carried' });
  const words = new Map(etc.files.map(({ path, winner }) => [path, winner]));
  expect(words.get('/etc/os-release')).toBe('image');
  expect(words.get('/etc/generation-2')).toBe('overlay');
  return disk.withPartitions(ALL_LABELS, () => applyPlanned({ id }, { command: 'test', now: LATER }));
};

test('three upgrades in a row, one of them planned, keep the edits of every generation', async () => {
  for (const [version, tag] of [
    [2, 'v2'],
    [3, 'v3'],
    [1, 'v1'],
  ] as const) {
    const { outcome, warnings } =
      version === 3 ? await upgradedByPlan(tag) : await upgraded({ tag, allowDowngrade: true, force: true });
    expect({ outcome, warnings }).toEqual({ outcome: 'ok', warnings: [] });
    await keep.change(disk, 'active', (root) => {
      expect(readFileSync(join(root, 'etc/os-release'), 'utf8')).toContain(`Tiny ${version}`);
      writeFileSync(join(root, `etc/generation-${version}`), tag);
    });
  }
  await keep.look(disk, 'active', (root) => {
    expect(readFileSync(join(root, 'srv/data/file'), 'utf8')).toBe('written by hand\n');
    expect(readFileSync(join(root, 'etc/generation-2'), 'utf8')).toBe('v2');
    expect(readFileSync(join(root, 'etc/generation-3'), 'utf8')).toBe('v3');
    expect(existsSync(join(root, 'usr/share/third'))).toBe(false);
  });
});

test('without the overlay the new system begins with a blank one, and the old one stays', async () => {
  const before = await keep.files();
  const own = await keep.cowOf(disk, 'passive');
  const { plan } = await upgraded({ tag: 'v2', overlay: 'leave', force: true });
  expect(plan.actions.map(({ kind }) => kind)).toContain('blank-overlay');
  expect((await keep.files())[own]).toBe(before[own]);
  await keep.look(disk, 'active', (root) => {
    expect(existsSync(join(root, 'srv/data'))).toBe(false);
  });
  const fresh = Object.keys(await keep.files()).filter((name) => !(name in before));
  expect(fresh).toHaveLength(2);
});

describe('an upgrade refuses, and nothing has changed, when', () => {
  test.each([
    ['a rule would have to decide, and --strict', 7, { strictness: 'all' as const }, undefined],
    ['the overlay is damaged', 5, {}, (cow: string) => writeFileSync(cow, 'garbage', { flag: 'r+' })],
  ])('%s', async (_, exitStatus, request, spoil) => {
    if (spoil === undefined) {
      await keep.change(disk, 'active', (root) => writeFileSync(join(root, 'etc/both.conf'), 'mine again\n'));
    }
    const states = async () => disk.withMounted('COS_STATE', (state) => systemsIn(state));
    const before = await states();
    const own = await keep.cowOf(disk, 'active');
    if (spoil !== undefined) await keep.withMounted((set) => spoil(join(dirname(set), own)));
    const files = await keep.files();
    await expect(upgraded({ tag: 'v3', ...request })).rejects.toMatchObject({ exitStatus });
    expect(await states()).toEqual(before);
    expect(await keep.files()).toEqual(files);
  });
});
