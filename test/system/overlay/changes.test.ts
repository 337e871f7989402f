// Finding what was changed in a view that descends from its base: everything that the kernel knows of, and nothing that was
// only looked at. Two ext4 file systems with the same inodes. Needs root and loop devices.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChanges } from '../../../src/overlay/rebase/changes.ts';
import type { Changes } from '../../../src/overlay/rebase/model.ts';
import { planRebase } from '../../../src/overlay/rebase/plan-rebase.ts';
import { replay } from '../../../src/overlay/rebase/replay.ts';
import { changedSince, readSeen, writeSeen } from '../../../src/overlay/rebase/seen-index.ts';

const work = mkdtempSync(join(tmpdir(), 'holdfast-changes-'));
const at = (name: string) => join(work, name);
const view = (path: string) => join(work, 'view', path);
const sh = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });
const TRIED = [
  'edited',
  'same-size',
  'chmod',
  'chown',
  'xattr',
  'flag',
  'touched',
  'over',
  'read',
  'copied-back',
  'gone',
];

beforeAll(() => {
  for (const name of ['base', 'view', 'tree/srv/d', 'tree/var/cache', 'tree/etc'])
    mkdirSync(at(name), { recursive: true });
  for (const name of TRIED) writeFileSync(at(`tree/srv/${name}`), `content of ${name}\n`);
  for (const name of ['renamed', 'renamed-and-edited', 'd/in', 'one', 'split', 'joined'])
    writeFileSync(at(`tree/srv/${name}`), name);
  sh('cp', '-p', at('tree/srv/one'), at('tree/srv/joined-same'));
  linkSync(at('tree/srv/one'), at('tree/srv/two'));
  linkSync(at('tree/srv/split'), at('tree/srv/split-partner'));
  sh('truncate', '-s', '16M', at('base.img'));
  sh('mkfs.ext4', '-q', '-d', at('tree'), at('base.img'));
  sh('cp', at('base.img'), at('view.img'));
  sh('mount', '-o', 'loop,ro', at('base.img'), at('base'));
  sh('mount', '-o', 'loop', at('view.img'), at('view'));
  sh('cp', '-a', at('tree'), at('next'));
});

afterAll(() => {
  sh('chattr', '-i', view('srv/flag'));
  sh('umount', at('view'), at('base'));
  if (statSync(at('target'), { throwIfNoEntry: false })) sh('chattr', '-R', '-i', at('target'));
  rmSync(work, { recursive: true, force: true });
});

/** All in one go: a view is walked once however much was changed. */
function changeTheView(): void {
  writeFileSync(view('srv/edited'), 'something else\n');
  const { atime, mtime } = statSync(view('srv/same-size'));
  writeFileSync(view('srv/same-size'), 'forged     same-size\n');
  utimesSync(view('srv/same-size'), atime, mtime);
  chmodSync(view('srv/chmod'), 0o4750);
  lchownSync(view('srv/chown'), 5, 6);
  sh('setfattr', '-n', 'user.note', '-v', 'x', view('srv/xattr'));
  sh('chattr', '+i', view('srv/flag'));
  utimesSync(view('srv/touched'), 1_500_000_000, 1_500_000_000);
  writeFileSync(view('srv/new'), 'content of over\n');
  renameSync(view('srv/new'), view('srv/over'));
  readFileSync(view('srv/read'));
  sh('cp', '-p', view('srv/copied-back'), view('copy'));
  sh('cp', '-p', view('copy'), view('srv/copied-back'));
  rmSync(view('copy'));
  rmSync(view('srv/gone'));
  renameSync(view('srv/renamed'), view('etc/renamed'));
  renameSync(view('srv/renamed-and-edited'), view('etc/edited'));
  writeFileSync(view('etc/edited'), 'other');
  renameSync(view('srv/d'), view('srv/moved'));
  linkSync(view('srv/one'), view('srv/three'));
  copyFileSync(view('srv/split'), view('srv/split.new'));
  renameSync(view('srv/split.new'), view('srv/split'));
  rmSync(view('srv/joined'));
  linkSync(view('srv/one'), view('srv/joined'));
  rmSync(view('srv/joined-same'));
  linkSync(view('srv/one'), view('srv/joined-same'));
  writeFileSync(view('var/cache/thing'), 'x'.repeat(100));
  writeFileSync(view('srv/sparse'), 'begin');
  truncateSync(view('srv/sparse'), 3 << 20);
  const fd = openSync(view('srv/sparse'), 'r+');
  writeSync(fd, 'end', 2 << 20);
  closeSync(fd);
}

describe('what was changed in a view', () => {
  let found: Changes;
  beforeAll(async () => {
    changeTheView();
    const server = createServer().listen(view('srv/socket'));
    await new Promise((done) => server.once('listening', done));
    found = await findChanges({ oldBase: at('base'), oldView: at('view') });
    await new Promise((done) => server.close(done));
  });

  it('is found, whatever it was, and nothing else', () => {
    expect(found.changes.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
      'added etc/edited',
      'added etc/renamed',
      'changed srv/chmod',
      'changed srv/chown',
      'deleted srv/d',
      'deleted srv/d/in',
      'changed srv/edited',
      'changed srv/flag',
      'deleted srv/gone',
      'changed srv/joined',
      'changed srv/joined-same',
      'added srv/moved',
      'added srv/moved/in',
      'changed srv/over',
      'deleted srv/renamed',
      'deleted srv/renamed-and-edited',
      'changed srv/same-size',
      'added srv/sparse',
      'changed srv/split',
      'changed srv/split-partner',
      'added srv/three',
      'changed srv/touched',
      'changed srv/xattr',
      'added var/cache/thing',
    ]);
    expect(found.warnings).toEqual([]);
  });

  it('has renames, and which names are one object', () => {
    const origins = found.changes.flatMap(({ path, origin }) =>
      origin === undefined ? [] : [`${origin.path} ${path}`],
    );
    expect(origins).toEqual(['srv/renamed etc/renamed', 'srv/d/in srv/moved/in']);
    expect(found.linked).toEqual([['srv/joined', 'srv/joined-same', 'srv/one', 'srv/three', 'srv/two']]);
    expect(found.changes.filter(({ isSplit }) => isSplit).map(({ path }) => path)).toEqual([
      'srv/split',
      'srv/split-partner',
    ]);
  });

  it('costs what is new of it', () => {
    expect(found.addedEntries).toBe(6);
    // Holes cost nothing; the cache is not carried.
    expect(found.changedBytes % 4096).toBe(0);
    expect(found.changedBytes).toBeGreaterThan(8192);
    expect(found.changedBytes).toBeLessThan(128 << 10);
  });

  it('is carried: renames follow what the new image made of the old name, holes stay, links are links', async () => {
    writeFileSync(at('next/srv/renamed'), 'renamed, and newer');
    writeFileSync(at('next/srv/one'), 'one, and newer');
    sh('cp', '-a', at('next'), at('target'));
    const plan = await planRebase(
      { oldBase: at('base'), oldView: at('view'), newBase: at('next') },
      { changes: found },
    );
    await replay(plan, { target: at('target'), warn: (text) => expect.unreachable(text) });
    const target = (path: string) => join(at('target'), path);
    expect(readFileSync(target('etc/renamed'), 'utf8')).toBe('renamed, and newer');
    expect(statSync(target('srv/renamed'), { throwIfNoEntry: false })).toBeUndefined();
    expect(readFileSync(target('srv/sparse')).equals(readFileSync(view('srv/sparse')))).toBe(true);
    expect(statSync(target('srv/sparse')).blocks).toBeLessThan(32);
    const names = ['one', 'two', 'three', 'joined', 'joined-same'];
    const [one, ...others] = names.map((name) => statSync(target(`srv/${name}`)).ino);
    expect(others).toEqual([one, one, one, one]);
    expect(readFileSync(target('srv/three'), 'utf8')).toBe('one, and newer');
    expect(statSync(target('srv/split')).ino).not.toBe(statSync(target('srv/split-partner')).ino);
    expect(String(sh('lsattr', '-d', target('srv/flag'))).split(' ')[0]).toContain('i');
    expect(statSync(target('srv/touched')).mtimeMs).toBe(1_500_000_000_000);
  });

  it('since it was looked at last is what was touched, made or removed', async () => {
    writeSeen(at('seen'), found.seen);
    const seen = readSeen(at('seen'));
    expect(seen).toEqual(found.seen);
    // The server has removed its socket.
    expect(await changedSince(seen, at('view'))).toEqual(['srv', 'srv/socket']);
    chmodSync(view('srv/chmod'), 0o600);
    writeFileSync(view('etc/later'), '');
    rmSync(view('srv/chown'));
    writeFileSync(view('var/cache/other'), '');
    expect(await changedSince(seen, at('view'))).toEqual([
      'etc',
      'etc/later',
      'srv',
      'srv/chmod',
      'srv/chown',
      'srv/socket',
    ]);
    expect(() => readSeen(at('none'))).toThrow('does not say what the view was');
  });
});
