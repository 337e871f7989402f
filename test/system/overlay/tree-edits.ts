// Things that people, editors and package scripts do to a tree, chosen by numbers: whatever numbers come, something sensible
// happens to what is there at that moment, so that any list of them can be tried and made smaller.

import {
  chmodSync,
  closeSync,
  copyFileSync,
  fchmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import fc from 'fast-check';
import { comparePaths, parentsOf } from '../../../src/overlay/rebase/tree-order.ts';
import { errnoOf } from '../../../src/system/errors.ts';

const KINDS = [
  'edit',
  'rewrite',
  'chmod',
  'chown',
  'remove',
  'remove',
  'add-file',
  'add-file',
  'add-directory',
  'add-link',
  'rename',
  'hard-link',
  'join',
  'split',
  'file-to-directory',
  'directory-to-file',
] as const;

export interface Edit {
  kind: (typeof KINDS)[number];
  /** Which of the paths that are there, and another one. */
  at: number;
  to: number;
  /** What is written, or which mode or owner. */
  value: number;
}

export const edits = (maxLength: number) =>
  fc.array(
    fc.record<Edit>({
      kind: fc.constantFrom(...KINDS),
      at: fc.nat(1000),
      to: fc.nat(1000),
      value: fc.nat(7),
    }),
    { maxLength },
  );

const NAMES = ['a', 'b', 'c', '\xff'];
const MODES = [0o600, 0o644, 0o750, 0o4755, 0o1777, 0o444, 0o711, 0o2770];

/** A text of six lines, one of them another one. */
export function contentFor(value: number): string {
  return ['one', 'two', 'three', 'four', 'five', 'six']
    .map((line, index) => (index === value ? `${line} edited` : line))
    .join('\n')
    .concat('\n');
}

/** Makes one edit; nothing happens where it makes no sense. */
export function applyEdit(directory: string, { kind, at, to, value }: Edit): void {
  const paths = listTree(directory).filter((path) => path.includes('/'));
  const path = paths[at % paths.length];
  if (path === undefined) return;
  const here = bytes(directory, path);
  const stats = lstatSync(here);
  const parents = listTree(directory).filter((one) => lstatSync(bytes(directory, one)).isDirectory());
  const parent = parents[to % parents.length] ?? 'etc';
  const fresh = `${parent}/${NAMES[value % NAMES.length]}${to % 3 === 0 ? 'x' : ''}`;
  const isFree = lstatSync(bytes(directory, fresh), { throwIfNoEntry: false }) === undefined;
  const there = bytes(directory, fresh);
  switch (kind) {
    case 'edit':
      if (stats.isFile()) writeFileSync(here, contentFor(value));
      return;
    case 'rewrite':
      if (!stats.isFile()) return;
      writeFileSync(bytes(directory, '.new'), contentFor(value), { mode: stats.mode & 0o7777 });
      renameSync(bytes(directory, '.new'), here);
      return;
    case 'chmod':
      if (!stats.isSymbolicLink()) chmodSync(here, MODES[value] ?? 0o644);
      return;
    case 'chown':
      lchownSync(here, value, 7 - value);
      return;
    case 'remove':
      rmSync(here, { recursive: true });
      return;
    case 'add-file':
      if (isFree) writeFileSync(there, `${contentFor(value)}added ${at % 3}\n`);
      return;
    case 'add-directory':
      if (isFree) mkdirSync(there);
      return;
    case 'add-link':
      if (isFree) symlinkSync(['a', '../etc', '/', 'nowhere'][value % 4] ?? 'a', there);
      return;
    case 'rename':
      if (isFree && !`${fresh}/`.startsWith(`${path}/`)) renameSync(here, there);
      return;
    case 'hard-link':
      if (isFree && stats.isFile()) linkSync(here, there);
      return;
    case 'join': {
      const files = paths.filter((one) => lstatSync(bytes(directory, one)).isFile());
      const other = files[to % files.length];
      if (!stats.isFile() || other === undefined || lstatSync(bytes(directory, other)).ino === stats.ino) return;
      rmSync(bytes(directory, other));
      linkSync(here, bytes(directory, other));
      return;
    }
    case 'split':
      if (!stats.isFile()) return;
      copyFileSync(here, bytes(directory, '.new'));
      lchownSync(bytes(directory, '.new'), stats.uid, stats.gid);
      chmodSync(bytes(directory, '.new'), stats.mode & 0o7777);
      renameSync(bytes(directory, '.new'), here);
      return;
    case 'file-to-directory':
      if (stats.isDirectory()) return;
      rmSync(here);
      mkdirSync(here);
      writeFileSync(bytes(directory, `${path}/in`), contentFor(value));
      return;
    case 'directory-to-file':
      if (!stats.isDirectory()) return;
      rmSync(here, { recursive: true });
      writeFileSync(here, contentFor(value));
      return;
  }
}

/** Makes what the edits begin with. */
export function plantTree(directory: string, tops: readonly string[]): void {
  for (const top of tops) {
    for (const path of [top, `${top}/a`, `${top}/a/b`, `${top}/b`]) mkdirSync(bytes(directory, path));
    for (const path of ['a/a', 'a/c', 'a/b/a', 'a/b/\xff', 'b/a', 'c']) {
      const fd = openSync(bytes(directory, `${top}/${path}`), 'wx');
      writeFileSync(fd, contentFor(-1));
      fchmodSync(fd, 0o644);
      closeSync(fd);
    }
    linkSync(bytes(directory, `${top}/a/a`), bytes(directory, `${top}/b/linked`));
    symlinkSync('a', bytes(directory, `${top}/link`));
  }
}

/** All paths, bytes as latin1, in order. */
export function listTree(directory: string): string[] {
  const paths: string[] = [];
  const pending = [''];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    for (const name of readdirSync(bytes(directory, parent), { encoding: 'latin1' })) {
      const path = parent === '' ? name : `${parent}/${name}`;
      if (path === 'lost+found') continue;
      paths.push(path);
      if (lstatSync(bytes(directory, path)).isDirectory()) pending.push(path);
    }
  }
  return paths.sort(comparePaths);
}

/** What is at a path, as short text, but for times. */
export function faceOf(directory: string, path: string): string | undefined {
  // Nothing is behind a link, wherever it leads.
  const parents = parentsOf(path).map((parent) => lookAt(bytes(directory, parent)));
  if (parents.some((parent) => !parent?.isDirectory())) return undefined;
  const at = bytes(directory, path);
  const stats = lookAt(at);
  if (stats === undefined) return undefined;
  const type = stats.isDirectory() ? 'd' : stats.isSymbolicLink() ? 'l' : 'f';
  const face = `${type} ${type === 'l' ? '' : (stats.mode & 0o7777).toString(8)} ${stats.uid}:${stats.gid}`;
  return type === 'f' ? `${face} ${readFileSync(at, 'latin1')}` : face;
}

function bytes(directory: string, path: string): Buffer {
  return Buffer.from(`${directory}/${path}`, 'latin1');
}

function lookAt(path: Buffer) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A parent is a file here.
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
