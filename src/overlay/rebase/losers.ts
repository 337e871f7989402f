// What lost in the conflicts of one rebase, kept beside the overlay: never beside the winner, where a directory of fragments
// would execute it. A list in JSON has each object with its attributes, numbered files have the contents, so that a file
// system without owners and attributes keeps everything too.

import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TreePath } from '../../image/targettree.ts';
import { fsyncPath, writeFileDurably } from '../../system/durable.ts';
import { HoldfastError } from '../../system/errors.ts';
import { copyContent, type ReadOptions } from './content.ts';
import { isCount, isRecord } from './json-value.ts';
import type { ConflictKind, Decision, RebasePlan, Winner } from './model.ts';
import { jsonOfObject, objectOfJson } from './object-json.ts';
import { pathOfText, textOfPath } from './path-text.ts';
import { type TreeHandles, withHandles } from './tree-handles.ts';
import type { TreeObject } from './tree-object.ts';

/** One object that was not taken. */
export interface Loser {
  /** The number of its conflict in the report. */
  number: number;
  path: TreePath;
  kind: ConflictKind;
  /** Who won; this is what the other side had. */
  winner: Winner;
  /** Undefined: the side that lost had deleted it. */
  object: TreeObject | undefined;
  /** Of files: the name of the file with the content, in the directory of the list. */
  content?: string;
  /** The owner has looked at it. */
  isDone: boolean;
}

const LIST = 'conflicts.json';
const FORMAT = 'holdfast-conflicts-1';
const MAX_LIST_BYTES = 64 << 20;

/** The conflicts of a plan, in the order of their numbers, which begin at 1. */
export function conflictsOf({
  decisions,
}: Pick<RebasePlan, 'decisions'>): (Decision & Required<Pick<Decision, 'conflict'>>)[] {
  return decisions.flatMap((decision) => {
    const { conflict } = decision;
    return conflict === undefined ? [] : [{ ...decision, conflict }];
  });
}

/** What is kept of one rebase. */
export interface KeptConflicts {
  /** The fingerprint of the base that the winners are in a view of. */
  to: string | undefined;
  losers: Loser[];
}

/**
 * Keeps what loses. The directory is made, for root alone; nothing happens when nothing loses.
 * @throws HoldfastError HF-NO-SPACE, HF-IO, HF-INTERRUPTED.
 */
export async function saveLosers(
  plan: RebasePlan,
  directory: string,
  { signal, to }: { signal?: AbortSignal | undefined; to?: string | undefined } = {},
): Promise<number> {
  const losers: { loser: Loser; from: { tree: string; path: TreePath }; expected: TreeObject | undefined }[] = [];
  const asLeft = new Map(plan.changes.changes.map(({ path, after }) => [path, after]));
  for (const [index, decision] of conflictsOf(plan).entries()) {
    const { path, target, conflict, alsoLost = [] } = decision;
    const byUser = conflict.winner === 'user';
    const face = { number: index + 1, kind: conflict.kind, winner: conflict.winner, isDone: false };
    const tree = byUser ? plan.trees.newBase : plan.trees.oldView;
    const object = byUser ? decision.base : decision.view;
    const expected = byUser ? object : asLeft.get(path);
    losers.push({ loser: { ...face, path, object }, from: { tree, path: byUser ? target : path }, expected });
    for (const lost of alsoLost) {
      const from = { tree, path: lost.path };
      losers.push({ loser: { ...face, path: lost.path, object: lost.object }, from, expected: lost.object });
    }
  }
  if (losers.length === 0 && !existsSync(join(directory, LIST))) return 0;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // A directory may have the list of an earlier try, which holds until this one is whole.
  const old = readdirSync(directory).filter((name) => /^\d+$/.test(name));
  const first = 1 + Math.max(0, ...old.map(Number));
  const done = new Set(
    old.length > 0
      ? listConflicts(directory)
          .filter(({ isDone }) => isDone)
          .map(nameOf)
      : [],
  );
  for (const [index, { loser, from, expected }] of losers.entries()) {
    loser.isDone = done.has(nameOf(loser));
    if (loser.object?.type !== 'file') continue;
    loser.content = String(first + index);
    const kept = { isSparse: loser.object.isSparse, expected, signal };
    await withHandles(from.tree, (tree) => keepContent(tree, from.path, join(directory, loser.content ?? ''), kept));
  }
  writeConflicts(directory, { to, losers: losers.map(({ loser }) => loser) });
  for (const name of old) rmSync(join(directory, name));
  fsyncPath(directory);
  return losers.length;
}

/** The same conflict of another try. */
function nameOf({ path, kind, winner }: Loser): string {
  return `${kind} ${winner} ${path}`;
}

/**
 * Reads what was kept; empty when nothing was.
 * @throws HoldfastError HF-STATE when the list is damaged.
 */
export function listConflicts(directory: string): Loser[] {
  return readConflicts(directory).losers;
}

/** @throws as {@link listConflicts}. */
export function readConflicts(directory: string): KeptConflicts {
  const file = join(directory, LIST);
  if (!existsSync(file)) return { to: undefined, losers: [] };
  let list: unknown;
  try {
    const text = readFileSync(file);
    if (text.length <= MAX_LIST_BYTES) list = JSON.parse(text.toString('utf8'));
  } catch (error) {
    throw damaged(file, error);
  }
  if (!isRecord(list) || list['format'] !== FORMAT || !Array.isArray(list['conflicts'])) throw damaged(file);
  const losers = list['conflicts'].map((entry: unknown) => {
    const loser = loserOf(entry);
    if (loser === undefined) throw damaged(file);
    return loser;
  });
  const { to } = list;
  return { to: typeof to === 'string' && /^[0-9a-f]{64}$/.test(to) ? to : undefined, losers };
}

/** The owner has looked at these and wants no reminder; all of them when no number is given. */
export function markDone(directory: string, numbers?: ReadonlySet<number>): void {
  const kept = readConflicts(directory);
  if (kept.losers.length === 0) return;
  for (const loser of kept.losers) if (numbers === undefined || numbers.has(loser.number)) loser.isDone = true;
  writeConflicts(directory, kept);
}

/** Removes everything that was kept. */
export function forgetConflicts(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/**
 * Keeps one content, durably, for root alone.
 * @param to a name that nothing has yet.
 */
export async function keepContent(
  tree: TreeHandles,
  path: TreePath,
  to: string,
  options: ReadOptions & { isSparse: boolean },
): Promise<void> {
  rmSync(to, { force: true });
  const fd = openSync(to, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    await copyContent(tree, path, fd, { ...options, keepHoles: options.isSparse });
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces the list as a whole. */
export function writeConflicts(directory: string, { to, losers }: KeptConflicts): void {
  const conflicts = losers.map(({ path, object, ...rest }) => ({
    ...textOfPath(path),
    ...rest,
    object: object === undefined ? null : jsonOfObject(object),
  }));
  const text = `${JSON.stringify({ format: FORMAT, ...(to !== undefined && { to }), conflicts }, undefined, 1)}\n`;
  writeFileDurably(join(directory, LIST), text, { mode: 0o600 });
}

const KINDS: ReadonlySet<unknown> = new Set<ConflictKind>([
  'both-changed',
  'modify/delete',
  'delete/modify',
  'add/add',
  'type',
  'delete/grow',
]);

function loserOf(entry: unknown): Loser | undefined {
  if (!isRecord(entry)) return undefined;
  const { number, kind, winner, content, isDone, object } = entry;
  const path = pathOfText(entry);
  if (path === undefined || !isCount(number) || !isKind(kind) || typeof isDone !== 'boolean') return undefined;
  if (winner !== 'user' && winner !== 'new') return undefined;
  const kept = object === null ? undefined : objectOfJson(object);
  if (object !== null && kept === undefined) return undefined;
  if (content !== undefined && (typeof content !== 'string' || !/^\d{1,9}$/.test(content))) return undefined;
  return { number, path, kind, winner, object: kept, isDone, ...(content !== undefined && { content }) };
}

function isKind(value: unknown): value is ConflictKind {
  return KINDS.has(value);
}

function damaged(file: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF-STATE', `${file} is damaged: it does not say what was kept`, {
    cause,
    hint: 'the numbered files beside it are the contents that were kept',
  });
}
