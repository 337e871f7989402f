// An instant of Go's package time with the zone that it is shown in, and the methods that templates may call.

import { fn0, fn1, fn3, type GoFunction } from '../functions/function.ts';
import { count, opaque, text } from '../functions/parameters.ts';
import { Integer, int, int64 } from '../values/integer.ts';
import { Opaque } from '../values/opaque.ts';
import { type CalendarDate, dateOf, daysOf } from './calendar.ts';
import { formatDuration, SECOND } from './duration.ts';
import { formatTime } from './formatting.ts';
import { MONTHS, WEEKDAYS } from './layout.ts';
import { type Offset, UTC, type Zone } from './zone.ts';

const DAY = 86_400;
/** 0001-01-01, Go's time that isn't set. */
const ZERO_SECONDS = -62_135_596_800n;

export class Time extends Opaque {
  readonly type = 'time.Time';
  readonly kind = 'struct';
  /** Since 1970, in UTC. */
  readonly nanoseconds: bigint;
  readonly zone: Zone;

  constructor(nanoseconds: bigint, zone: Zone) {
    super();
    this.nanoseconds = nanoseconds;
    this.zone = zone;
  }

  static zero(): Time {
    return new Time(ZERO_SECONDS * SECOND, UTC);
  }

  /** Whole seconds since 1970. */
  get seconds(): number {
    return Number(floorDivide(this.nanoseconds, SECOND));
  }

  /** The part of the second, in nanoseconds. */
  get fraction(): number {
    return Number(this.nanoseconds - floorDivide(this.nanoseconds, SECOND) * SECOND);
  }

  get offset(): Offset {
    return this.zone.at(this.seconds);
  }

  get date(): CalendarDate {
    return dateOf(this.#localDays);
  }

  get #local(): number {
    return this.seconds + this.offset.seconds;
  }

  get #localDays(): number {
    return Math.floor(this.#local / DAY);
  }

  /** Seconds since midnight. */
  get secondOfDay(): number {
    return this.#local - this.#localDays * DAY;
  }

  /** 0 is Sunday. */
  get weekday(): number {
    return (((this.#localDays + 4) % 7) + 7) % 7;
  }

  get dayOfYear(): number {
    return this.#localDays - daysOf(this.date.year, 1, 1) + 1;
  }

  in(zone: Zone): Time {
    return new Time(this.nanoseconds, zone);
  }

  add(nanoseconds: bigint): Time {
    return new Time(this.nanoseconds + nanoseconds, this.zone);
  }

  override toString(): string {
    return formatTime(this, '2006-01-02 15:04:05.999999999 -0700 MST');
  }

  override toJson(): string {
    return formatTime(this, '2006-01-02T15:04:05.999999999Z07:00');
  }

  override equals(other: Opaque): boolean {
    return other instanceof Time && other.nanoseconds === this.nanoseconds && other.zone.name === this.zone.name;
  }

  override method(name: string): GoFunction | undefined {
    return METHODS.get(name)?.(this);
  }
}

export const time = opaque('time.Time', (value): value is Time => value instanceof Time);

/** The instant of a date and time of day in a zone; what is beyond its range counts on. */
export function timeIn(zone: Zone, date: CalendarDate, secondOfDay: number, nanoseconds: bigint): Time {
  const local = daysOf(date.year, date.month, date.day) * DAY + secondOfDay;
  // The offset at the instant, which depends on the offset: two looks are enough.
  const guess = local - zone.at(local).seconds;
  const around = zone.at(guess).seconds;
  const seconds = zone.at(local - around).seconds === around ? local - around : guess;
  return new Time(BigInt(seconds) * SECOND + nanoseconds, zone);
}

export function duration(nanoseconds: bigint): Integer {
  return new Integer('time.Duration', nanoseconds, formatDuration(nanoseconds));
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value < 0n && quotient * divisor !== value ? quotient - 1n : quotient;
}

const whole = (read: (time: Time) => number) => (self: Time) => fn0(() => int(read(self)));
const compared = (holds: (a: bigint, b: bigint) => boolean) => (self: Time) =>
  fn1(time, (other) => holds(self.nanoseconds, other.nanoseconds));

const METHODS = new Map<string, (self: Time) => GoFunction>([
  ['Year', whole(({ date }) => date.year)],
  ['Month', (self) => fn0(() => named('time.Month', self.date.month, MONTHS[self.date.month - 1]))],
  ['Weekday', (self) => fn0(() => named('time.Weekday', self.weekday, WEEKDAYS[self.weekday]))],
  ['Day', whole(({ date }) => date.day)],
  ['YearDay', whole(({ dayOfYear }) => dayOfYear)],
  ['Hour', whole(({ secondOfDay }) => Math.floor(secondOfDay / 3600))],
  ['Minute', whole(({ secondOfDay }) => Math.floor(secondOfDay / 60) % 60)],
  ['Second', whole(({ secondOfDay }) => secondOfDay % 60)],
  ['Nanosecond', whole(({ fraction }) => fraction)],
  ['Unix', (self) => fn0(() => int64(BigInt(self.seconds)))],
  ['UnixMilli', (self) => fn0(() => int64(floorDivide(self.nanoseconds, 1_000_000n)))],
  ['UnixNano', (self) => fn0(() => int64(self.nanoseconds))],
  ['IsZero', (self) => fn0(() => self.nanoseconds === ZERO_SECONDS * SECOND)],
  ['UTC', (self) => fn0(() => self.in(UTC))],
  ['String', (self) => fn0(() => self.toString())],
  ['Format', (self) => fn1(text, (layout) => formatTime(self, layout))],
  ['Equal', compared((a, b) => a === b)],
  ['Before', compared((a, b) => a < b)],
  ['After', compared((a, b) => a > b)],
  ['Sub', (self) => fn1(time, (other) => duration(self.nanoseconds - other.nanoseconds))],
  [
    'AddDate',
    (self) =>
      fn3(count, count, count, (years, months, days) => {
        const { year, month, day } = self.date;
        const shifted = { year: year + years, month: month + months, day: day + days };
        return timeIn(self.zone, shifted, self.secondOfDay, BigInt(self.fraction));
      }),
  ],
]);

function named(type: 'time.Month' | 'time.Weekday', value: number, name: string | undefined): Integer {
  return new Integer(type, BigInt(value), name);
}
