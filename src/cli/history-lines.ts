// The record as lines of text: one line for each thing that happened, and all of it for one of them. The stages of a boot that
// went well are one line; nobody looks for them one by one. Pure.

import { formatBytes } from '../lifecycle/sizes.ts';
import { isTrouble, lastSeen, type RecordEntry, type RecordedStep } from '../record/entry.ts';
import { oneLine } from '../system/oneline.ts';
import type { Paint } from '../system/paint.ts';

const MAX_CHARACTERS = 300;
const NO_ID = '        ';

export interface HistoryWish {
  /** Parts of actions and each stage on a line of its own. */
  all: boolean;
  /** Only what failed, was refused or interrupted. */
  failed: boolean;
  /** How many lines at most, the newest; 0 is all. */
  last: number;
}

/** The lines of `holdfast history`. */
export function historyLines(entries: readonly RecordEntry[], wish: HistoryWish, paint: Paint): string[] {
  return chooseGroups(entries, wish).flatMap((group) => groupLines(group, paint));
}

/** The entries that are asked for, those together that share a line. */
export function chooseGroups(entries: readonly RecordEntry[], wish: HistoryWish): RecordEntry[][] {
  const chosen = entries.filter(
    (entry) => (wish.all || entry.parent === undefined) && (!wish.failed || isTrouble(entry)),
  );
  const groups = wish.all ? chosen.map((entry) => [entry]) : groupBoots(chosen);
  return wish.last === 0 ? groups : groups.slice(-wish.last);
}

/** Stages of one boot, one after the other, that need no line of their own. */
function groupBoots(entries: readonly RecordEntry[]): RecordEntry[][] {
  const groups: RecordEntry[][] = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    const [first] = last ?? [];
    const belongs = first !== undefined && isQuietStage(first) && isQuietStage(entry) && first.bootId === entry.bootId;
    if (belongs) last?.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

const isQuietStage = ({ kind, outcome, by }: RecordEntry) =>
  kind === 'stage' && by?.from === 'boot' && (outcome === 'ok' || outcome === 'skipped');

function groupLines(group: readonly RecordEntry[], paint: Paint): string[] {
  const [first, second] = group;
  if (first === undefined) return [];
  if (second === undefined) return [entryLine(first, paint)];
  const names = group.map(({ name, times = 1 }) => (times === 1 ? name : `${name} (${times} times)`));
  return [`${NO_ID}  ${timeOf(first)}  ${outcomeWord('ok', paint)}  ${paint.dim('boot')}: ${names.join(', ')}`];
}

function entryLine(entry: RecordEntry, paint: Paint): string {
  const { id, name, parent, kind, outcome, message, error, times = 1, by, steps } = entry;
  const why = error?.message ?? failedStep(steps) ?? message;
  const what = [
    `${parent === undefined ? '' : '  '}${kind === 'action' || kind === 'owner' ? name : `${kind} ${name}`}`,
    ...(times > 1 ? [`(${times} times${isTrouble(entry) ? ` since ${shortTime(entry.startedAt)}` : ''})`] : []),
    ...(why === undefined ? [] : [`- ${why}`]),
    ...(by === undefined || by.from === 'boot' ? [] : [paint.dim(`[${by.user}, ${by.from}]`)]),
  ];
  return `${id}  ${timeOf(entry)}  ${outcomeWord(outcome, paint)}  ${oneLineKeepingPaint(what)}`;
}

/** The colours are ours; the texts are anybody's. */
function oneLineKeepingPaint(parts: readonly string[]): string {
  const [last, ...rest] = [...parts].reverse();
  const isPainted = last?.includes('\u001b[') ?? false;
  if (!isPainted || last === undefined) return oneLine(parts.join(' '), MAX_CHARACTERS);
  return `${oneLine(rest.reverse().join(' '), MAX_CHARACTERS)} ${last}`;
}

function failedStep(steps: readonly RecordedStep[] = []): string | undefined {
  const step = steps.find(({ outcome }) => outcome === 'failed');
  return step === undefined ? undefined : `${step.file}:${step.line} ${step.message ?? ''}`;
}

const WORDS: Readonly<Record<RecordEntry['outcome'], string>> = {
  ok: 'ok',
  'ok-with-warnings': 'warnings',
  failed: 'FAILED',
  refused: 'REFUSED',
  interrupted: 'INTERRUPTED',
  skipped: 'nothing to do',
  running: 'running',
};
const OUTCOME_WIDTH = Math.max(...Object.values(WORDS).map(({ length }) => length));

function outcomeWord(outcome: RecordEntry['outcome'], paint: Paint): string {
  const word = WORDS[outcome].padEnd(OUTCOME_WIDTH);
  if (isTrouble({ outcome })) return paint.red(word);
  return outcome === 'ok-with-warnings' ? paint.yellow(word) : outcome === 'ok' ? paint.green(word) : word;
}

/** UTC, since that is what two machines have in common. */
function timeOf(entry: RecordEntry): string {
  return shortTime(lastSeen(entry)).padEnd(19);
}

const shortTime = (time: string) => oneLine(time.slice(0, 19).replace('T', ' '), 19);

/** All that is recorded of one entry, and of its parts. */
export function entryLines(entry: RecordEntry, parts: readonly RecordEntry[], paint: Paint): string[] {
  const { id, kind, name, outcome, by, slot, bootId, uptimeSeconds, times = 1, message, endedAt, durationMs } = entry;
  const row = (word: string, text: string | undefined) =>
    text === undefined ? [] : [`${word.padEnd(10)} ${oneLine(text, 1000)}`];
  const seconds = durationMs === undefined ? '' : ` (${(durationMs / 1000).toFixed(1)} s)`;
  return [
    paint.bold(`${oneLine(name, MAX_CHARACTERS)}  ${WORDS[outcome]}`),
    ...row('id', `${id}, ${kind}${entry.parent === undefined ? '' : `, part of ${entry.parent}`}`),
    ...row(
      'began',
      `${entry.startedAt}${bootId === undefined ? '' : `, boot ${bootId}`}${uptimeSeconds === undefined ? '' : `, ${uptimeSeconds.toFixed(0)} s after its start`}`,
    ),
    ...row('ended', endedAt === undefined ? undefined : `${endedAt}${seconds}`),
    ...row('repeated', times > 1 ? `${times} times in the same way` : undefined),
    ...row('asked by', by === undefined ? undefined : `${by.user} (${by.from}, pid ${by.pid}): ${by.command}`),
    ...row('slot', slot === undefined ? undefined : [slot.name, slot.uuid, slot.digest].filter(Boolean).join(' ')),
    ...row('what', message),
    ...detailLines(entry),
    ...parts.flatMap((part) => [
      '',
      `${WORDS[part.outcome].padEnd(OUTCOME_WIDTH)}  ${part.kind} ${oneLine(part.name, MAX_CHARACTERS)}  ${part.id}`,
      ...(part.message === undefined ? [] : [`  ${oneLine(part.message, MAX_CHARACTERS)}`]),
      ...detailLines(part),
    ]),
  ];
}

function detailLines({ error, steps = [], furtherSteps = 0, warnings = [], durations = [] }: RecordEntry): string[] {
  const code = error?.code === undefined ? '' : ` [${error.code}, exit status ${error.exitStatus}]`;
  return [
    ...(error === undefined
      ? []
      : [`error      ${oneLine(error.message, 1000)}${code}`, ...tailLines(error.outputTail)]),
    ...steps.flatMap(stepLines),
    ...(furtherSteps > 0 ? [`  ${furtherSteps} more steps were skipped or are not listed`] : []),
    ...warnings.map((text) => `  ! ${oneLine(text, 1000)}`),
    ...durations.filter(({ durationMs }) => durationMs >= 100).map(durationLine),
  ];
}

function stepLines({ stage, file, line, name, definition, outcome, message, outputTail }: RecordedStep): string[] {
  const called = name === undefined ? '' : ` "${name}"`;
  const digest = definition === undefined ? '' : `  ${definition.slice(0, 19)}`;
  const place = `${file}:${line}${called}${stage === undefined ? '' : ` (${stage})`}${digest}`;
  return [
    `  ${WORDS[outcome].padEnd(6)} ${oneLine(place, MAX_CHARACTERS)}`,
    ...(message === undefined ? [] : [`         ${oneLine(message, 1000)}`]),
    ...tailLines(outputTail),
  ];
}

const tailLines = (text: string | undefined) =>
  text === undefined ? [] : text.split('\n').map((line) => `         | ${oneLine(line, MAX_CHARACTERS)}`);

function durationLine({ action, durationMs, bytes }: { action: string; durationMs: number; bytes?: number }): string {
  const moved = bytes === undefined ? '' : `, ${formatBytes(bytes)}`;
  return `  ${(durationMs / 1000).toFixed(1).padStart(6)} s  ${oneLine(action, 100)}${moved}`;
}
