// A directory tree as data: what each path is, with mode, owner and content, and what differs between two moments. Trees
// in test cases are written short; both sides are brought into one form for comparing.

import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';

const mode = z.string().regex(/^0[0-7]{3,4}$/);
const owner = z.string().regex(/^\d+:\d+$/);

/** A path as cases write it: a text alone is a file of root with mode 0644, null is a path that isn't there. */
export const written = z.union([
  z.string(),
  z.null(),
  z.strictObject({ content: z.string(), mode: mode.optional(), owner: owner.optional() }),
  z.strictObject({ matches: z.string(), mode: mode.optional(), owner: owner.optional() }),
  z.strictObject({ base64: z.string(), mode: mode.optional(), owner: owner.optional() }),
  z.strictObject({ dir: mode, owner: owner.optional() }),
  z.strictObject({ link: z.string() }),
]);
export type Written = z.infer<typeof written>;

export type Entry =
  | { type: 'file'; mode: string; owner: string; content: string }
  | { type: 'dir'; mode: string; owner: string }
  | { type: 'link'; target: string }
  | { type: 'gone' };

/** What is below a directory, by path from there, without the subdirectories in `except`. */
export function readTree(directory: string, except: readonly string[] = []): Map<string, Entry> {
  const tree = new Map<string, Entry>();
  const visit = (path: string) => {
    for (const name of readdirSync(join(directory, path)).sort()) {
      const here = `${path}/${name}`;
      if (except.includes(here)) continue;
      const entry = readEntry(join(directory, here));
      tree.set(here, entry);
      if (entry.type === 'dir') visit(here);
    }
  };
  visit('');
  return tree;
}

function readEntry(path: string): Entry {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return { type: 'link', target: readlinkSync(path) };
  const own = { mode: `0${(stats.mode & 0o7777).toString(8).padStart(3, '0')}`, owner: `${stats.uid}:${stats.gid}` };
  if (stats.isDirectory()) return { type: 'dir', ...own };
  return { type: 'file', ...own, content: readFileSync(path, 'latin1') };
}

/** Paths that are new, different or gone. */
export function differences(before: ReadonlyMap<string, Entry>, after: ReadonlyMap<string, Entry>) {
  const changed: Record<string, Entry> = {};
  for (const [path, entry] of after) {
    if (JSON.stringify(before.get(path)) !== JSON.stringify(entry)) changed[path] = entry;
  }
  for (const path of before.keys()) if (!after.has(path)) changed[path] = { type: 'gone' };
  return changed;
}

/** A written entry in the form that is compared. */
export function expectedEntry(short: Written): unknown {
  if (short === null) return { type: 'gone' };
  if (typeof short === 'string') return { type: 'file', mode: '0644', owner: '0:0', content: latin1(short) };
  if ('link' in short) return { type: 'link', target: short.link };
  if ('dir' in short) return { type: 'dir', mode: short.dir, owner: short.owner ?? '0:0' };
  const content =
    'content' in short
      ? latin1(short.content)
      : 'base64' in short
        ? Buffer.from(short.base64, 'base64').toString('latin1')
        : expect.stringMatching(new RegExp(short.matches));
  return { type: 'file', mode: short.mode ?? '0644', owner: short.owner ?? '0:0', content };
}

/** Puts a written entry into a tree; missing parents are plain directories of root. */
export function plant(directory: string, path: string, short: Written): void {
  const target = join(directory, path);
  rmSync(target, { recursive: true, force: true });
  if (short === null) return;
  mkdirSync(dirname(target), { recursive: true });
  if (typeof short === 'string') {
    writeFileSync(target, short);
    return;
  }
  if ('link' in short) {
    symlinkSync(short.link, target);
    return;
  }
  if ('dir' in short) mkdirSync(target);
  else if ('content' in short) writeFileSync(target, short.content);
  else if ('base64' in short) writeFileSync(target, Buffer.from(short.base64, 'base64'));
  else throw new Error(`${path}: a pattern can't be planted`);
  const [uid = 0, gid = 0] = (short.owner ?? '0:0').split(':').map(Number);
  chownSync(target, uid, gid);
  chmodSync(target, Number.parseInt('dir' in short ? short.dir : (short.mode ?? '0644'), 8));
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
