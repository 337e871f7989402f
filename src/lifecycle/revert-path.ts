// Brings a path of the running system back to what its slot or image has. A file is replaced as a whole by rename; only where
// nobody but root can put something else on the way.

import { chmodSync, chownSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { RevertAction } from '../ledger/plan-revert.ts';
import { TreeFiles } from '../overlay/packages/tree-files.ts';
import { listRequests, removeRequest } from '../owner/owner-file.ts';
import { readOwnerFile, writeOwnerFile } from '../owner/owner-place.ts';
import { HoldfastError } from '../system/errors.ts';
import { listMounts } from '../system/mounts.ts';
import type { Performers } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import type { Root } from '../system/root.ts';

export interface RevertState {
  /** The tree that is changed. */
  root: Root;
  /** Directories where the slot and the pristine are mounted. */
  slot: string;
  image: string | undefined;
  oemDirectory: string;
}

export const revertPerformers: Performers<RevertAction, RevertState> = {
  forget: ({ path, command }, _, { oemDirectory }) => {
    const file = readOwnerFile(oemDirectory);
    const request = listRequests(file).find((one) =>
      command === undefined ? one.kind === 'file' && one.path === path : one.kind === 'command' && one.text === command,
    );
    if (request !== undefined) writeOwnerFile(removeRequest(file, request), oemDirectory);
  },

  restore: async ({ path, from }, { undo }, { root, slot, image }) => {
    const source = from === 'slot' ? slot : image;
    if (source === undefined) throw new HoldfastError('HF-STATE', 'no unchanged copy of the image is kept');
    const parent = lstatSync(join(root.directory, dirname(path)), { throwIfNoEntry: false });
    if (parent?.isDirectory() !== true) {
      throw new HoldfastError('HF-STATE', `${dirname(path)}, which ${path} lies in, isn't there`, {
        hint: `holdfast revert ${dirname(path)} brings it back with what is in it`,
      });
    }
    const at = placeIn(root, path);
    const original = join(source, path);
    const wanted = lstatSync(original);
    const now = lstatSync(at, { throwIfNoEntry: false });
    if (wanted.isDirectory() && now?.isDirectory()) {
      chownSync(at, wanted.uid, wanted.gid);
      chmodSync(at, wanted.mode & 0o7777);
      return;
    }
    const fresh = join(dirname(at), `.${basename(at).slice(0, 200)}.holdfast-${process.pid}`);
    undo.onFailure(`remove ${fresh}`, () => rmSync(fresh, { recursive: true, force: true }));
    await runChecked(['cp', '--archive', '--no-target-directory', '--', original, fresh]);
    if (now?.isDirectory()) await removeTree(at);
    renameSync(fresh, at);
  },

  remove: ({ path }, _, { root }) => removeTree(placeIn(root, path)),
};

/**
 * Removes what is at a path, never what is mounted below it: that is on another disk or machine.
 * @throws HoldfastError HF-STATE when something is mounted there.
 */
async function removeTree(at: string): Promise<void> {
  const inside = listMounts().find(({ mountPoint }) => mountPoint === at || mountPoint.startsWith(`${at}/`));
  if (inside !== undefined) {
    throw new HoldfastError('HF-STATE', `${inside.mountPoint} is mounted: what is there can't be removed with ${at}`, {
      hint: `umount ${inside.mountPoint}`,
    });
  }
  // What is mounted in this moment stays, too.
  await runChecked(['rm', '--recursive', '--force', '--one-file-system', '--', at]);
}

/** @throws HoldfastError HF-STATE where somebody else could put a link on the way. */
function placeIn(root: Root, path: string): string {
  const files = new TreeFiles(root);
  if (files.isRootsOwn(path)) return files.at(path);
  throw new HoldfastError('HF-STATE', `${path} lies in a directory that others than root may write to`, {
    hint: 'put it right by hand',
  });
}
