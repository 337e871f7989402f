// What an action removes at its end is its own: a mount that a hook left, and that keeps the owner's partition busy, must not
// lead a removal into that partition. A second.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { furnishTarget } from '../../../src/lifecycle/target.ts';
import { bindMount, mount, unmount } from '../../../src/system/mounts.ts';
import { type ApplyContext, UndoStack } from '../../../src/system/plan.ts';
import { Root } from '../../../src/system/root.ts';
import { mountsBelow, removeWorkDirectory } from '../../../src/system/work-directory.ts';

let base: string;
let persistent: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-work-'));
  persistent = join(base, 'persistent');
  mkdirSync(join(persistent, 'data'), { recursive: true });
  writeFileSync(join(persistent, 'data/precious'), 'all that I have');
});
afterEach(async () => {
  for (const { mountPoint } of mountsBelow(base).reverse()) await unmount(mountPoint);
  rmSync(base, { recursive: true, force: true });
});

const isThere = () => readFileSync(join(persistent, 'data/precious'), 'utf8') === 'all that I have';

test('a directory with something mounted in it stays, with what is mounted and everything beside it', async () => {
  const work = join(base, 'work');
  const at = join(work, 'target/usr/local');
  mkdirSync(at, { recursive: true });
  writeFileSync(join(work, 'file'), '');
  await bindMount(persistent, at);
  expect(() => removeWorkDirectory(work)).toThrow(
    expect.objectContaining({ code: 'HF-MOUNT', message: `it stays, since ${at} could not be unmounted` }),
  );
  expect([isThere(), existsSync(join(work, 'file'))]).toEqual([true, true]);
  await unmount(at);
  removeWorkDirectory(work);
  expect([isThere(), existsSync(work)]).toEqual([true, false]);
  // One that isn't there is fine, and a name that only begins alike is another directory.
  removeWorkDirectory(work);
  mkdirSync(`${work}-2/x`, { recursive: true });
  await mount('tmpfs', `${work}-2/x`, { type: 'tmpfs' });
  mkdirSync(work);
  removeWorkDirectory(work);
  expect(existsSync(work)).toBe(false);
});

test('what a hook leaves mounted in the new system is taken down and told, and nothing of the owner is touched', async () => {
  const work = join(base, 'work');
  const root = new Root(join(work, 'target'));
  for (const path of ['usr/local', 'etc', 'mnt']) mkdirSync(join(root.directory, path), { recursive: true });
  const undo = new UndoStack();
  undo.always(`remove ${work}`, () => removeWorkDirectory(work));
  const warnings: string[] = [];
  const context: ApplyContext = {
    undo,
    events: () => {},
    signal: new AbortController().signal,
    progress: () => {},
    warn: (text) => warnings.push(text),
  };
  await furnishTarget(context, root, { persistent });
  // What a command of a hook does.
  mkdirSync(root.resolve('/usr/local/cache'));
  await mount('left', root.resolve('/usr/local/cache'), { type: 'tmpfs' });
  await mount('inner', root.resolve('/usr/local/cache'), { type: 'tmpfs' });
  await mount('over', root.resolve('/usr/local'), { type: 'tmpfs' });
  expect(await undo.unwind(true)).toEqual([]);
  expect(warnings).toEqual([
    'over was left mounted at /usr/local by a hook and was unmounted',
    'inner was left mounted at /usr/local/cache by a hook and was unmounted',
    'left was left mounted at /usr/local/cache by a hook and was unmounted',
  ]);
  expect(mountsBelow(base)).toEqual([]);
  expect([isThere(), existsSync(work)]).toEqual([true, false]);
});
