// What two forms of a text have different, as the hunks of a unified diff, for people. What only root may read, and what looks
// like a secret, is never shown: diffs end up in terminals, pages and reports.

import { equalLines, linesOf } from '../overlay/merge/lines.ts';
import { isSecretPath } from '../system/secret-paths.ts';
import { maskSecrets } from '../system/secrets.ts';
import type { TreeObject, TreePath } from './compare-trees.ts';
import { pathTextOf } from './path-name.ts';

/** Lines, each beginning with ` `, `+`, `-` or `@@`; or why none are shown, as a part of a sentence. */
export type ContentDiff = { lines: readonly string[] } | { hidden: string };

export interface DiffOptions {
  /** Equal lines around each change; default 3. */
  context?: number;
  /** Default 400. */
  maxLines?: number;
}

/** Larger files are no texts that people read. */
export const MAX_DIFF_BYTES = 1 << 20;
const MAX_LINE_LENGTH = 500;

/**
 * Why the content of a path must not be shown; undefined when it may be.
 * @param objects its forms, as far as there are any.
 */
export function whyHidden(path: TreePath, objects: readonly (TreeObject | undefined)[]): string | undefined {
  if (isSecretPath(pathTextOf(path))) return 'it holds secrets';
  const files = objects.filter((object) => object !== undefined && object.type === 'file');
  if (files.some((object) => object !== undefined && (object.mode & 0o004) === 0)) return 'not everybody may read it';
  if (files.some((object) => object !== undefined && object.sizeBytes > MAX_DIFF_BYTES)) return 'it is too large';
  return undefined;
}

/**
 * The difference of two texts; secrets in them are masked. Pure.
 * @param before the bytes; none for a text that isn't there.
 */
export function unifiedDiff(before: Uint8Array, after: Uint8Array, options: DiffOptions = {}): ContentDiff {
  const { context = 3, maxLines = 400 } = options;
  if (before.length > MAX_DIFF_BYTES || after.length > MAX_DIFF_BYTES) return { hidden: 'it is too large' };
  if (before.includes(0) || after.includes(0)) return { hidden: 'it is no text' };
  // Masked as a whole: a key has many lines.
  const [was, is] = [before, after].map((bytes) =>
    linesOf(Buffer.from(maskSecrets(Buffer.from(bytes).toString('latin1')), 'latin1')),
  );
  if (was === undefined || is === undefined) return { lines: [] };
  const runs = equalLines(was, is);
  if (runs === undefined) return { hidden: `almost all of its ${is.length} lines are other ones` };
  const edits = editsBetween(runs, was.length, is.length);
  if (edits.length === 0)
    return before.length === 0 && after.length === 0 ? { lines: [] } : { hidden: 'only secrets in it are different' };
  const lines = groups(edits, context).flatMap((group) => hunkOf(group, was, is, context));
  if (lines.length <= maxLines) return { lines };
  return { lines: [...lines.slice(0, maxLines - 1), `… ${lines.length - maxLines + 1} more lines`] };
}

/** Lines that are replaced: `[from, to)` in either text. */
interface Edit {
  before: readonly [number, number];
  after: readonly [number, number];
}

function editsBetween(
  runs: readonly { before: number; after: number; count: number }[],
  beforeEnd: number,
  afterEnd: number,
): Edit[] {
  const edits: Edit[] = [];
  let [x, y] = [0, 0];
  for (const run of [...runs, { before: beforeEnd, after: afterEnd, count: 0 }]) {
    if (run.before > x || run.after > y) edits.push({ before: [x, run.before], after: [y, run.after] });
    [x, y] = [run.before + run.count, run.after + run.count];
  }
  return edits;
}

/** Edits whose context would touch are one hunk. */
function groups(edits: readonly Edit[], context: number): Edit[][] {
  const result: Edit[][] = [];
  for (const edit of edits) {
    const last = result.at(-1);
    const end = last?.at(-1)?.before[1];
    if (last !== undefined && end !== undefined && edit.before[0] - end <= 2 * context) last.push(edit);
    else result.push([edit]);
  }
  return result;
}

function hunkOf(edits: readonly Edit[], was: readonly string[], is: readonly string[], context: number): string[] {
  const [first, last] = [edits[0], edits.at(-1)];
  if (first === undefined || last === undefined) return [];
  const lead = Math.min(context, first.before[0], first.after[0]);
  const start = { before: first.before[0] - lead, after: first.after[0] - lead };
  const tail = Math.min(context, was.length - last.before[1]);
  const lines: string[] = [];
  let at = start.before;
  for (const { before, after } of edits) {
    lines.push(...was.slice(at, before[0]).map((line) => shown(' ', line)));
    lines.push(
      ...was.slice(...before).map((line) => shown('-', line)),
      ...is.slice(...after).map((line) => shown('+', line)),
    );
    at = before[1];
  }
  lines.push(...was.slice(at, at + tail).map((line) => shown(' ', line)));
  const counts = { before: last.before[1] + tail - start.before, after: last.after[1] + tail - start.after };
  const range = (from: number, count: number) => `${count === 0 ? from : from + 1}${count === 1 ? '' : `,${count}`}`;
  return [`@@ -${range(start.before, counts.before)} +${range(start.after, counts.after)} @@`, ...lines];
}

/** A line as text, without its line break; one that ends without a break says so. */
function shown(mark: ' ' | '+' | '-', line: string): string {
  const text = Buffer.from(line, 'latin1')
    .toString('utf8')
    .replace(/\r?\n$/, '');
  const cut = text.length > MAX_LINE_LENGTH ? `${text.slice(0, MAX_LINE_LENGTH)}…` : text;
  return `${mark}${cut}${line.endsWith('\n') ? '' : ' (no line break at the end)'}`;
}
