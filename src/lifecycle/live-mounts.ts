// A directory of another slot over one of the running system's, in one step, with everything that is mounted below it in its
// place again; and files written beside each other into layers that are writable.

import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { bytesOf } from '../image/targettree.ts';
import type { TreeObject, TreePath } from '../ledger/compare-trees.ts';
import { copyContent } from '../overlay/rebase/content.ts';
import { furnish } from '../overlay/rebase/furnish.ts';
import { type TreeHandles, withHandles } from '../overlay/rebase/tree-handles.ts';
import { HoldfastError } from '../system/errors.ts';
import { bindMount, listMounts, mount } from '../system/mounts.ts';
import { UndoStack } from '../system/plan.ts';
import { run, runChecked } from '../system/process.ts';

/**
 * Puts a directory over another one. It is put together aside first, so that nobody sees it without what belongs below it.
 * @param options.workDirectory where that happens; made, and gone afterwards.
 * @throws HoldfastError HF-MOUNT; nothing is changed then.
 */
export async function coverDirectory(
  undo: UndoStack,
  { from, over, workDirectory }: { from: string; over: string; workDirectory: string },
): Promise<void> {
  mkdirSync(workDirectory, { recursive: true });
  const parts = new UndoStack();
  try {
    await bindMount(from, workDirectory);
    parts.always(`unmount ${workDirectory}`, async () => {
      await runChecked(['umount', '--recursive', '--lazy', workDirectory]);
    });
    for (const below of mountsDirectlyBelow(over)) {
      const at = join(workDirectory, below.slice(over.length));
      if (lstatSync(at, { throwIfNoEntry: false })?.isDirectory() !== true) {
        throw new HoldfastError('HF-MOUNT', `${below} has nowhere to be in the new system: there is no such directory`);
      }
      await mount(below, at, { options: ['rbind'] });
      // Else taking it away here would take away what is mounted below the running system's own, everywhere.
      await runChecked(['mount', '--make-rprivate', at]);
    }
    await mount(workDirectory, over, { options: ['rbind'] });
    undo.onFailure(`unmount ${over}`, async () => {
      await run(['umount', '--recursive', '--lazy', over]);
    });
  } finally {
    const [failed] = await parts.unwind(true);
    if (failed === undefined) rmdirSync(workDirectory);
  }
}

/** The outermost mounts below a directory: what is mounted below those comes with them. */
export function mountsDirectlyBelow(directory: string, mounts = listMounts()): string[] {
  const points = [...new Set(mounts.map(({ mountPoint }) => mountPoint))];
  const below = points.filter((point) => point.startsWith(`${directory}/`));
  return below.filter((point) => !below.some((other) => point.startsWith(`${other}/`))).sort();
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Beside what it replaces, on the same file system. */
const ASIDE = '.holdfast-live-';

/**
 * Writes objects of a slot into a tree: all are made aside first and get their attributes, then each takes its place by
 * rename. No link is followed on the way.
 * @param copies directories before what is in them.
 * @throws HoldfastError HF-IO, HF-INTERRUPTED, and what the file system throws; what has its place by then keeps it.
 */
export async function copyLive(
  copies: readonly { path: TreePath; object: TreeObject }[],
  { from, to, signal }: { from: string; to: string; signal?: AbortSignal },
): Promise<void> {
  await withHandles(from, (source) =>
    withHandles(to, async (target) => {
      const made = new Map<TreePath, TreeObject>();
      const places = new Map<TreePath, TreePath>();
      try {
        for (const { path, object } of copies) {
          if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while changes were brought live');
          if (object.type === 'directory') {
            if (lstatSync(target.at(path), { throwIfNoEntry: false }) === undefined) mkdirSync(target.at(path), 0o700);
            made.set(path, object);
            continue;
          }
          const aside = `${path.slice(0, path.lastIndexOf('/') + 1)}${ASIDE}${places.size}`;
          rmSync(target.at(aside), { force: true });
          places.set(aside, path);
          await makeAside(source, path, { target, aside, object });
          made.set(aside, object);
        }
        // All at once: each call costs several programs.
        await furnish(target, made);
        for (const [aside, path] of places) {
          renameSync(target.at(aside), target.at(path));
          places.delete(aside);
        }
      } finally {
        for (const aside of places.keys()) rmSync(target.at(aside), { force: true });
      }
    }),
  );
}

async function makeAside(
  source: TreeHandles,
  path: TreePath,
  { target, aside, object }: { target: TreeHandles; aside: TreePath; object: TreeObject },
): Promise<void> {
  if (object.type === 'symlink') {
    symlinkSync(bytesOf(object.linkTarget), target.at(aside));
    return;
  }
  if (object.type !== 'file') {
    throw new HoldfastError('HF-UNSUPPORTED', `/${path} is a ${object.type}, which is not made in a running system`);
  }
  const fd = openSync(target.at(aside), NEW_FILE, 0o600);
  try {
    await copyContent(source, path, fd, { keepHoles: object.isSparse });
  } finally {
    closeSync(fd);
  }
}
