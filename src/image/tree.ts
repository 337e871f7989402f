// A directory tree as the source of a system (`dir:`): measured and copied as it is, without what only a running
// system has. cp(1) copies, since it keeps everything: owners, links, holes, attributes, ACLs, times.

import { chmodSync, lchownSync, lstatSync, mkdirSync, readdirSync, rmdirSync, type Stats, unlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import { listMounts } from '../system/mounts.ts';
import { runChecked } from '../system/process.ts';
import { requireTools } from '../system/tools.ts';
import { readTime, setTime } from './exact-time.ts';
import type { Provenance } from './provenance.ts';
import { bytesOf } from './targettree.ts';

/** A root file system in a directory. It has no digest: nobody can say later what was in it. */
export interface TreeImage {
  kind: 'tree';
  /** The canonical text that names it. */
  source: string;
  digest: undefined;
  directory: string;
  /** Empty files and directories that are not of the tree, relative to it: what a container's runtime mounts something on. */
  leftOut?: readonly string[];
  /** Who vouches for it: nobody, since a tree has no digest that could be signed. */
  provenance?: Provenance;
}

/** Directories whose content belongs to the running system or to other disks (elemental leaves out the same ones). */
const LEFT_EMPTY = new Set(['dev', 'host', 'mnt', 'proc', 'run', 'sys', 'tmp']);

/** @throws HoldfastError HF-NO-SOURCE when it is no directory or an empty one. */
export function openTree(path: string): TreeImage {
  const directory = resolve(path);
  if (!lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() || readdirSync(directory).length === 0) {
    throw new HoldfastError('HF-NO-SOURCE', `${directory} is not a directory with a root file system`, {
      hint: 'dir: wants a directory that holds etc, usr and so on',
    });
  }
  return { kind: 'tree', source: `dir:${directory}`, digest: undefined, directory };
}

/**
 * Everything that {@link copyTree} would copy; a file with several names comes once.
 * @throws HoldfastError HF-INTERRUPTED
 */
export async function* walkTree({ directory }: TreeImage, signal?: AbortSignal): AsyncGenerator<Stats> {
  const { dev } = lstatSync(directory);
  const prefix = Buffer.from(directory, 'utf8').toString('latin1');
  const linked = new Set<number>();
  const pending = [''];
  let count = 0;
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    // Names are bytes, in any encoding.
    for (const name of readdirSync(bytesOf(`${prefix}${parent}`), { encoding: 'latin1' })) {
      const path = `${parent}/${name}`;
      const stats = lstatSync(bytesOf(`${prefix}${path}`), { throwIfNoEntry: false });
      if (stats === undefined || linked.has(stats.ino)) continue;
      if (stats.isDirectory()) {
        if (stats.dev === dev && !isLeftEmpty(parent, name)) pending.push(path);
      } else if (stats.nlink > 1) {
        linked.add(stats.ino);
      }
      yield stats;
      count += 1;
      // A walk without pauses would not see that it was interrupted.
      if (count % 2000 === 0) await new Promise((done) => setImmediate(done));
      if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${directory}`);
    }
  }
}

/**
 * Copies a tree into an empty directory, with every attribute. Other file systems mounted inside it stay behind.
 * @returns warnings that name them.
 * @throws HoldfastError HF-COMMAND with what cp(1) said, HF-INTERRUPTED.
 */
export async function copyTree(
  { directory, leftOut = [] }: TreeImage,
  targetDirectory: string,
  options: { signal?: AbortSignal | undefined; onProgress?: ((progress: Progress) => void) | undefined } = {},
): Promise<{ files: number; warnings: string[] }> {
  requireTools(['cp']);
  const root = lstatSync(directory);
  const names = readdirSync(directory);
  const stats = (name: string) => lstatSync(join(directory, name));
  const kept = names.filter((name) => !LEFT_EMPTY.has(name) && !isOtherDisk(stats(name), root));
  let files = 0;
  if (kept.length > 0) {
    const sources = kept.map((name) => join(directory, name));
    await runChecked(
      ['cp', '--archive', '--one-file-system', '--verbose', '--target-directory', targetDirectory, '--', ...sources],
      {
        signal: options.signal,
        env: { ...process.env, LC_ALL: 'C' },
        maxOutputBytes: 1 << 16,
        onLine: (_, stream) => {
          if (stream !== 'stdout') return;
          files += 1;
          if (files % 500 === 0) options.onProgress?.({ done: files, unit: 'files' });
        },
      },
    );
  }
  for (const path of leftOut) removeEmpty(directory, targetDirectory, path);
  for (const name of names.filter((name) => !kept.includes(name))) {
    if (stats(name).isDirectory()) mkdirSync(join(targetDirectory, name));
    else continue;
    copyFace(join(directory, name), join(targetDirectory, name));
  }
  copyFace(directory, targetDirectory);
  options.onProgress?.({ done: files, unit: 'files' });
  return {
    files,
    warnings: mountsInside(directory).map((path) => `${path} is another file system: it was left empty`),
  };
}

/** Takes an empty file or directory away again. Nothing is removed through a link, which may lead anywhere. */
function removeEmpty(directory: string, targetDirectory: string, path: string): void {
  const parents = dirname(path).split('/');
  const isInside = parents.every((_, at) =>
    lstatSync(join(targetDirectory, ...parents.slice(0, at + 1)), { throwIfNoEntry: false })?.isDirectory(),
  );
  const target = join(targetDirectory, path);
  const stats = isInside ? lstatSync(target, { throwIfNoEntry: false }) : undefined;
  if (stats?.isFile() && stats.size === 0) unlinkSync(target);
  else if (stats?.isDirectory() && readdirSync(target).length === 0) rmdirSync(target);
  else return;
  copyFace(join(directory, dirname(path)), dirname(target));
}

/** Owner, mode and time of a directory. */
function copyFace(from: string, to: string): void {
  const { uid, gid, mode } = lstatSync(from);
  lchownSync(to, uid, gid);
  chmodSync(to, mode & 0o7777);
  const time = readTime(from);
  if (time !== undefined) setTime(to, time);
}

function isLeftEmpty(parent: string, name: string): boolean {
  return parent === '' && LEFT_EMPTY.has(name);
}

/** Only a directory can be one: below a container's root each file may show the device of the layer that it comes from. */
function isOtherDisk(stats: Stats, root: Stats): boolean {
  return stats.isDirectory() && stats.dev !== root.dev;
}

/** Mount points that the copy leaves behind and that nobody would expect to be left. */
function mountsInside(directory: string): string[] {
  const prefix = directory === '/' ? '/' : `${directory}/`;
  const inside = listMounts().filter(({ mountPoint }) => mountPoint.startsWith(prefix) && mountPoint !== directory);
  const paths = inside.map(({ mountPoint }) => mountPoint);
  return [...new Set(paths)].filter((path) => !LEFT_EMPTY.has(path.slice(prefix.length).split('/')[0] ?? ''));
}
