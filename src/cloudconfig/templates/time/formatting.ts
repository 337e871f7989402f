// Prints a time by a layout of Go.

import { MONTHS, piecesOf, WEEKDAYS } from './layout.ts';
import type { Offset } from './zone.ts';

/** What printing needs to know of a time. */
export interface Clock {
  date: { year: number; month: number; day: number };
  /** Seconds since midnight. */
  secondOfDay: number;
  /** Nanoseconds of the second. */
  fraction: number;
  weekday: number;
  dayOfYear: number;
  offset: Offset;
}

export function formatTime(time: Clock, layout: string): string {
  const { texts, pieces } = piecesOf(layout);
  let result = texts[0] ?? '';
  for (const [index, piece] of pieces.entries()) result += formatPiece(time, piece) + (texts[index + 1] ?? '');
  return result;
}

function formatPiece(time: Clock, piece: string): string {
  const { date, secondOfDay, weekday, dayOfYear, offset } = time;
  const hour = Math.floor(secondOfDay / 3600);
  const minute = Math.floor(secondOfDay / 60) % 60;
  const second = secondOfDay % 60;
  switch (piece) {
    case '2006':
      return date.year < 0 ? `-${padded(-date.year, 4)}` : padded(date.year, 4);
    case '06':
      return padded(Math.abs(date.year % 100), 2);
    case 'January':
      return MONTHS[date.month - 1] ?? '';
    case 'Jan':
      return (MONTHS[date.month - 1] ?? '').slice(0, 3);
    case '01':
      return padded(date.month, 2);
    case '1':
      return String(date.month);
    case 'Monday':
      return WEEKDAYS[weekday] ?? '';
    case 'Mon':
      return (WEEKDAYS[weekday] ?? '').slice(0, 3);
    case '02':
      return padded(date.day, 2);
    case '_2':
      return String(date.day).padStart(2);
    case '2':
      return String(date.day);
    case '002':
      return padded(dayOfYear, 3);
    case '__2':
      return String(dayOfYear).padStart(3);
    case '15':
      return padded(hour, 2);
    case '03':
      return padded(hour % 12 || 12, 2);
    case '3':
      return String(hour % 12 || 12);
    case '04':
      return padded(minute, 2);
    case '4':
      return String(minute);
    case '05':
      return padded(second, 2);
    case '5':
      return String(second);
    case 'PM':
      return hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return hour >= 12 ? 'pm' : 'am';
    case 'MST':
      return offset.abbreviation === '' ? formatOffset(offset.seconds, '-0700') : offset.abbreviation;
    default:
      return /^[.,]/.test(piece) ? formatFraction(time.fraction, piece) : formatOffset(offset.seconds, piece);
  }
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

/** `.000` prints three digits, `.999` as many of three as aren't zeros at the end. */
function formatFraction(nanoseconds: number, piece: string): string {
  const digits = padded(nanoseconds, 9)
    .slice(0, piece.length - 1)
    .padEnd(piece.length - 1, '0');
  if (piece[1] === '0') return piece.charAt(0) + digits;
  const kept = digits.replace(/0+$/, '');
  return kept === '' ? '' : piece.charAt(0) + kept;
}

function formatOffset(seconds: number, piece: string): string {
  if (piece.startsWith('Z') && seconds === 0) return 'Z';
  const sign = seconds < 0 ? '-' : '+';
  const total = Math.abs(seconds);
  const colon = piece.includes(':') ? ':' : '';
  const digits = piece.replace(/\D/g, '').length;
  const parts = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60].slice(0, digits / 2);
  return sign + parts.map((part) => padded(part, 2)).join(colon);
}
