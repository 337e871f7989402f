// Semantic versions and constraints on them, by the rules of Masterminds/semver, which sprig uses.

import { CallError } from '../templateerror.ts';
import { Integer } from '../values/integer.ts';
import { Opaque } from '../values/opaque.ts';
import type { Value } from '../values/value.ts';
import { type FunctionTable, fn0, fn1, fn2, type GoFunction } from './function.ts';
import { opaque, text } from './parameters.ts';

const PRERELEASE = '(?:-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?';
const METADATA = '(?:\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?';
const VERSION = new RegExp(`^v?(\\d+)(?:\\.(\\d+))?(?:\\.(\\d+))?${PRERELEASE}${METADATA}$`);
const PART = '[\\dxX*|]+';
const WILD = `v?${PART}(?:\\.${PART})?(?:\\.${PART})?(?:-[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?`;
const OPERATOR = '!=|>=|=>|<=|=<|~>|=|>|<|~|\\^|';
const ONE = `(?:${OPERATOR})\\s*${WILD}`;
const CONSTRAINTS = new RegExp(`^\\s*${ONE}\\s*(?:(?:\\s+|,\\s*)${ONE}\\s*)*$`);
const RANGE = new RegExp(`\\s*(${WILD})\\s+-\\s+(${WILD})\\s*`, 'g');
const MAX_PART = (1n << 64n) - 1n;
/** Long enough for every version, and short enough for patterns that look back. */
const MAX_LENGTH = 1000;

export class Version extends Opaque {
  readonly type = '*semver.Version';
  readonly kind = 'ptr';
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  readonly prerelease: string;
  readonly metadata: string;
  readonly original: string;

  /** @throws CallError when it is none. */
  constructor(original: string) {
    super();
    const match = original.length > MAX_LENGTH ? null : original.match(VERSION);
    if (match === null) throw new CallError('Invalid Semantic Version');
    const [, major = '0', minor = '0', patch = '0', prerelease = '', metadata = ''] = match;
    const numbers = [major, minor, patch].map(BigInt);
    if (numbers.some((number) => number > MAX_PART)) throw new CallError('Error parsing version segment: too large');
    if (prerelease.split('.').some((part) => /^0\d+$/.test(part))) {
      throw new CallError('Version segment starts with 0');
    }
    [this.major = 0n, this.minor = 0n, this.patch = 0n] = numbers;
    this.prerelease = prerelease;
    this.metadata = metadata;
    this.original = original;
  }

  override toString(): string {
    const { major, minor, patch, prerelease, metadata } = this;
    return `${major}.${minor}.${patch}${prerelease && `-${prerelease}`}${metadata && `+${metadata}`}`;
  }

  override method(name: string): GoFunction | undefined {
    return METHODS.get(name)?.(this);
  }

  /** Negative, 0 or positive; what stands behind `+` doesn't count. */
  compare(other: Version): number {
    return (
      order(this.major, other.major) ||
      order(this.minor, other.minor) ||
      order(this.patch, other.patch) ||
      comparePrereleases(this.prerelease, other.prerelease)
    );
  }
}

const version = opaque('*semver.Version', (value): value is Version => value instanceof Version);
const number = (read: (version: Version) => bigint) => (self: Version) => fn0(() => new Integer('uint64', read(self)));
const plain = (read: (version: Version) => Value) => (self: Version) => fn0(() => read(self));
const compared = (holds: (order: number) => boolean) => (self: Version) =>
  fn1(version, (other) => holds(self.compare(other)));

const METHODS = new Map<string, (self: Version) => GoFunction>([
  ['Major', number(({ major }) => major)],
  ['Minor', number(({ minor }) => minor)],
  ['Patch', number(({ patch }) => patch)],
  ['Prerelease', plain(({ prerelease }) => prerelease)],
  ['Metadata', plain(({ metadata }) => metadata)],
  ['Original', plain(({ original }) => original)],
  ['String', plain((self) => self.toString())],
  ['Compare', (self) => fn1(version, (other) => new Integer('int', BigInt(self.compare(other))))],
  ['Equal', compared((value) => value === 0)],
  ['GreaterThan', compared((value) => value > 0)],
  ['LessThan', compared((value) => value < 0)],
]);

export const versions: FunctionTable = {
  semver: fn1(text, (bytes) => new Version(bytes)),
  semverCompare: fn2(text, text, (constraints, bytes) => {
    const alternatives = parseConstraints(constraints);
    const found = new Version(bytes);
    return alternatives.some((all) => all.every((constraint) => meets(found, constraint)));
  }),
};

function order<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function comparePrereleases(a: string, b: string): number {
  if (a === '' || b === '') return a === b ? 0 : a === '' ? 1 : -1;
  const [left, right] = [a.split('.'), b.split('.')];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = compareParts(left[at] ?? '', right[at] ?? '');
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Numbers come before words, nothing before anything. */
function compareParts(a: string, b: string): number {
  if (a === '' || b === '') return order(a, b);
  const [aIsNumber, bIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aIsNumber && bIsNumber) return order(BigInt(a), BigInt(b));
  return aIsNumber === bIsNumber ? order(a, b) : aIsNumber ? -1 : 1;
}

interface Constraint {
  operator: string;
  version: Version;
  /** How many numbers of the version count: `1.2.x` has two. */
  given: 0 | 1 | 2 | 3;
}

/** Alternatives, each a list of constraints that must all be met. */
function parseConstraints(bytes: string): Constraint[][] {
  if (bytes.length > MAX_LENGTH) throw new CallError('improper constraint: too long');
  const spelled = bytes.replace(RANGE, (_, from: string, to: string) => `>= ${from}, <= ${to} `);
  return spelled.split('||').map((part) => {
    if (!CONSTRAINTS.test(part)) throw new CallError(`improper constraint: ${part}`);
    return [...part.matchAll(new RegExp(`(${OPERATOR})\\s*(${WILD})`, 'g'))].map(([, operator = '', text = '']) =>
      parseConstraint(operator, text),
    );
  });
}

function parseConstraint(operator: string, text: string): Constraint {
  const [, numbers = '', tail = ''] = text.match(/^v?([^-+]*)(.*)$/) ?? [];
  const parts = numbers.split('.');
  const wild = parts.findIndex((part) => /^[xX*]$/.test(part));
  const known = wild < 0 ? parts : parts.slice(0, wild);
  const prerelease = tail.startsWith('-') ? (tail.split('+')[0] ?? '') : '';
  const full = [...known, '0', '0', '0'].slice(0, 3).join('.');
  try {
    const given = known.length === 0 ? 0 : known.length === 1 ? 1 : known.length === 2 ? 2 : 3;
    return { operator, version: new Version(full + (given === 3 ? tail : prerelease)), given };
  } catch {
    throw new CallError('constraint Parser Error');
  }
}

function meets(found: Version, { operator, version: wanted, given }: Constraint): boolean {
  const difference = found.compare(wanted);
  // A prerelease is meant only where the constraint names one.
  const prereleaseUnasked = found.prerelease !== '' && wanted.prerelease === '';
  const sameMajor = found.major === wanted.major;
  const sameMinor = found.minor === wanted.minor;
  switch (operator) {
    case '!=':
      return differs(found, wanted, given, prereleaseUnasked);
    case '>':
      if (prereleaseUnasked) return false;
      if (given === 3) return difference > 0;
      if (!sameMajor) return found.major > wanted.major;
      return given === 2 && found.minor > wanted.minor;
    case '<':
      return !prereleaseUnasked && difference < 0;
    case '>=':
    case '=>':
      return !prereleaseUnasked && difference >= 0;
    case '<=':
    case '=<':
      if (prereleaseUnasked) return false;
      if (given === 3) return difference <= 0;
      if (found.major > wanted.major) return false;
      return !(sameMajor && found.minor > wanted.minor && given === 2);
    case '^':
      return !prereleaseUnasked && difference >= 0 && sameLine(found, wanted, given);
    default: {
      if (prereleaseUnasked) return false;
      const isTilde = operator.startsWith('~');
      if (!isTilde && given === 3) return difference === 0;
      if (difference < 0) return false;
      const zero = wanted.major === 0n && wanted.minor === 0n && wanted.patch === 0n;
      // `~0.0.0` and `~*` take everything.
      if (zero && (given === 3 || given === 0)) return true;
      return sameMajor && (sameMinor || given === 1);
    }
  }
}

function differs(found: Version, wanted: Version, given: number, prereleaseUnasked: boolean): boolean {
  if (given === 3) return found.compare(wanted) !== 0;
  if (prereleaseUnasked) return false;
  if (found.major !== wanted.major) return true;
  if (given === 1) return false;
  if (found.minor !== wanted.minor) return true;
  if (given === 0) return found.patch !== wanted.patch || found.compare(wanted) !== 0;
  return comparePrereleases(found.prerelease, wanted.prerelease) !== 0;
}

/** `^`: nothing may change left of the first number that isn't zero. */
function sameLine(found: Version, wanted: Version, given: number): boolean {
  if (wanted.major > 0n || given === 1) return found.major === wanted.major;
  if (found.major > 0n) return false;
  if (wanted.minor > 0n || given === 2) return found.minor === wanted.minor;
  if (found.minor > 0n) return false;
  return found.patch === wanted.patch;
}
