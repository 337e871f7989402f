// What is written through the overlays of a plan, with the kernel's own overlayfs: all kinds of changes are found, kept in the
// upper half, and written to the partition as they were seen; what nobody touched is left alone.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applyWrites, coverOwner, staleWrites } from '../../../src/lifecycle/planned-writes.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';

const undo = new UndoStack();
let directory: string;
/** A file system of its own: the upper half of an overlay can't be on an overlay. */
let state: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-writes-'));
  const image = join(directory, 'image');
  await runChecked(['truncate', '--size', '64M', image]);
  await runChecked(['mkfs.ext4', '-q', image]);
  const { device } = await attachLoop(undo, image);
  state = join(directory, 'state');
  mkdirSync(state);
  await mount(device, state);
  undo.always('unmount', () => unmount(state));
});
afterAll(async () => {
  await undo.unwind(false);
  rmSync(directory, { recursive: true, force: true });
});

const listing = (at: string) =>
  execFileSync(
    'sh',
    [
      '-c',
      'find . -mindepth 1 -printf "%p %y %m %U:%G %l\\n" | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; getfattr -Rhd -m "^user|^trusted" . 2>/dev/null',
    ],
    { cwd: at, encoding: 'latin1' },
  );

test('every kind of change comes out as it was seen, and nothing else does', async () => {
  const [oem, persistent, workDirectory] = ['oem', 'persistent', 'work'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const at of [
    join(oem, 'dir/deep'),
    join(oem, 'emptied'),
    join(oem, 'replaced'),
    join(persistent, '.holdfast'),
    workDirectory,
  ])
    mkdirSync(at, { recursive: true });
  for (const file of [
    'same',
    'opened',
    'changed',
    'gone',
    'dir/deep/kept',
    'dir/gone',
    'emptied/x',
    'emptied/y',
    'replaced/x',
    'mode',
    'was-file',
  ])
    writeFileSync(join(oem, file), file);
  // A name that is no text and that nobody touches, in a directory in which a hook is at work.
  writeFileSync(Buffer.from(`${oem}/b\xe4r`, 'latin1'), 'odd');
  writeFileSync(join(persistent, '.holdfast/there'), 'there');
  const before = listing(oem);

  const places = { stateDirectory: state, workDirectory };
  const plan = new UndoStack();
  const { covered, uncover } = await coverOwner({ undo: plan }, places, { oem, persistent });
  const at = covered.oem ?? '';
  execFileSync(
    'sh',
    [
      '-ec',
      `: >>opened; echo 2 >changed; rm gone dir/gone; echo new >new; mkdir -p fresh/deep; echo f >fresh/deep/file
      rm -r emptied; mkdir emptied; rm -r replaced; echo file >replaced; rm was-file; mkdir was-file; echo in >was-file/in
      chmod 4711 mode; ln -s ../somewhere link; mkfifo fifo; chown 12:34 dir; setfattr -n user.note -v kept new; mv same moved`,
    ],
    { cwd: at, stdio: 'pipe' },
  );
  // The same caches from outside and, bound there, from inside of a new system.
  writeFileSync(join(covered.persistent ?? '', '.holdfast/fetched'), 'fetched');
  expect(readFileSync(join(covered.caches ?? '', 'fetched'), 'utf8')).toBe('fetched');
  writeFileSync(join(covered.caches ?? '', 'second'), 'second');
  expect(readFileSync(join(covered.persistent ?? '', '.holdfast/second'), 'utf8')).toBe('second');
  writeFileSync(join(covered.persistent ?? '', 'beside'), 'beside');
  const seen = listing(at);
  const writes = await uncover();
  await plan.unwind(false);

  expect(listing(oem)).toBe(before);
  expect(existsSync(join(persistent, 'beside'))).toBe(false);
  expect(writes.map(({ partition, path, what }) => `${partition} ${what} ${path}`).sort()).toEqual([
    'oem removed dir/gone',
    'oem removed emptied/x',
    'oem removed emptied/y',
    'oem removed gone',
    'oem removed same',
    'oem written changed',
    'oem written dir',
    'oem written fifo',
    'oem written fresh',
    'oem written fresh/deep',
    'oem written fresh/deep/file',
    'oem written link',
    'oem written mode',
    'oem written moved',
    'oem written new',
    'oem written replaced',
    'oem written was-file',
    'oem written was-file/in',
    'persistent written beside',
  ]);
  const owner = { oem, persistent };
  expect(staleWrites(writes, owner)).toEqual([]);
  await applyWrites({ undo: plan }, places, writes, owner);
  await plan.unwind(false);
  expect(listing(oem)).toBe(seen);
  expect(readFileSync(join(persistent, 'beside'), 'utf8')).toBe('beside');
  // As after a try that was cut off.
  await applyWrites({ undo: plan }, places, writes, owner);
  expect(listing(oem)).toBe(seen);
});

test('a name that is no text, written by a hook, is refused and not lost in silence', async () => {
  const [oem, workDirectory] = [join(directory, 'oem2'), join(directory, 'work2')];
  for (const at of [oem, workDirectory]) mkdirSync(at);
  const plan = new UndoStack();
  const { covered, uncover } = await coverOwner({ undo: plan }, { stateDirectory: state, workDirectory }, { oem });
  writeFileSync(Buffer.from(`${covered.oem}/b\xe4r`, 'latin1'), 'odd');
  await expect(uncover()).rejects.toMatchObject({
    code: 'HF-DEPLOY',
    message: expect.stringContaining('whose name is no text'),
  });
  expect(await plan.unwind(true)).toEqual([]);
  expect(existsSync(join(state, 'cOS/planned.writes'))).toBe(false);
});
