// Times of a Plan: the window in which jobs may begin, and durations as Go writes them. What the controller couldn't read, or would
// never find open, is refused here and not found out at night.

import { nearestWord } from '../cloudconfig/suggestion.ts';
import { HoldfastError } from '../system/errors.ts';
import { DAYS, type Window } from './plan-document.ts';

type Day = (typeof DAYS)[number][number];

/**
 * A window: `[DAYS] START-END [TIMEZONE]`, for example `sat,sun 01:00-05:00 Europe/Berlin` or `daily 22:00-04:00`.
 * @throws HoldfastError HF-USAGE with what is wrong about it.
 */
export function parseWindow(text: string): Window {
  const words = text.trim().split(/\s+/);
  const at = words.findIndex((word) => /^\d{1,2}:\d{2}-\d{1,2}:\d{2}$/.test(word));
  const [start, end] = (words[at] ?? '').split('-');
  if (at < 0 || at > 1 || words.length > at + 2 || start === undefined || end === undefined) {
    throw unusable(text, 'it is no window', 'write [DAYS] START-END [TIMEZONE]: "sat,sun 01:00-05:00 Europe/Berlin"');
  }
  const days =
    at === 0 ? DAYS.map((names) => names[3]) : (words[0] ?? '').split(',').flatMap((word) => parseDays(word, text));
  const timeZone = words[at + 1];
  const window: Window = {
    days: [...new Set(days)],
    startTime: padded(start),
    endTime: padded(end),
    ...(timeZone !== undefined && { timeZone }),
  };
  const problem = windowProblem(window);
  if (problem?.severity === 'error') throw unusable(text, problem.message, problem.hint);
  return window;
}

export interface WindowProblem {
  severity: 'error' | 'warning';
  message: string;
  hint?: string;
}

/**
 * What keeps a window from being read or from ever being open, or makes it another one than it looks; undefined when nothing does. The
 * controller's window (kured's timewindow) goes over midnight, and looks at the day that it is then.
 */
export function windowProblem({ days, startTime, endTime, timeZone }: Window): WindowProblem | undefined {
  const error = (message: string, hint: string): WindowProblem => ({ severity: 'error', message, hint });
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    return error(`there is no time zone ${JSON.stringify(timeZone)}`, 'a name such as Europe/Berlin or UTC');
  }
  if (days === undefined) return error('it has no days: it would never be open', 'days: [monday, …]');
  if (startTime === undefined || endTime === undefined) {
    return error('it has no startTime or no endTime', 'the controller needs both');
  }
  const start = minuteOfDay(startTime);
  const end = minuteOfDay(endTime);
  if (start === undefined || end === undefined) {
    return error('a time is written 00:00 to 23:59', 'with am or pm, the hour has two digits: 03:04pm');
  }
  if (start === end) return error('it ends when it begins', 'for all day, write 00:00-23:59');
  if (
    start < end ||
    new Set(days.map((day) => DAYS.findIndex((names) => names.some((name) => name === day)))).size === 7
  ) {
    return undefined;
  }
  return {
    severity: 'warning',
    message:
      'it goes over midnight, and its days are those of each half: the hours before and after midnight of each day',
    hint: 'for one night, name both of its days, or all',
  };
}

/** In the forms that the controller reads: `15:04`, `15:04:05`, `15`, `03:04pm`, `3pm`. undefined: it is none of them. */
function minuteOfDay(text: string): number | undefined {
  const [, hours, minutes = '0', seconds, half] = /^(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?(am|pm)?$/.exec(text) ?? [];
  if (hours === undefined || Number(minutes) > 59) return undefined;
  const hour = Number(hours);
  // Go's layout 03:04pm wants two digits, its layout 3pm doesn't.
  if (half !== undefined && text.includes(':') && hours.length < 2) return undefined;
  if (half === undefined) return hour > 23 ? undefined : hour * 60 + Number(minutes);
  if (hour < 1 || hour > 12 || seconds !== undefined) return undefined;
  return ((hour % 12) + (half === 'pm' ? 12 : 0)) * 60 + Number(minutes);
}

function padded(time: string): string {
  return time.length === 4 ? `0${time}` : time;
}

function parseDays(word: string, text: string): Day[] {
  if (word.toLowerCase() === 'daily') return DAYS.map((names) => names[3]);
  const [from, to, ...more] = word
    .toLowerCase()
    .split('-')
    .map((name) => indexOfDay(name, text));
  if (from === undefined || more.length > 0) throw unusable(text, `${JSON.stringify(word)} is no day`);
  const length = to === undefined ? 1 : ((to - from + 7) % 7) + 1;
  return Array.from({ length }, (_, offset) => (DAYS[(from + offset) % 7] ?? DAYS[0])[3]);
}

function indexOfDay(name: string, text: string): number {
  const index = DAYS.findIndex((names) => names.some((each) => each === name));
  if (index >= 0) return index;
  const near = nearestWord(name, DAYS.flat());
  throw unusable(
    text,
    `${JSON.stringify(name)} is no day`,
    near === undefined ? 'mon, tue, … sun' : `did you mean ${near}?`,
  );
}

function isTimeZone(name: string): boolean {
  if (name === 'Local' || name === '') return true;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== undefined;
  } catch {
    return false;
  }
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 };

/** Seconds of a duration as Go's `time.ParseDuration` reads it (`1h30m`, `90s`); undefined when it is none. */
export function durationSeconds(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|us|µs|ns|m|s))+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+\.?\d*|\.\d+)(h|ms|us|µs|ns|m|s)/g)) {
    seconds += Number(amount) * (UNIT_SECONDS[unit] ?? 0);
  }
  return text.startsWith('-') ? -seconds : seconds;
}

function unusable(text: string, reason: string, hint?: string): HoldfastError {
  return new HoldfastError(
    'HF-USAGE',
    `--window ${JSON.stringify(text)}: ${reason}`,
    hint === undefined ? {} : { hint },
  );
}
