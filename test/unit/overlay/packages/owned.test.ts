// Which files of a package are still the package's, and that no link of an image leads out of its tree.

import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { restoreAttributes } from '../../../../src/overlay/packages/attributes.ts';
import type { PackagedEntry, PackageStep } from '../../../../src/overlay/packages/model.ts';
import { findOwned } from '../../../../src/overlay/packages/owned.ts';
import { keepServicesStopped, POLICY } from '../../../../src/overlay/packages/services.ts';
import { Root } from '../../../../src/system/root.ts';

function roots(): { directory: string; base: Root; view: Root } {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-owned-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const name of ['base', 'view']) mkdirSync(join(directory, name));
  return { directory, base: new Root(join(directory, 'base')), view: new Root(join(directory, 'view')) };
}

const STEP: PackageStep = { key: 'a:all', name: 'a', architecture: 'all', wanted: '1', automatic: false, purge: false };
const md5 = (text: string) => ({ algorithm: 'md5', hex: createHash('md5').update(text).digest('hex') });
const entry = (path: string, text?: string): PackagedEntry => ({
  path,
  isConfig: path.startsWith('/etc/'),
  ...(text !== undefined && { digest: md5(text) }),
});

async function owned(view: Root, base: Root, entries: PackagedEntry[]): Promise<string[]> {
  const contents = new Map([[STEP.key, entries]]);
  const found = await findOwned('dpkg', [STEP], { root: base, contents: new Map() }, { root: view, contents });
  return found.owned.map(({ path }) => path);
}

it('unchanged files, new directories and links are the package’s; what was edited isn’t', async () => {
  const { base, view } = roots();
  const files = { '/usr/a': 'a', '/usr/edited': 'mine', '/etc/a.conf': 'a', '/etc/new.conf': 'a' };
  for (const [path, text] of Object.entries(files)) view.writeFile(path, text);
  view.makeDirectory('/usr/new');
  base.makeDirectory('/etc');
  symlinkSync('a', view.resolve('/usr/link', { followLast: false }));
  const entries = ['/etc', '/usr/new', '/usr/link', '/etc/new.conf'].map((path) => entry(path));
  entries.push(entry('/usr/a', 'a'), entry('/usr/edited', 'packaged'), entry('/etc/a.conf', 'a'));
  expect(await owned(view, base, entries)).toEqual(['etc/a.conf', 'usr/a', 'usr/link', 'usr/new']);
});

it('without digests, what somebody touched after it was unpacked stays with the file replay', async () => {
  const { base, view } = roots();
  view.writeFile('/usr/old', 'x');
  const list = view.resolve('/var/lib/dpkg/info/a.list');
  mkdirSync(dirname(list), { recursive: true });
  writeFileSync(list, '');
  const at = statSync(view.resolve('/usr/old')).ctimeMs / 1000;
  utimesSync(list, at + 1, at + 1);
  expect(await owned(view, base, [entry('/usr/old')])).toEqual(['usr/old']);
  utimesSync(list, at - 1, at - 1);
  expect(await owned(view, base, [entry('/usr/old')])).toEqual([]);
});

it('an absolute link of the new base never leads to this machine’s files', () => {
  const { directory, base, view } = roots();
  const outside = join(directory, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'f'), '', { mode: 0o600 });
  view.writeFile('/opt/p/f', '', { mode: 0o640 });
  base.makeDirectory('/opt');
  symlinkSync(outside, join(base.directory, 'opt/p'));
  expect(restoreAttributes(['opt/p/f'], view, base)).toEqual({ changed: [], left: [] });
  expect(statSync(join(outside, 'f')).mode & 0o777).toBe(0o600);
  // Inside the tree the link leads to what has the same mode then.
  base.writeFile(`${outside}/f`, '', { mode: 0o600 });
  chmodSync(base.resolve(outside), 0o777);
  expect(restoreAttributes(['opt/p/f'], view, base)).toEqual({ changed: [], left: ['/opt/p/f'] });
  chmodSync(base.resolve(outside), 0o755);
  expect(restoreAttributes(['opt/p/f'], view, base)).toEqual({ changed: ['/opt/p/f'], left: [] });
  expect((base.stat(`${outside}/f`)?.mode ?? 0) & 0o777).toBe(0o640);
  expect(statSync(join(outside, 'f')).mode & 0o777).toBe(0o600);
});

it('our answer that services stay stopped goes again, also one that a power cut left', async () => {
  const { base, view } = roots();
  keepServicesStopped(view);
  expect(view.exists(POLICY)).toBe(true);
  expect(await owned(view, base, [])).toEqual(['usr/sbin/policy-rc.d']);
  keepServicesStopped(view)();
  expect(view.exists(POLICY)).toBe(false);
  view.writeFile(POLICY, '#!/bin/sh\nexit 104\n');
  keepServicesStopped(view)();
  expect(view.readText(POLICY)).toBe('#!/bin/sh\nexit 104\n');
  expect(await owned(view, base, [])).toEqual([]);
});
