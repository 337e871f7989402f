// The directory that keeps a bind mounted path: a copy of the image's at first, later what the owner made of it plus what
// new images bring. A copy is complete or not there, since half of a first copy would look like the owner's will at the
// next boot: everything is copied aside, flushed, and renamed into place.

import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsyncPath, writeFileDurably } from '../system/durable.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { syncFilesystem } from '../system/filesystems.ts';
import { runChecked } from '../system/process.ts';

/** What a kept directory was offered so far, and by which image last. */
interface Offered {
  image: string;
  /** Relative paths. What is among them and missing now was removed by the owner. */
  paths: Set<string>;
}

/** Names of one directory for one cp: well below the kernel's limit for arguments. */
const NAMES_FOR_ONE_COPY = 200;

/**
 * Brings a kept directory up to date with the image: missing files are added unless they were offered before, files that
 * are newer in the image replace their like. What the owner changed is newer, and what has another type is his.
 * @param image the directory of the image; not changed.
 * @param identity of the booted image: nothing is done when it is the one that offered last. Undefined: unknown.
 * @returns how many files and trees were copied; the whole directory counts as one.
 * @throws HoldfastError HF-MOUNT when `kept` is something else than a directory, HF-COMMAND when cp fails.
 */
export async function fillKeptDirectory(image: string, kept: string, identity: string | undefined): Promise<number> {
  const aside = `${kept}.partial`;
  const list = `${kept}.offered`;
  mkdirSync(dirname(kept), { recursive: true });
  // Nobody but this program ever worked in it.
  rmSync(aside, { recursive: true, force: true });
  const there = statOf(kept);
  if (there === undefined) {
    await copy(['--no-target-directory', image, aside]);
    await syncFilesystem(aside);
    writeOffered(list, { image: identity ?? '', paths: new Set(pathsBelow(image)) });
    renameSync(aside, kept);
    fsyncPath(dirname(kept));
    return 1;
  }
  if (!there.isDirectory()) {
    throw new HoldfastError('HF-MOUNT', `${kept} is ${there.isSymbolicLink() ? 'a link' : 'a file'}, not a directory`);
  }
  const offered = readOffered(list);
  if (identity !== undefined && offered?.image === identity) return 0;
  const known = offered?.paths ?? new Set<string>();
  const wanted = compare(image, kept, known);
  await addTo(image, kept, aside, wanted);
  // A path that was offered once stays on the list: an older image must not bring back what the owner removed.
  writeOffered(list, { image: identity ?? '', paths: new Set([...known, ...pathsBelow(image)]) });
  return [...wanted.values()].reduce((sum, names) => sum + names.length, 0);
}

/** Makes copies beside the directory, flushes them, and renames each to its place. */
async function addTo(image: string, kept: string, aside: string, wanted: ReadonlyMap<string, string[]>): Promise<void> {
  if (wanted.size === 0) return;
  const staged: { from: string; to: string }[] = [];
  for (const [directory, names] of wanted) {
    for (let at = 0; at < names.length; at += NAMES_FOR_ONE_COPY) {
      const some = names.slice(at, at + NAMES_FOR_ONE_COPY);
      const into = join(aside, String(staged.length));
      mkdirSync(into, { recursive: true });
      await copy(['--target-directory', into, '--', ...some.map((name) => join(image, directory, name))]);
      for (const name of some) staged.push({ from: join(into, name), to: join(kept, directory, name) });
    }
  }
  await syncFilesystem(aside);
  for (const { from, to } of staged) renameSync(from, to);
  rmSync(aside, { recursive: true, force: true });
}

/** What is to be copied: names by the directory that they are in. Goes only where both sides have a real directory. */
function compare(image: string, kept: string, offered: ReadonlySet<string>): Map<string, string[]> {
  const wanted = new Map<string, string[]>();
  const visit = (directory: string) => {
    for (const name of readdirSync(join(image, directory))) {
      const path = join(directory, name);
      const theirs = statOf(join(image, path));
      const ours = statOf(join(kept, path));
      if (theirs === undefined) continue;
      if (ours?.isDirectory() && theirs.isDirectory()) visit(path);
      else if (ours === undefined ? !offered.has(path) : isNewer(theirs, ours)) {
        const names = wanted.get(directory);
        if (names === undefined) wanted.set(directory, [name]);
        else names.push(name);
      }
    }
  };
  visit('');
  return wanted;
}

function isNewer(theirs: Stats, ours: Stats): boolean {
  const alike = (theirs.isFile() && ours.isFile()) || (theirs.isSymbolicLink() && ours.isSymbolicLink());
  return alike && theirs.mtimeMs > ours.mtimeMs;
}

/** Owner, mode, times, links, ACLs and other extended attributes come along; another file system that is mounted inside
 * doesn't. */
async function copy(what: readonly string[]): Promise<void> {
  await runChecked(['cp', '--archive', '--one-file-system', ...what]);
}

function* pathsBelow(top: string, directory = ''): Generator<string> {
  for (const entry of readdirSync(join(top, directory), { withFileTypes: true })) {
    const path = join(directory, entry.name);
    yield path;
    if (entry.isDirectory()) yield* pathsBelow(top, path);
  }
}

const OFFERED_HEADER = 'holdfast offered 1';

/** A list that is missing or damaged is none: then what is missing is copied, as cOS does. */
function readOffered(path: string): Offered | undefined {
  try {
    if (statOf(path)?.isFile() !== true) return undefined;
    const [header, image, ...paths] = readFileSync(path, 'utf8').split('\0');
    return header === OFFERED_HEADER && image !== undefined ? { image, paths: new Set(paths) } : undefined;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

function writeOffered(path: string, { image, paths }: Offered): void {
  // Whoever put a link there doesn't get its target overwritten: the rename replaces the link.
  if (statOf(path)?.isSymbolicLink()) rmSync(path);
  writeFileDurably(path, [OFFERED_HEADER, image, ...paths].join('\0'), { mode: 0o600 });
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
