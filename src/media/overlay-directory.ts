// A directory whose content is laid over a tree that becomes part of a medium. The tree comes from an image: its links are
// followed inside it only, and what stands in the way is replaced, never written through.

import { lstatSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import { runChecked } from '../system/process.ts';
import type { Root } from '../system/root.ts';

const AT_ONCE = 500;

/**
 * Checks such a directory.
 * @returns its absolute path.
 * @throws HoldfastError HF-NO-SOURCE when it isn't one.
 */
export function overlayDirectory(path: string, flag: string): string {
  const directory = resolve(path);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new HoldfastError('HF-NO-SOURCE', `${flag} ${path}: there is no such directory`);
  }
  return directory;
}

/**
 * Copies what is in a directory into a tree, with owners, modes, times and extended attributes. Files replace files and
 * links; directories join.
 * @throws HoldfastError HF-TARGET when a directory and something else have the same name, HF-COMMAND with cp's words.
 */
export async function layOver(overlay: string, tree: Root, options: { signal?: AbortSignal } = {}): Promise<void> {
  await layDirectory(overlay, '/', tree, options);
}

async function layDirectory(
  from: string,
  inside: string,
  tree: Root,
  options: { signal?: AbortSignal },
): Promise<void> {
  const files: string[] = [];
  for (const name of readdirSync(from).sort()) {
    const source = join(from, name);
    const path = join(inside, name);
    if (!lstatSync(source).isDirectory()) {
      if (tree.lstat(path)?.isDirectory()) throw clash(source, path);
      files.push(name);
      continue;
    }
    // Through links of the tree, as `lib` is one to `usr/lib`.
    const there = tree.stat(path);
    if (there !== undefined && !there.isDirectory()) throw clash(source, path);
    if (there === undefined) {
      if (tree.lstat(path) !== undefined) throw clash(source, path);
      await copy([name], from, tree.resolve(inside), options);
      continue;
    }
    await layDirectory(source, path, tree, options);
  }
  if (files.length > 0) await copy(files, from, tree.resolve(inside), options);
}

async function copy(
  names: readonly string[],
  from: string,
  to: string,
  { signal }: { signal?: AbortSignal },
): Promise<void> {
  // A link that is there must not be written through: it may lead out of the tree.
  for (const name of names) rmSync(join(to, name), { force: true });
  // A command line has room for so many.
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const sources = names.slice(at, at + AT_ONCE).map((name) => join(from, name));
    await runChecked(['cp', '--archive', '--no-dereference', '--target-directory', to, '--', ...sources], {
      ...(signal && { signal }),
      env: { ...process.env, LC_ALL: 'C' },
    });
  }
}

function clash(source: string, path: string): HoldfastError {
  return new HoldfastError('HF-TARGET', `${source} can’t be laid over the image’s ${path}: only one is a directory`);
}
