// sprig's functions on dates. A date is a time, or a number of seconds since 1970; anything else counts as now.

import type { TemplateHost } from '../host.ts';
import { CallError } from '../templateerror.ts';
import { formatDuration, parseDuration, SECOND } from '../time/duration.ts';
import { formatTime } from '../time/formatting.ts';
import { parseTime } from '../time/parsing.ts';
import { Time, time } from '../time/time.ts';
import { parseZone, UTC, type Zone } from '../time/zone.ts';
import { textOf } from '../values/bytes.ts';
import { Integer } from '../values/integer.ts';
import type { Value } from '../values/value.ts';
import { type FunctionTable, fn0, fn1, fn2, fn3 } from './function.ts';
import { any, text } from './parameters.ts';

const HTML = '2006-01-02';

const inZone = fn3(text, any, text, (layout, date, zone, { host }) =>
  formatTime(timeOf(date, host).in(zoneNamed(zone, host)), layout),
);
const modify = fn2(text, time, (change, date) => date.add(parseDuration(change) ?? 0n));
const mustModify = fn2(text, time, (change, date) => {
  const duration = parseDuration(change);
  if (duration === undefined) throw new CallError(`time: invalid duration "${change}"`);
  return date.add(duration);
});

export const dates: FunctionTable = {
  now: fn0(({ host }) => new Time(host.now(), localZone(host))),
  date: fn2(text, any, (layout, date, { host }) => formatTime(timeOf(date, host).in(localZone(host)), layout)),
  dateInZone: inZone,
  date_in_zone: inZone,
  htmlDate: fn1(any, (date, { host }) => formatTime(timeOf(date, host).in(localZone(host)), HTML)),
  htmlDateInZone: fn2(any, text, (date, zone, { host }) =>
    formatTime(timeOf(date, host).in(zoneNamed(zone, host)), HTML),
  ),
  dateModify: modify,
  date_modify: modify,
  mustDateModify: mustModify,
  must_date_modify: mustModify,
  toDate: fn2(text, text, (layout, bytes, { host }) => parseTime(layout, bytes, localZone(host)) ?? Time.zero()),
  mustToDate: fn2(text, text, (layout, bytes, { host }) => {
    const found = parseTime(layout, bytes, localZone(host));
    if (found === undefined)
      throw new CallError(`parsing time "${bytes}" as "${layout}": it doesn't follow the layout`);
    return found;
  }),
  unixEpoch: fn1(time, (date) => String(date.seconds)),
  ago: fn1(any, (date, { host }) => {
    const passed = host.now() - timeOf(date, host, ['int', 'int64']).nanoseconds;
    return formatDuration(rounded(passed) * SECOND);
  }),
  duration: fn1(any, (seconds) => formatDuration(wholeSeconds(seconds) * SECOND)),
  durationRound: fn1(any, (value, { host }) => largestUnit(durationOf(value, host))),
};

/** sprig takes numbers of some types only. */
function timeOf(value: Value, host: TemplateHost, types: readonly string[] = ['int', 'int32', 'int64']): Time {
  if (value instanceof Time) return value;
  const isSeconds = value instanceof Integer && types.includes(value.type);
  return new Time(isSeconds ? value.value * SECOND : host.now(), localZone(host));
}

function localZone(host: TemplateHost): Zone {
  const bytes = host.localZone();
  return (bytes === undefined ? undefined : parseZone('Local', bytes)) ?? UTC;
}

/** UTC for a zone that isn't known, as in sprig. */
function zoneNamed(bytes: string, host: TemplateHost): Zone {
  const name = textOf(bytes);
  if (name === '' || name === 'UTC') return UTC;
  if (name === 'Local') return localZone(host);
  // A name is a path below the directory of zones, and stays below it.
  if (name.split('/').includes('..') || /^[/\\]/.test(name)) return UTC;
  const zone = host.zone(name);
  return (zone === undefined ? undefined : parseZone(name, zone)) ?? UTC;
}

/** Nanoseconds as whole seconds, half away from zero. */
function rounded(nanoseconds: bigint): bigint {
  const half = nanoseconds < 0n ? -SECOND / 2n : SECOND / 2n;
  return (nanoseconds + half) / SECOND;
}

function wholeSeconds(value: Value): bigint {
  if (value instanceof Integer) return value.type === 'int64' ? value.value : 0n;
  return typeof value === 'string' && /^[+-]?\d{1,18}$/.test(value) ? BigInt(value.replace('+', '')) : 0n;
}

function durationOf(value: Value, host: TemplateHost): bigint {
  if (typeof value === 'string') return parseDuration(value) ?? 0n;
  if (value instanceof Integer) return value.type === 'int64' ? value.value : 0n;
  return value instanceof Time ? host.now() - value.nanoseconds : 0n;
}

const HOUR = 3600n * SECOND;
const LARGE_UNITS: readonly (readonly [string, bigint])[] = [
  ['y', HOUR * 24n * 365n],
  ['mo', HOUR * 24n * 30n],
  ['d', HOUR * 24n],
  ['h', HOUR],
  ['m', 60n * SECOND],
  ['s', SECOND],
];

function largestUnit(duration: bigint): string {
  const length = duration < 0n ? -duration : duration;
  for (const [name, size] of LARGE_UNITS) if (length > size) return `${length / size}${name}`;
  return '0s';
}
