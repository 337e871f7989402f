// The part of `holdfast status` that speaks of what was done and what waits: pending changes, the last actions, room. Pure.

import type { LastAction } from '../lifecycle/last-action.ts';
import { isAlmostFull } from '../lifecycle/partition-space.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import type { MachineStatus } from '../lifecycle/status.ts';
import { oneLine } from '../system/oneline.ts';

/** Words stand in columns of this width. */
const WIDTH = 10;
const INDENT = ' '.repeat(WIDTH + 1);
const MAX_CHARACTERS = 300;
/** Of a failed command's output: enough to see what it was. */
const MAX_TAIL_LINES = 8;
const MAX_RECENT = 3;

export const row = (word: string, text: string) => `${word.padEnd(WIDTH)} ${text}`;

/** Sentences that belong together, the word only before the first. */
function block(word: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => (index === 0 ? row(word, line) : INDENT + line));
}

export function pendingLines({ rebootPending, pending = {}, slots }: MachineStatus): string[] {
  const { plan, planProblem, ownerChanges, live } = pending;
  const name = slots.find(({ slot }) => slot === 'active')?.prettyName ?? 'the new system';
  const waits = [
    ...(rebootPending ? [`${name} starts at the next reboot`] : []),
    ...(ownerChanges ? ['the owner’s changes are not in the active system yet: holdfast apply'] : []),
    ...(plan === undefined
      ? []
      : [`the plan ${plan.id} (${plan.name}, ${day(plan.created)}) is kept: holdfast upgrade --apply`]),
    ...(planProblem === undefined ? [] : [`what is kept of a plan can't be used: ${planProblem}`]),
    ...(live === undefined
      ? []
      : [`until the next reboot only: ${live.added} new paths in ${live.directories.join(', ') || '/etc and /var'}`]),
  ];
  return block(
    'pending',
    waits.map((text) => oneLine(text, MAX_CHARACTERS)),
  );
}

const HOW: Readonly<Record<LastAction['outcome'], string>> = {
  ok: 'ok',
  'ok-with-warnings': 'completed with warnings:',
  failed: 'failed:',
  refused: 'was refused:',
  interrupted: 'was interrupted:',
};

/** The last action with all that is to be said of it, and below it what else happened lately. */
export function lastActionLines({ lastAction, recent = [] }: MachineStatus): string[] {
  const others = recent.filter(({ id }) => id !== lastAction?.id).slice(0, MAX_RECENT);
  const before = others.map(({ id, name, kind, outcome, date, message }) => {
    const why = message === undefined ? '' : `: ${message}`;
    const what = kind === 'action' || kind === 'owner' ? name : `${kind} ${name}`;
    return oneLine(`${day(date)} ${what} ${outcome}${why} (${id})`, 120);
  });
  return block('last', [...(lastAction === undefined ? [] : actionLines(lastAction)), ...before]);
}

function actionLines({ id, action, date, outcome, error, warnings, outputTail }: LastAction): string[] {
  const why = error ?? (outcome === 'interrupted' ? 'it did not come to its end' : 'the reason is unknown');
  const isTold = outcome === 'ok' || outcome === 'ok-with-warnings';
  const number = id === undefined ? '' : ` (${id})`;
  const tail = outputTail?.split('\n').slice(-MAX_TAIL_LINES) ?? [];
  return [
    oneLine(
      `${action} at ${date} ${HOW[outcome]}${isTold ? '' : ` ${why}`}${outcome === 'ok' ? number : ''}`,
      2 * MAX_CHARACTERS,
    ),
    ...tail.map((text) => `| ${oneLine(text, MAX_CHARACTERS)}`),
    ...warnings.map((text) => `! ${oneLine(text, MAX_CHARACTERS)}`),
    ...(outcome === 'ok' || id === undefined ? [] : [`all of it: holdfast history ${id}`]),
  ];
}

const day = (date: string) => date.slice(0, 16).replace('T', ' ');

export function spaceLines({ space, stateFreeBytes }: MachineStatus): string[] {
  if (space === undefined || space.length === 0) {
    return stateFreeBytes === undefined ? [] : [row('COS_STATE', `${formatBytes(stateFreeBytes)} free`)];
  }
  const full = space.filter(isAlmostFull);
  const words = (places: typeof space) =>
    places.map(({ name, freeBytes, totalBytes }) => `${name} ${formatBytes(freeBytes)} of ${formatBytes(totalBytes)}`);
  return [
    row('free', words(space).join(', ')),
    ...(full.length > 0 ? [row('FULL', `almost: ${full.map(({ name }) => name).join(', ')}`)] : []),
  ];
}

export function healthLines({ health }: MachineStatus): string[] {
  if (health === undefined || health.failed.length === 0) return [];
  return [row('UNITS', oneLine(`failed: ${health.failed.join(', ')}`, MAX_CHARACTERS))];
}
