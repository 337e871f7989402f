// Turns a decided conflict around after the fact: what lost takes its place in the system, and what was there is kept instead,
// so that it can be turned again. The replay does it, with what was kept as its source.

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, type TreePath } from '../../image/targettree.ts';
import { HoldfastError } from '../../system/errors.ts';
import { syncFilesystem } from '../../system/filesystems.ts';
import { keepContent, type Loser, readConflicts, writeConflicts } from './losers.ts';
import type { Decision, RebasePlan, Wish } from './model.ts';
import { readObjects } from './read-object.ts';
import { replay } from './replay.ts';
import { withHandles } from './tree-handles.ts';
import type { TreeObject } from './tree-object.ts';
import { parentsOf } from './tree-order.ts';
import { look, prefixOf, show } from './walk.ts';

export interface TakeOptions {
  /** The system that it is put into: `/`, or where a view is mounted. */
  root: string;
  signal?: AbortSignal | undefined;
  warn: (text: string) => void;
}

/**
 * @param directory where the conflicts of a rebase are kept.
 * @param number of the conflict, as the report has it.
 * @returns the paths that are others now.
 * @throws HoldfastError HF-USAGE when there is no such conflict, HF-STATE when what was kept has no place any more.
 */
export async function takeConflict(directory: string, number: number, options: TakeOptions): Promise<TreePath[]> {
  const { to, losers: all } = readConflicts(directory);
  const losers = all.filter((loser) => loser.number === number);
  if (losers.length === 0) {
    throw new HoldfastError('HF-USAGE', `there is no conflict ${number} in ${directory}`, {
      hint: 'to see all: holdfast overlay conflicts',
    });
  }
  const { root, signal } = options;
  const now = await readObjects(root, placesOf(losers, root));
  for (const loser of losers) checkRoom(loser, now.get(loser.path), root);
  const used = new Set(all.map(({ content }) => content));
  const swapped = new Map<Loser, Loser>();
  for (const loser of losers) {
    const object = now.get(loser.path);
    const { content: _, ...rest } = loser;
    const turned: Loser = { ...rest, object, winner: loser.winner === 'user' ? 'new' : 'user', isDone: true };
    if (object?.type === 'file') {
      turned.content = freeName(used);
      const kept = { isSparse: object.isSparse, expected: object, signal };
      const to = join(directory, turned.content);
      await withHandles(root, (tree) => keepContent(tree, loser.path, to, kept));
    }
    swapped.set(loser, turned);
  }
  await replay(planOf(losers, directory, root), { target: root, signal, warn: options.warn });
  // What was kept may go only when it is on the other disk.
  await syncFilesystem(root);
  writeConflicts(directory, { to, losers: all.map((loser) => swapped.get(loser) ?? loser) });
  for (const { content } of losers) if (content !== undefined) rmSync(join(directory, content), { force: true });
  return losers.map(({ path }) => path);
}

/** Where everything goes; below links nothing goes anywhere. */
function placesOf(losers: readonly Loser[], root: string): TreePath[] {
  const prefix = prefixOf(root);
  const { dev } = look(prefix, '') ?? {};
  const coming = new Set(losers.filter(({ object }) => object?.type === 'directory').map(({ path }) => path));
  return losers.flatMap(({ path }) => {
    for (const parent of parentsOf(path)) {
      const stats = look(prefix, parent);
      if (stats?.isDirectory() && stats.dev === dev) continue;
      if (coming.has(parent)) return [];
      throw new HoldfastError('HF-STATE', `${show(path)} has no place: ${show(parent)} is no directory of the system`, {
        hint: 'make the directory, or take what was kept by hand: holdfast overlay conflicts show',
      });
    }
    return [path];
  });
}

/** Whole directories are not removed for a file that was kept. */
function checkRoom({ path, object }: Loser, now: TreeObject | undefined, root: string): void {
  if (now?.type !== 'directory' || object?.type === 'directory') return;
  if (readdirSync(bytesOf(prefixOf(root) + path)).length === 0) return;
  throw new HoldfastError('HF-STATE', `${show(path)} is a directory with files in it`, {
    hint: 'move it away first',
  });
}

function freeName(used: Set<string | undefined>): string {
  let number = 1;
  while (used.has(String(number))) number += 1;
  used.add(String(number));
  return String(number);
}

function planOf(losers: readonly Loser[], directory: string, root: string): RebasePlan {
  const decisions = losers.map(({ path, object, content = '' }): Decision => {
    const wish: Wish =
      object === undefined ? { want: 'absent' } : { want: 'object', object, content: { from: 'view', path: content } };
    const sides = { before: undefined, view: object, base: undefined };
    return {
      path,
      target: path,
      class: 'configuration',
      outcome: 'conflict',
      reason: '',
      rule: '--take',
      wish,
      ...sides,
    };
  });
  const nothing = {
    changes: [],
    linked: [],
    entries: 0,
    changedBytes: 0,
    addedEntries: 0,
    seen: new Map(),
    warnings: [],
  };
  return {
    trees: { oldBase: directory, oldView: directory, newBase: root },
    changes: nothing,
    decisions,
    implied: [],
    accountConflicts: [],
    owners: { uids: new Map(), gids: new Map() },
    regenerate: [],
    warnings: [],
  };
}
