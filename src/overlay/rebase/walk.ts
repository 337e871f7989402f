// Walks two trees of one file system side by side and keeps what may differ. A view descends from its base, so a name whose
// inode number and time of change are the same is the same object: nothing else is looked at, and no content is read.

import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { bytesOf, type TreePath } from '../../image/targettree.ts';
import { errnoOf, HoldfastError, messageOf } from '../../system/errors.ts';
import type { Progress } from '../../system/events.ts';
import { joinPath } from './tree-order.ts';

export interface Candidate {
  path: TreePath;
  before: BigIntStats | undefined;
  after: BigIntStats | undefined;
}

export interface Walked {
  candidates: Candidate[];
  /** Names of objects that have more than one, by inode number. */
  linkedBefore: Map<bigint, TreePath[]>;
  linkedAfter: Map<bigint, TreePath[]>;
  entries: number;
  warnings: string[];
}

export interface WalkOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Called for every name of the view. */
  onSeen?: ((path: TreePath, stats: BigIntStats) => void) | undefined;
  /** The trees don't descend from one another: a number and a time say nothing then, and every name may differ. */
  areUnrelated?: boolean | undefined;
  /** The second tree is an overlayfs, whose files have other device numbers than its directories. */
  isOverlayfs?: boolean | undefined;
}

/** So many names, and the program looks whether it was interrupted. */
const PAUSE_ENTRIES = 2000;

/** Where a tree begins: its directory as bytes, with a slash at the end. */
export function prefixOf(directory: string): string {
  const prefix = Buffer.from(directory, 'utf8').toString('latin1');
  return prefix.endsWith('/') ? prefix : `${prefix}/`;
}

/**
 * Compares two trees by inode number and time of change.
 * @throws HoldfastError HF-IO when a directory can't be read, HF-INTERRUPTED.
 */
export async function walkBoth(before: string, after: string, options: WalkOptions = {}): Promise<Walked> {
  const walk = new Walk(prefixOf(before), prefixOf(after), options);
  await walk.run();
  return walk.result;
}

/** Every name of one tree. */
export async function walkOne(directory: string, options: WalkOptions): Promise<{ entries: number }> {
  const walk = new Walk(undefined, prefixOf(directory), options);
  await walk.run();
  return { entries: walk.result.entries };
}

/** A directory to be read, in those of the trees that have it. */
interface Pending {
  path: TreePath;
  before: string | undefined;
  after: string | undefined;
}

class Walk {
  readonly result: Walked = {
    candidates: [],
    linkedBefore: new Map(),
    linkedAfter: new Map(),
    entries: 0,
    warnings: [],
  };
  readonly #before: string | undefined;
  readonly #after: string;
  readonly #options: WalkOptions;
  #devices: { before: bigint | undefined; after: bigint | undefined } = { before: undefined, after: undefined };

  constructor(before: string | undefined, after: string, options: WalkOptions) {
    this.#before = before;
    this.#after = after;
    this.#options = options;
  }

  async run(): Promise<void> {
    const before = this.#before === undefined ? undefined : look(this.#before, '');
    const after = look(this.#after, '');
    this.#devices = { before: before?.dev, after: after?.dev };
    const pending: Pending[] = [];
    this.#compare('', before, after, pending);
    let count = 0;
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const name of this.#namesOf(next)) {
        const child = joinPath(next.path, name);
        const one = next.before === undefined ? undefined : look(next.before, child);
        const other = next.after === undefined ? undefined : look(next.after, child, this.result.warnings);
        this.#compare(child, one, other, pending);
        count += 1;
        if (count % PAUSE_ENTRIES !== 0) continue;
        await new Promise((done) => setImmediate(done));
        if (this.#options.signal?.aborted) {
          throw new HoldfastError('HF-INTERRUPTED', 'interrupted while looking for changes');
        }
        this.#options.onProgress?.({ done: count, unit: 'files' });
      }
    }
    this.result.entries = count;
    this.#options.onProgress?.({ done: count, total: count, unit: 'files' });
  }

  #namesOf({ path, before, after }: Pending): Iterable<string> {
    const names = after === undefined ? [] : list(after, path);
    return before === undefined ? names : new Set([...list(before, path), ...names]);
  }

  #compare(path: TreePath, one: BigIntStats | undefined, other: BigIntStats | undefined, pending: Pending[]): void {
    const { linkedBefore, linkedAfter, candidates, warnings } = this.result;
    if (one === undefined && other === undefined) return;
    const isElsewhere = other !== undefined && other.dev !== this.#devices.after;
    if (isElsewhere && (other.isDirectory() || !this.#options.isOverlayfs)) {
      warnings.push(`${show(path)} is another file system: what it hides was not looked at`);
      return;
    }
    if (other !== undefined) this.#options.onSeen?.(path, other);
    if (one !== undefined) noteLinks(linkedBefore, path, one);
    if (other !== undefined) noteLinks(linkedAfter, path, other);
    // Only where it is a directory itself: a link of the same name would lead the walk somewhere else.
    const inBefore = one?.isDirectory() ? this.#before : undefined;
    const inAfter = other?.isDirectory() ? this.#after : undefined;
    if (inBefore !== undefined || inAfter !== undefined) pending.push({ path, before: inBefore, after: inAfter });
    const isSame = one !== undefined && other !== undefined && one.ino === other.ino && one.ctimeNs === other.ctimeNs;
    if ((!isSame || this.#options.areUnrelated) && this.#before !== undefined)
      candidates.push({ path, before: one, after: other });
  }
}

function noteLinks(linked: Map<bigint, TreePath[]>, path: TreePath, stats: BigIntStats): void {
  if (stats.nlink < 2n || stats.isDirectory()) return;
  const paths = linked.get(stats.ino);
  if (paths === undefined) linked.set(stats.ino, [path]);
  else paths.push(path);
}

/** Undefined where there is nothing, or where a parent is no directory. */
export function look(prefix: string, path: TreePath, warnings?: string[]): BigIntStats | undefined {
  try {
    return lstatSync(bytesOf(prefix + path), { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOTDIR') return undefined;
    if (errno === 'ENAMETOOLONG') {
      warnings?.push(`${show(path).slice(0, 200)}... lies deeper than Linux takes a path: it is left behind`);
      return undefined;
    }
    throw new HoldfastError('HF-IO', `${show(path)} can not be looked at: ${messageOf(error)}`, {
      cause: error,
      hint: 'the file system may be damaged: holdfast overlay check',
    });
  }
}

function list(prefix: string, path: TreePath): string[] {
  try {
    return readdirSync(bytesOf(prefix + path), { encoding: 'latin1' });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return [];
    throw new HoldfastError('HF-IO', `${show(path)} can not be read: ${messageOf(error)}`, {
      cause: error,
      hint: 'the file system may be damaged: holdfast overlay check',
    });
  }
}

/** A path for people and terminals: it begins with a slash, and what would move a cursor or turn text around is spelled out. */
export function show(path: TreePath): string {
  return `/${showBytes(path)}`;
}

/** The same for any bytes, such as a link's target (as latin1), or for text that a program has printed. */
export function showBytes(bytes: string, encoding: 'latin1' | 'utf8' = 'latin1'): string {
  const text = Buffer.from(bytes, encoding).toString('utf8');
  const isPlain = (char: string) => encoding === 'utf8' && char === '\t';
  return text.replace(UNSEEN, (char) =>
    isPlain(char) ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are meant
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
