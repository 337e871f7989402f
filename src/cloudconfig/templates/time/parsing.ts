// Reads a time by a layout of Go.

import { dateOf, daysOf } from './calendar.ts';
import { MONTHS, piecesOf, WEEKDAYS } from './layout.ts';
import { type Time, timeIn } from './time.ts';
import { fixedZone, UTC, type Zone } from './zone.ts';

/** What was read so far. */
interface Found {
  year: number;
  month: number | undefined;
  day: number | undefined;
  dayOfYear: number | undefined;
  hour: number;
  minute: number;
  second: number;
  nanoseconds: bigint;
  afternoon: boolean | undefined;
  offset: number | undefined;
  abbreviation: string;
  /** `Z` was read, which is UTC whatever else is said. */
  isUtc: boolean;
}

/** A time in the zone, unless the text names another; undefined when it doesn't follow the layout. */
export function parseTime(layout: string, text: string, zone: Zone): Time | undefined {
  const { texts, pieces } = piecesOf(layout);
  const found: Found = {
    year: 0,
    month: undefined,
    day: undefined,
    dayOfYear: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanoseconds: 0n,
    afternoon: undefined,
    offset: undefined,
    abbreviation: '',
    isUtc: false,
  };
  let rest: string | undefined = skip(text, texts[0] ?? '');
  for (const [index, piece] of pieces.entries()) {
    if (rest === undefined) return undefined;
    const length: number | undefined = readPiece(piece, rest, found, pieces[index + 1]);
    if (length === undefined) return undefined;
    rest = skip(rest.slice(length), texts[index + 1] ?? '');
  }
  return rest === '' ? timeOf(found, zone) : undefined;
}

/** Goes past a text; a run of spaces in the layout stands for any run of spaces. */
function skip(text: string, expected: string): string | undefined {
  let [at, next] = [0, 0];
  while (next < expected.length) {
    if (expected[next] === ' ') {
      if (at < text.length && text[at] !== ' ') return undefined;
      while (expected[next] === ' ') next++;
      while (text[at] === ' ') at++;
    } else if (text[at++] !== expected[next++]) return undefined;
  }
  return text.slice(at);
}

/** Reads one piece; returns how long it was. */
function readPiece(piece: string, text: string, found: Found, following: string | undefined): number | undefined {
  const digits = (pattern: RegExp, set: (value: number) => boolean): number | undefined => {
    const match = text.match(pattern);
    return match !== null && set(Number(match[0])) ? match[0].length : undefined;
  };
  const two = /^\d\d/;
  const oneOrTwo = /^\d\d?/;
  const name = (names: readonly string[], short: boolean): [number, number] | undefined => {
    for (const [index, full] of names.entries()) {
      const wanted = short ? full.slice(0, 3) : full;
      if (text.slice(0, wanted.length).toLowerCase() === wanted.toLowerCase()) return [index, wanted.length];
    }
    return undefined;
  };
  switch (piece) {
    case '2006':
      return digits(/^\d{4}/, (value) => assign(found, { year: value }));
    case '06':
      return digits(two, (value) => assign(found, { year: value >= 69 ? 1900 + value : 2000 + value }));
    case 'January':
    case 'Jan': {
      const month = name(MONTHS, piece === 'Jan');
      if (month !== undefined) found.month = month[0] + 1;
      return month?.[1];
    }
    case '01':
    case '1':
      return digits(piece === '1' ? oneOrTwo : two, (month) => month >= 1 && month <= 12 && assign(found, { month }));
    case 'Monday':
    case 'Mon':
      return name(WEEKDAYS, piece === 'Mon')?.[1];
    case '02':
      return digits(two, (day) => assign(found, { day }));
    case '_2':
    case '2': {
      const space = piece === '_2' && text.startsWith(' ') ? 1 : 0;
      const match = text.slice(space).match(oneOrTwo);
      if (match === null) return undefined;
      found.day = Number(match[0]);
      return space + match[0].length;
    }
    case '002':
    case '__2': {
      const match = text.match(piece === '002' ? /^\d{3}/ : /^ *\d{1,3}/);
      if (match === null) return undefined;
      found.dayOfYear = Number(match[0]);
      return match[0].length;
    }
    case '15':
      return digits(two, (hour) => hour < 24 && assign(found, { hour }));
    case '03':
    case '3':
      return digits(piece === '3' ? oneOrTwo : two, (hour) => hour <= 12 && assign(found, { hour }));
    case '04':
    case '4':
      return digits(piece === '4' ? oneOrTwo : two, (minute) => minute < 60 && assign(found, { minute }));
    case '05':
    case '5': {
      const length = digits(piece === '5' ? oneOrTwo : two, (second) => second < 60 && assign(found, { second }));
      // A fraction may follow without being in the layout.
      const fraction = length === undefined ? null : text.slice(length).match(/^[.,]\d+/);
      if (length === undefined || fraction === null || (following !== undefined && /^[.,]/.test(following)))
        return length;
      found.nanoseconds = nanosecondsOf(fraction[0]);
      return length + fraction[0].length;
    }
    case 'PM':
    case 'pm': {
      const match = text.match(piece === 'PM' ? /^[AP]M/ : /^[ap]m/);
      if (match !== null) found.afternoon = match[0].toLowerCase() === 'pm';
      return match?.[0].length;
    }
    case 'MST': {
      const match = text.match(/^(?:UTC|GMT(?:[+-]\d{1,2})?|[+-]\d\d(?:\d\d)?|ChST|MeST|[A-Z]{3,5})/);
      if (match !== null) found.abbreviation = match[0];
      if (match?.[0] === 'UTC') found.isUtc = true;
      return match?.[0].length;
    }
    default:
      return /^[.,]/.test(piece) ? readFraction(piece, text, found) : readOffset(piece, text, found);
  }
}

function assign(found: Found, values: Partial<Found>): true {
  Object.assign(found, values);
  return true;
}

function nanosecondsOf(fraction: string): bigint {
  return BigInt(fraction.slice(1, 10).padEnd(9, '0'));
}

function readFraction(piece: string, text: string, found: Found): number | undefined {
  const pattern = piece[1] === '0' ? new RegExp(`^[.,]\\d{${piece.length - 1}}`) : /^[.,]\d+/;
  const match = text.match(pattern);
  if (match !== null) found.nanoseconds = nanosecondsOf(match[0]);
  // Nines stand for a fraction that may be missing.
  return match?.[0].length ?? (piece[1] === '9' ? 0 : undefined);
}

function readOffset(piece: string, text: string, found: Found): number | undefined {
  if (piece.startsWith('Z') && text.startsWith('Z')) {
    found.isUtc = true;
    return 1;
  }
  const colon = piece.includes(':') ? ':' : '';
  const pairs = piece.replace(/\D/g, '').length / 2;
  const match = text.match(new RegExp(`^([+-])(\\d\\d)${`${colon}(\\d\\d)`.repeat(pairs - 1)}`));
  if (match === null) return undefined;
  const [whole, sign, hours = '0', minutes = '0', seconds = '0'] = match;
  const offset = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  if (Number(hours) > 24 || Number(minutes) >= 60 || Number(seconds) >= 60) return undefined;
  found.offset = sign === '-' ? -offset : offset;
  return whole.length;
}

function timeOf(found: Found, zone: Zone): Time | undefined {
  const { year, afternoon, minute, second, nanoseconds, dayOfYear } = found;
  const date = { year, month: found.month ?? 1, day: found.day ?? 1 };
  if (dayOfYear !== undefined) {
    const length = daysOf(year + 1, 1, 1) - daysOf(year, 1, 1);
    if (dayOfYear < 1 || dayOfYear > length) return undefined;
    const { month, day } = dateOf(daysOf(year, 1, dayOfYear));
    if (month !== (found.month ?? month) || day !== (found.day ?? day)) return undefined;
    Object.assign(date, { month, day });
  } else {
    const length = daysOf(year, date.month + 1, 1) - daysOf(year, date.month, 1);
    if (date.day < 1 || date.day > length) return undefined;
  }
  let { hour } = found;
  if (afternoon === true && hour < 12) hour += 12;
  if (afternoon === false && hour === 12) hour = 0;
  const build = (where: Zone) => timeIn(where, date, hour * 3600 + minute * 60 + second, nanoseconds);
  if (found.isUtc) return build(UTC);
  if (found.offset !== undefined) {
    const fixed = build(fixedZone(found.offset, found.abbreviation));
    // Where the zone itself has this offset, it is the zone.
    const own = zone.at(fixed.seconds);
    const same = own.seconds === found.offset && (found.abbreviation === '' || own.abbreviation === found.abbreviation);
    return same ? fixed.in(zone) : fixed;
  }
  if (found.abbreviation === '') return build(zone);
  const local = build(zone);
  if (local.offset.abbreviation === found.abbreviation) return local;
  // An abbreviation alone says no offset: Go takes the time for UTC, and shows GMT+3 three hours later.
  const hours = found.abbreviation.match(/^GMT([+-]\d+)$/)?.[1];
  return build(UTC).in(fixedZone(Number(hours ?? 0) * 3600, found.abbreviation));
}
