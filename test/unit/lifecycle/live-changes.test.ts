// Which differences may come to a running system: a path, what shows there, what somebody has made of it since the boot, and
// what comes of it.

import { expect, test } from 'vitest';
import type { TreeDifference, TreeObject } from '../../../src/ledger/compare-trees.ts';
import { type LivePlace, planLive } from '../../../src/lifecycle/live-changes.ts';
import { differences } from '../../../src/overlay/rebase/tree-object.ts';

function object(changes: Partial<TreeObject> = {}): TreeObject {
  return {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 4,
    mtimeNs: 1n,
    ctimeNs: 1n,
    inode: 1n,
    links: 1,
    device: 0n,
    storedBytes: 4,
    isSparse: false,
    linkTarget: '',
    xattrs: new Map(),
    flags: '',
    digest: 'sha256:old',
    ...changes,
  };
}

const OLD = object();
const NEW = object({ digest: 'sha256:new', mtimeNs: 2n });
const MINE = object({ digest: 'sha256:mine', mtimeNs: 3n });
const LATER = object({ mtimeNs: 9n });
const DIRECTORY = object({ type: 'directory', mode: 0o755, digest: '' });

function difference(path: string, before: TreeObject | undefined, after: TreeObject | undefined): TreeDifference {
  const kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  const fields = before === undefined || after === undefined ? [] : differences(before, after);
  return { path, kind, fields, ...(before && { before }), ...(after && { after }) };
}

/** What becomes of one path. */
function fate(
  path: string,
  [before, after]: [TreeObject | undefined, TreeObject | undefined],
  place: LivePlace,
  running?: TreeObject,
): string {
  const plan = planLive({
    differences: [difference(path, before, after)],
    placeOf: () => place,
    running: new Map(running === undefined ? [] : [[path, running]]),
  });
  const [refused] = plan.refused;
  if (refused !== undefined) return `refused: ${refused.reason}`;
  if (plan.later.length > 0) return 'later';
  if (plan.copies.length > 0) return `copied${plan.added.length > 0 ? ', new' : ''}`;
  return plan.binds.length > 0 ? `bound by /${plan.binds.join()}${plan.added.length > 0 ? ', new' : ''}` : 'nothing';
}

const IN_USE = 'something may be using the old one';

test.each<[string, string, [TreeObject | undefined, TreeObject | undefined], string]>([
  ['a new program', 'usr/bin/vim', [undefined, NEW], 'bound by /usr, new'],
  ['a new directory', 'opt/tool', [undefined, DIRECTORY], 'bound by /opt, new'],
  ['a replaced library', 'usr/lib/libc.so.6', [OLD, NEW], `refused: it is replaced (content), and ${IN_USE}`],
  ['another mode', 'usr/bin/su', [OLD, object({ mode: 0o4755 })], `refused: it is replaced (mode), and ${IN_USE}`],
  [
    'a program that is gone',
    'usr/bin/nano',
    [OLD, undefined],
    'refused: it is gone from the new system, and something may be using it',
  ],
  ['only another time', 'usr/bin/vi', [OLD, LATER], 'nothing'],
  ['a cache of icons', 'usr/share/icons/hicolor/icon-theme.cache', [OLD, NEW], 'bound by /usr'],
  [
    'a new name in /',
    'data',
    [undefined, DIRECTORY],
    'refused: it is directly below /, where nothing can be added while the system runs',
  ],
  [
    'an initramfs',
    'boot/initrd',
    [OLD, NEW],
    'refused: kernel, initramfs and boot files are read when the machine starts',
  ],
  [
    'a new kernel',
    'boot/vmlinuz-6.9',
    [undefined, NEW],
    'refused: kernel, initramfs and boot files are read when the machine starts',
  ],
])('in a directory that can only be read: %s', (_, path, objects, expected) => {
  expect(fate(path, objects, 'read-only')).toBe(expected);
});

test.each<[string, string, [TreeObject | undefined, TreeObject | undefined], TreeObject | undefined, string]>([
  ['new, and nobody made one', 'etc/vimrc', [undefined, NEW], undefined, 'copied, new'],
  [
    'new, and there is one',
    'etc/vimrc',
    [undefined, NEW],
    MINE,
    'refused: somebody has made another one since this system was started',
  ],
  ['new, and there is the same', 'etc/vimrc', [undefined, NEW], NEW, 'nothing'],
  ['changed, as it was', 'var/lib/dpkg/status', [OLD, NEW], OLD, 'copied'],
  ['changed, as it was but for the time', 'etc/ld.so.cache', [OLD, NEW], LATER, 'copied'],
  [
    'changed here too',
    'etc/passwd',
    [OLD, NEW],
    MINE,
    'refused: somebody has changed it since this system was started',
  ],
  ['changed here to the same', 'etc/passwd', [OLD, NEW], NEW, 'nothing'],
  [
    'changed, and removed here',
    'etc/motd',
    [OLD, NEW],
    undefined,
    'refused: somebody has removed it since this system was started',
  ],
  ['gone, here too', 'etc/motd', [OLD, undefined], undefined, 'nothing'],
  ['gone', 'etc/motd', [OLD, undefined], OLD, 'refused: it is gone from the new system, and something may be using it'],
  ['of another kind', 'etc/motd', [OLD, DIRECTORY], OLD, 'refused: it is something of another kind in the new system'],
  [
    'a unit that was there',
    'etc/systemd/system/a.service',
    [OLD, NEW],
    OLD,
    'refused: it is replaced, and a service may be running by the old one',
  ],
  ['a unit that is new', 'etc/systemd/system/b.service', [undefined, NEW], undefined, 'copied, new'],
  ['a log that goes on here', 'var/log/dpkg.log', [OLD, NEW], MINE, 'nothing'],
  ['a log alone', 'var/log/dpkg.log', [OLD, NEW], OLD, 'nothing'],
  ['package lists that are gone', 'var/lib/apt/lists/x', [OLD, undefined], OLD, 'nothing'],
])('in a layer in memory: %s', (_, path, objects, running, expected) => {
  expect(fate(path, objects, 'memory', running)).toBe(expected);
});

test('what this machine keeps shows with the next boot, and what is hidden there never does', () => {
  expect(fate('etc/ssh/sshd_config', [OLD, NEW], 'kept')).toBe('later');
  expect(fate('var/log/dpkg.log', [OLD, NEW], 'kept')).toBe('nothing');
  expect(fate('tmp/x', [undefined, NEW], 'elsewhere')).toBe('nothing');
});

test('logs come with other changes', () => {
  const plan = planLive({
    differences: [difference('etc/vimrc', undefined, NEW), difference('var/log/dpkg.log', OLD, NEW)],
    placeOf: () => 'memory',
    running: new Map([['var/log/dpkg.log', OLD]]),
  });
  expect(plan.copies.map(({ path }) => path)).toEqual(['etc/vimrc', 'var/log/dpkg.log']);
});

test('one path that is refused is told with all others, and directories come before what is in them', () => {
  const plan = planLive({
    differences: [
      difference('', DIRECTORY, object({ type: 'directory', mode: 0o700, digest: '' })),
      difference('etc/vim', undefined, DIRECTORY),
      difference('etc/vim/vimrc', undefined, NEW),
      difference('usr/bin/vim', undefined, NEW),
      difference('usr/lib/libx', OLD, NEW),
    ],
    placeOf: (path) => (path.startsWith('etc') ? 'memory' : 'read-only'),
    running: new Map(),
  });
  expect(plan.copies.map(({ path }) => path)).toEqual(['etc/vim', 'etc/vim/vimrc']);
  expect(plan.binds).toEqual(['usr']);
  expect(plan.added).toEqual(['etc/vim', 'etc/vim/vimrc', 'usr/bin/vim']);
  expect(plan.refused.map(({ path }) => path)).toEqual(['usr/lib/libx']);
});
