// The rule at the end of a zone's file, which holds after its last listed change: `CET-1CEST,M3.5.0,M10.5.0/3`, as POSIX
// writes it in TZ.

import { daysOf, isLeapYear, yearOf } from './calendar.ts';
import type { Offset } from './zone.ts';

/** The offset at an instant, in seconds since 1970. */
export type Rule = (seconds: number) => Offset;

const NAME = '(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]+>)';
const OFFSET = '[+-]?\\d+(?::\\d+(?::\\d+)?)?';
const DATE = `(?:J\\d+|\\d+|M\\d+\\.\\d+\\.\\d+)(?:\\/${OFFSET})?`;
const RULE = new RegExp(`^(${NAME})(${OFFSET})(?:(${NAME})(${OFFSET})?(?:,(${DATE}),(${DATE}))?)?$`);
const DAY = 86_400;

/** Undefined for what is no rule. */
export function parseRule(text: string): Rule | undefined {
  const match = text.match(RULE);
  if (match === null) return undefined;
  const [, name = '', offset = '', daylightName, daylightOffset, start, end] = match;
  // POSIX counts west of Greenwich.
  const standard = { seconds: -secondsOf(offset), abbreviation: bare(name) };
  if (daylightName === undefined) return () => standard;
  const shifted = daylightOffset === undefined ? standard.seconds + 3600 : -secondsOf(daylightOffset);
  const daylight = { seconds: shifted, abbreviation: bare(daylightName) };
  return (seconds) => {
    const year = yearOf(Math.floor((seconds + standard.seconds) / DAY));
    const begins = instantOf(start ?? 'M3.2.0', year) - standard.seconds;
    const ends = instantOf(end ?? 'M11.1.0', year) - daylight.seconds;
    const inside = begins < ends ? seconds >= begins && seconds < ends : !(seconds >= ends && seconds < begins);
    return inside ? daylight : standard;
  };
}

function bare(name: string): string {
  return name.replace(/[<>]/g, '');
}

function secondsOf(offset: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = offset.replace(/^[+-]/, '').split(':').map(Number);
  return (hours * 3600 + minutes * 60 + seconds) * (offset.startsWith('-') ? -1 : 1);
}

/** When a change is in a year, as if local time were UTC. */
function instantOf(rule: string, year: number): number {
  const [date = '', time = '2'] = rule.split('/');
  return dayOf(date, year) * DAY + secondsOf(time);
}

/** Days since 1970. */
function dayOf(date: string, year: number): number {
  if (date.startsWith('M')) {
    const [month = 1, week = 1, weekday = 0] = date.slice(1).split('.').map(Number);
    const first = daysOf(year, month, 1);
    // 1970-01-01 was a Thursday.
    const day = first + ((((weekday - (first + 4)) % 7) + 7) % 7) + (week - 1) * 7;
    const next = daysOf(month === 12 ? year + 1 : year, (month % 12) + 1, 1);
    return day >= next ? day - 7 : day;
  }
  const number = Number(date.replace('J', ''));
  // J60 is the first of March in every year; without the J, days count from 0.
  const shift = date.startsWith('J') ? (isLeapYear(year) && number >= 60 ? 0 : -1) : 0;
  return daysOf(year, 1, 1) + number + shift;
}
