// `holdfast overlay conflicts`: what lost when an overlay was carried to another system. It is listed, shown beside what is
// there now, put in its place, or removed when its owner has looked at it.

import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import { conflictsDirectory } from '../overlay/names.ts';
import { forgetConflicts, type Loser, listConflicts, markDone } from '../overlay/rebase/losers.ts';
import { takeConflict } from '../overlay/rebase/take-conflict.ts';
import { openSet } from '../overlay/set-place.ts';
import { HoldfastError } from '../system/errors.ts';
import { run } from '../system/process.ts';
import { Root } from '../system/root.ts';
import type { CommandContext } from './program.ts';

const VERBS = ['list', 'show', 'take', 'done'] as const;
type Verb = (typeof VERBS)[number];

interface ConflictsFlags {
  set?: string;
  of?: string;
  dryRun?: boolean;
}

/** The losers of one carrying. */
interface Carrying {
  id: string;
  directory: string;
  losers: readonly Loser[];
}

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
  return verb === 'show' ? show(context, latest, chosen) : take(context, latest, chosen, flags);
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

/** The latest one last. */
function carryingsOf(set: string, only: string | undefined): Carrying[] {
  const directory = conflictsDirectory(set);
  const ids = existsSync(directory) ? readdirSync(directory).sort() : [];
  const carryings = ids
    .filter((id) => /^\w[\w-]*$/.test(id) && lstatSync(join(directory, id)).isDirectory() && (only ?? id) === id)
    .map((id) => ({ id, directory: join(directory, id), losers: listConflicts(join(directory, id)) }));
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
  return `/${Buffer.from(path, 'latin1').toString('utf8')}`;
}

function jsonOf(loser: Loser): Record<string, unknown> {
  const { number, kind, winner, isDone, object } = loser;
  return { number, path: nameOf(loser), kind, winner, isDone, lost: object === undefined ? null : object.type };
}

function requireConflict({ losers, id }: Carrying, number: number): Loser[] {
  const found = losers.filter((loser) => loser.number === number);
  if (found.length > 0) return found;
  throw new HoldfastError('HF-USAGE', `there is no conflict ${number} in ${id}`, {
    hint: 'holdfast overlay conflicts',
  });
}

async function show({ reporter }: CommandContext, carrying: Carrying, numbers: readonly number[]): Promise<number> {
  const lines: string[] = [];
  const root = new Root('/');
  for (const loser of numbers.flatMap((number) => requireConflict(carrying, number))) {
    lines.push(lineOf(loser).trimStart());
    const { object, content } = loser;
    if (object === undefined) {
      lines.push('  what lost is that it was deleted');
      continue;
    }
    lines.push(`  what lost: ${object.type}, mode ${object.mode.toString(8)}, owner ${object.uid}:${object.gid}`);
    if (object.type === 'symlink') lines.push(`  it leads to ${object.linkTarget}`);
    if (content === undefined) continue;
    const lost = join(carrying.directory, content);
    const now = root.resolve(nameOf(loser), { followLast: false });
    const difference = await run(['diff', '--unified', '--', existsSync(now) ? now : '/dev/null', lost]);
    lines.push(
      ...difference.stdout
        .split('\n')
        .slice(2)
        .filter((line) => line !== ''),
    );
  }
  reporter.result({ id: carrying.id, conflicts: numbers, text: lines }, lines);
  return 0;
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
  for (const number of numbers) requireConflict({ id, directory, losers }, number);
  const open = losers.filter(({ isDone, number }) => !isDone && numbers.length > 0 && !numbers.includes(number));
  if (!dryRun) {
    // What somebody still has to look at stays whole.
    if (open.length === 0) forgetConflicts(directory);
    else markDone(directory, new Set(numbers));
  }
  const text = open.length === 0 ? `All of ${id} is done; what lost is removed.` : `${open.length} of ${id} are open.`;
  reporter.result({ id, open: open.length, dryRun: dryRun ?? false }, [text]);
  return 0;
}
