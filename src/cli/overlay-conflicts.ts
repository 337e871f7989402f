// `holdfast overlay conflicts`: what lost when an overlay was carried to another system. It is listed, shown beside what is
// there now, put in its place, or removed when its owner has looked at it.

import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import { LOCK_FILE } from '../lifecycle/session.ts';
import { conflictsDirectory } from '../overlay/names.ts';
import { forgetConflicts, type KeptConflicts, type Loser, markDone, readConflicts } from '../overlay/rebase/losers.ts';
import { takeConflict } from '../overlay/rebase/take-conflict.ts';
import { nameInRoot } from '../overlay/rebase/tree-handles.ts';
import { showBytes, show as showPath } from '../overlay/rebase/walk.ts';
import { openSet } from '../overlay/set-place.ts';
import { HoldfastError } from '../system/errors.ts';
import { lockUntilEnd } from '../system/lock.ts';
import { run } from '../system/process.ts';
import type { CommandContext } from './program.ts';

const VERBS = ['list', 'show', 'take', 'done'] as const;
type Verb = (typeof VERBS)[number];

interface ConflictsFlags {
  set?: string;
  of?: string;
  dryRun?: boolean;
}

/** The losers of one carrying. */
interface Carrying extends KeptConflicts {
  id: string;
  directory: string;
}

/** What is compared for a person to read: not more of it than anybody reads. */
const MAX_DIFF_BYTES = 1 << 20;
const DIFF_TIMEOUT_MS = 20_000;

export async function overlayConflictsCommand(
  context: CommandContext,
  [word = 'list', ...numbers]: string[],
  flags: ConflictsFlags,
): Promise<number> {
  const verb = verbOf(word);
  const set = await setOf(context, flags, verb === 'done');
  const carryings = carryingsOf(set, flags.of);
  const chosen = numbers.map(numberOf);
  if (verb === 'list') return list(context, carryings);
  const latest = carryings.at(-1);
  if (latest === undefined)
    throw new HoldfastError('HF-USAGE', 'there are no conflicts', { hint: `none below ${conflictsDirectory(set)}` });
  if (verb === 'done') return done(context, latest, chosen, flags);
  if (chosen.length === 0) {
    throw new HoldfastError('HF-USAGE', `which conflict? ${verb} takes its number`, {
      hint: 'holdfast overlay conflicts',
    });
  }
  for (const number of chosen) requireConflict(latest, number);
  if (verb === 'show') return show(context, latest, chosen);
  requireRunning(set, latest);
  await lockUntilEnd(context.undo, LOCK_FILE, 'overlay conflicts take');
  return take(context, latest, chosen, flags);
}

function verbOf(word: string): Verb {
  const verb = VERBS.find((each) => each === word);
  if (verb !== undefined) return verb;
  throw new HoldfastError('HF-USAGE', `${JSON.stringify(word)} is none of ${VERBS.join(', ')}`, {
    hint: 'holdfast overlay conflicts show 1',
  });
}

function numberOf(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new HoldfastError('HF-USAGE', `${JSON.stringify(text)} is no number of a conflict`, {
    hint: 'holdfast overlay conflicts shows them',
  });
}

async function setOf({ undo }: CommandContext, { set }: ConflictsFlags, write: boolean): Promise<string> {
  if (set !== undefined) return (await openSet(undo, set, { write })).set;
  const { used, backing, path } = readAttachedOverlay() ?? {};
  if (used && backing !== undefined && path !== undefined) return join(backing, path);
  throw new HoldfastError('HF-STATE', 'this system does not run from an overlay', {
    hint: 'name one: --set DEVICE:/PATH',
  });
}

/** What lost goes into the system that it lost in, and that must be the one that runs and keeps what is written. */
function requireRunning(set: string, { id, to }: Carrying): void {
  const attached = readAttachedOverlay();
  const refuse = (why: string, hint: string) =>
    new HoldfastError('HF-STATE', `${id} can not be taken: ${why}`, { hint });
  const isThis =
    attached?.used && attached.backing !== undefined && join(attached.backing, attached.path ?? '') === set;
  if (!isThis)
    throw refuse('this system does not run from that overlay', 'boot with it first; "show" works from anywhere');
  if (attached.readonly) throw refuse('nothing that is written now stays', 'boot without rd.live.overlay.readonly');
  if (to !== attached.fp) {
    throw refuse('another system runs than the one that it was carried to', 'boot that one first: holdfast status');
  }
}

/** The latest one last. */
function carryingsOf(set: string, only: string | undefined): Carrying[] {
  const directory = conflictsDirectory(set);
  const ids = existsSync(directory) ? readdirSync(directory).sort() : [];
  const carryings = ids
    .filter((id) => /^\w[\w-]*$/.test(id) && lstatSync(join(directory, id)).isDirectory() && (only ?? id) === id)
    .map((id) => ({ id, directory: join(directory, id), ...readConflicts(join(directory, id)) }));
  if (only === undefined || carryings.length > 0) return carryings;
  throw new HoldfastError('HF-USAGE', `there are no conflicts of ${only}`, {
    hint: `there is ${ids.join(', ') || 'none'}`,
  });
}

function list({ reporter }: CommandContext, carryings: readonly Carrying[]): number {
  const lines = carryings.flatMap(({ id, losers }, index) => [
    `${id}${index === carryings.length - 1 ? '' : `   (--of ${id})`}`,
    ...losers.map(lineOf),
  ]);
  const value = carryings.map(({ id, losers }) => ({ id, conflicts: losers.map(jsonOf) }));
  reporter.result({ carryings: value }, lines.length === 0 ? ['No conflicts.'] : lines);
  return 0;
}

function lineOf(loser: Loser): string {
  const { number, kind, winner, isDone } = loser;
  const kept = winner === 'user' ? 'yours is in place, the image’s is kept' : 'the image’s is in place, yours is kept';
  return `  ${String(number).padStart(3)} ${kind.padEnd(14)} ${nameOf(loser)}   ${isDone ? 'done' : kept}`;
}

function nameOf({ path }: Loser): string {
  return showPath(path);
}

function jsonOf(loser: Loser): Record<string, unknown> {
  const { number, kind, winner, isDone, object } = loser;
  return { number, path: nameOf(loser), kind, winner, isDone, lost: object === undefined ? null : object.type };
}

function requireConflict({ losers, id }: Pick<Carrying, 'losers' | 'id'>, number: number): Loser[] {
  const found = losers.filter((loser) => loser.number === number);
  if (found.length > 0) return found;
  throw new HoldfastError('HF-USAGE', `there is no conflict ${number} in ${id}`, {
    hint: 'holdfast overlay conflicts',
  });
}

async function show(
  { reporter, signal }: CommandContext,
  carrying: Carrying,
  numbers: readonly number[],
): Promise<number> {
  const lines: string[] = [];
  for (const loser of numbers.flatMap((number) => requireConflict(carrying, number))) {
    lines.push(lineOf(loser).trimStart());
    const { object, content } = loser;
    if (object === undefined) {
      lines.push('  what lost is that it was deleted');
      continue;
    }
    lines.push(`  what lost: ${object.type}, mode ${object.mode.toString(8)}, owner ${object.uid}:${object.gid}`);
    if (object.type === 'symlink') lines.push(`  it leads to ${showBytes(object.linkTarget)}`);
    if (content === undefined) continue;
    lines.push(...(await difference(loser, join(carrying.directory, content), signal)));
  }
  reporter.result({ id: carrying.id, conflicts: numbers, text: lines }, lines);
  return 0;
}

/** What is there now, beside what lost: both are anybody's bytes, and what is there may be anything. */
async function difference({ path }: Loser, lost: string, signal: AbortSignal): Promise<string[]> {
  return nameInRoot('/', path, async (now) => {
    const stats = now === undefined ? undefined : statSync(now, { throwIfNoEntry: false });
    if (stats === undefined) return ['  there is nothing now'];
    if (!stats.isFile()) return ['  there is something else now that can not be compared'];
    if (stats.size > MAX_DIFF_BYTES || lstatSync(lost).size > MAX_DIFF_BYTES)
      return [`  too large to compare: ${lost}`];
    const argv = ['diff', '--unified', '--label', 'now', '--label', 'what lost', '--', now ?? '', lost] as const;
    const { stdout } = await run(argv, { signal, timeoutMs: DIFF_TIMEOUT_MS });
    if (stdout === '') return ['  the content is the same'];
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (line.startsWith('Binary files') ? '  both are binary, and different' : showBytes(line, 'utf8')));
  });
}

async function take(
  { reporter, signal }: CommandContext,
  carrying: Carrying,
  numbers: readonly number[],
  { dryRun }: ConflictsFlags,
): Promise<number> {
  const lines: string[] = [];
  const warn = (text: string) => reporter.events({ type: 'notice', level: 'warning', text });
  for (const number of numbers) {
    const names = requireConflict(carrying, number).map(nameOf).join(', ');
    if (dryRun) {
      lines.push(`Would put what lost in the place of ${names}.`);
      continue;
    }
    await takeConflict(carrying.directory, number, { root: '/', signal, warn });
    lines.push(`${names}: what had lost is in place.`);
  }
  reporter.result({ id: carrying.id, taken: numbers, dryRun: dryRun ?? false }, lines);
  return 0;
}

function done(
  { reporter }: CommandContext,
  { id, directory, losers }: Carrying,
  numbers: readonly number[],
  { dryRun }: ConflictsFlags,
): number {
  for (const number of numbers) requireConflict({ id, losers }, number);
  const open = losers.filter(({ isDone, number }) => !isDone && numbers.length > 0 && !numbers.includes(number));
  if (!dryRun) {
    // What somebody still has to look at stays whole.
    if (open.length === 0) forgetConflicts(directory);
    else markDone(directory, new Set(numbers));
  }
  const all = dryRun ? `Would remove all that was kept of ${id}.` : `All of ${id} is done; what lost is removed.`;
  const text = open.length === 0 ? all : `${open.length} of ${id} ${dryRun ? 'would stay' : 'are'} open.`;
  reporter.result({ id, open: open.length, dryRun: dryRun ?? false }, [text]);
  return 0;
}
