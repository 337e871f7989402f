// What apt's hook keeps: package files under a name that is found again, none that aren't installed any more, and never so
// many that the overlay's own disk is full.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { keepPackages } from '../../../src/overlay/packages/keep.ts';
import { findKept } from '../../../src/overlay/packages/kept.ts';
import { Root } from '../../../src/system/root.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-keep-'));
const archive = join(directory, 'set.packages');
const package1 = join(directory, 'a_1%3a1.0_all.deb');

beforeAll(() => {
  mkdirSync(join(directory, 'tree/DEBIAN'), { recursive: true });
  chmodSync(join(directory, 'tree'), 0o755);
  const control =
    'Package: lab-a\nVersion: 1:1.0~x+y\nArchitecture: all\nMaintainer: Lab <lab@example.org>\nDescription: a\n';
  writeFileSync(join(directory, 'tree/DEBIAN/control'), control);
  execFileSync('dpkg-deb', ['--root-owner-group', '--build', join(directory, 'tree'), package1], { stdio: 'ignore' });
});
beforeEach(() => rmSync(archive, { recursive: true, force: true }));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const plenty = () => 2 ** 40;
const none: ReadonlySet<string> = new Set();
const step = {
  key: 'lab-a:all',
  name: 'lab-a',
  architecture: 'all',
  wanted: '1:1.0~x+y',
  automatic: false,
  purge: false,
};

it('a kept file is found by its package, and once is enough', async () => {
  const { kept, removed, warnings } = await keepPackages([package1, package1], archive, {
    installed: none,
    free: plenty,
  });
  expect({ kept: kept.length, removed, warnings }).toEqual({ kept: 1, removed: [], warnings: [] });
  await keepPackages([package1], archive, { installed: none, free: plenty });
  expect(readdirSync(archive)).toEqual(kept);
  const found = findKept([step], 'dpkg', [archive], new Root(directory));
  expect(found).toEqual({
    files: [
      {
        key: 'lab-a:all',
        version: '1:1.0~x+y',
        path: join(archive, kept[0] ?? ''),
        sizeBytes: readFileSync(package1).length,
      },
    ],
    warnings: [],
  });
});

it('files of what isn’t installed go, those of others and what power cuts left as well', async () => {
  const { kept } = await keepPackages([package1], archive, { installed: none, free: plenty });
  for (const name of ['.half.tmp', 'README', `gone_1_all_${'0'.repeat(64)}.deb`])
    writeFileSync(join(archive, name), '');
  const installed = new Set(['lab-a:all 1:1.0~x+y']);
  const result = await keepPackages([], archive, { installed, free: plenty });
  expect(result.removed).toEqual(['.half.tmp', `gone_1_all_${'0'.repeat(64)}.deb`]);
  expect(readdirSync(archive).sort()).toEqual(['README', ...kept].sort());
});

it('what is no package, isn’t there or has no room is told or passed over', async () => {
  const broken = join(directory, 'broken.deb');
  writeFileSync(broken, 'no package');
  const asked = [broken, join(directory, 'absent.deb'), 'relative.deb', '/etc/passwd', ''];
  const result = await keepPackages(asked, archive, { installed: none, free: plenty });
  expect(result).toEqual({ kept: [], removed: [], warnings: [`${broken} is not kept: it can’t be read as a package`] });
  const full = await keepPackages([package1], archive, { installed: none, free: () => 256 * 2 ** 20 });
  expect(full.warnings).toEqual([`${package1} is not kept: the overlay’s disk is almost full`]);
  expect(readdirSync(archive)).toEqual([]);
});

it('the hook’s script lets apt go on where no overlay is used, and reads all that it is told', () => {
  const script = new URL('../../../os/usr/lib/holdfast/keep-packages', import.meta.url).pathname;
  const result = spawnSync('sh', [script], { input: '/x.deb\n'.repeat(100_000), encoding: 'utf8' });
  expect({ status: result.status, stderr: result.stderr, error: result.error }).toEqual({
    status: 0,
    stderr: '',
    error: undefined,
  });
});
