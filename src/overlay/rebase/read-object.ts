// Reads objects of a tree with all that a rebase compares: attributes of many at a time, links' targets, and digests of those
// files that somebody has to compare.

import { readlinkSync } from 'node:fs';
import { bytesOf, type TreePath } from '../../image/targettree.ts';
import { errnoOf } from '../../system/errors.ts';
import { readAttributes } from './attributes.ts';
import { digestOf } from './content.ts';
import { TreeHandles } from './tree-handles.ts';
import { objectOf, type TreeObject } from './tree-object.ts';
import { look, prefixOf } from './walk.ts';

/**
 * Reads what is at these paths, but no content; what isn't there, or is a socket, isn't in the result.
 * @param options.attributes false leaves out extended attributes and flags.
 * @throws HoldfastError HF-IO.
 */
export async function readObjects(
  directory: string,
  paths: Iterable<TreePath>,
  { attributes: isWhole = true }: { attributes?: boolean } = {},
): Promise<Map<TreePath, TreeObject>> {
  const prefix = prefixOf(directory);
  const objects = new Map<TreePath, TreeObject>();
  for (const path of paths) {
    const stats = look(prefix, path);
    const object = stats && objectOf(stats);
    if (object?.type === 'symlink') object.linkTarget = targetOf(prefix + path) ?? '';
    if (object !== undefined) objects.set(path, object);
  }
  if (!isWhole) return objects;
  for (const [path, attributes] of await readAttributes(directory, [...objects.keys()])) {
    const object = objects.get(path);
    if (object !== undefined) objects.set(path, { ...object, ...attributes });
  }
  return objects;
}

/** Reads the digests of files that don't have theirs yet. */
export async function addDigests(
  directory: string,
  objects: Iterable<readonly [TreePath, TreeObject]>,
  signal?: AbortSignal,
): Promise<void> {
  const tree = new TreeHandles(directory);
  try {
    await addDigestsOf(tree, objects, signal);
  } finally {
    tree.close();
  }
}

async function addDigestsOf(
  tree: TreeHandles,
  objects: Iterable<readonly [TreePath, TreeObject]>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const known = new Map<bigint, string | undefined>();
  for (const [path, object] of objects) {
    if (object.type !== 'file' || object.digest !== undefined) continue;
    const digest = known.get(object.inode) ?? (await digestOf(tree, path, signal));
    if (object.links > 1) known.set(object.inode, digest);
    // A file that went away meanwhile equals no other one.
    object.digest = digest ?? 'gone';
  }
}

function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(bytesOf(path), { encoding: 'latin1' });
  } catch (error) {
    if (['ENOENT', 'EINVAL', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
