// Which of two versions is newer, by the rules of each package manager (Debian Policy 5.6.12; rpmvercmp of rpm 4; apk-tools
// 2 and 3). Asking the manager for each pair would start a program for each, and a plan is to be a pure function.

import type { DatabaseName } from './model.ts';

/** Negative when `one` is older than `other`, 0 when neither is newer. */
export function compareVersions(database: DatabaseName, one: string, other: string): number {
  if (one === other) return 0;
  if (database === 'dpkg') return compareDebian(one, other);
  return database === 'rpm' ? compareRpm(one, other) : compareApk(one, other);
}

/** `epoch:upstream-revision`; absent parts count as 0 and as nothing. */
function compareDebian(one: string, other: string): number {
  const split = (version: string) => {
    const [, epoch = '0', rest = ''] = /^(?:(\d+):)?(.*)$/s.exec(version) ?? [];
    const dash = rest.lastIndexOf('-');
    return { epoch, upstream: dash < 0 ? rest : rest.slice(0, dash), revision: dash < 0 ? '' : rest.slice(dash + 1) };
  };
  const [a, b] = [split(one), split(other)];
  return (
    compareNumbers(a.epoch, b.epoch) ||
    compareDebianPart(a.upstream, b.upstream) ||
    compareDebianPart(a.revision, b.revision)
  );
}

/** Alternately what is no digit, where `~` sorts before the end and letters before other characters, and numbers. */
function compareDebianPart(one: string, other: string): number {
  const order = (character: string | undefined) => {
    if (character === undefined || /\d/.test(character)) return 0;
    if (character === '~') return -1;
    const code = character.charCodeAt(0);
    return /[A-Za-z]/.test(character) ? code : code + 256;
  };
  let [i, j] = [0, 0];
  while (i < one.length || j < other.length) {
    while (isNoDigit(one[i]) || isNoDigit(other[j])) {
      const difference = order(one[i]) - order(other[j]);
      if (difference !== 0) return difference;
      i += 1;
      j += 1;
    }
    const [a = '', b = ''] = [/^\d*/.exec(one.slice(i))?.[0], /^\d*/.exec(other.slice(j))?.[0]];
    const difference = compareNumbers(a, b);
    if (difference !== 0) return difference;
    i += a.length;
    j += b.length;
  }
  return 0;
}

function isNoDigit(character: string | undefined): boolean {
  return character !== undefined && !/\d/.test(character);
}

/** `epoch:version-release`; a release that one of them lacks isn't compared. */
function compareRpm(one: string, other: string): number {
  const split = (text: string) => {
    const [, epoch = '0', version = '', release] = /^(?:(\d+):)?([^-]*)(?:-(.*))?$/s.exec(text) ?? [];
    return { epoch, version, release };
  };
  const [a, b] = [split(one), split(other)];
  const difference = compareNumbers(a.epoch, b.epoch) || compareRpmPart(a.version, b.version);
  if (difference !== 0 || a.release === undefined || b.release === undefined) return difference;
  return compareRpmPart(a.release, b.release);
}

/** Segments of digits or letters; `~` sorts before the end, `^` after it but before anything else; all else separates. */
function compareRpmPart(one: string, other: string): number {
  const segments = (text: string) => text.match(/\d+|[A-Za-z]+|[~^]/g) ?? [];
  const [a, b] = [segments(one), segments(other)];
  for (let index = 0; ; index += 1) {
    const [left, right] = [a[index], b[index]];
    if (left === right) {
      if (left === undefined) return 0;
      continue;
    }
    if (left === '~' || right === '~') return left === '~' ? -1 : 1;
    if (left === '^' || right === '^') {
      if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
      return left === '^' ? -1 : 1;
    }
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const [isNumber, isOther] = [/\d/.test(left), /\d/.test(right)];
    if (isNumber !== isOther) return isNumber ? 1 : -1;
    const difference = isNumber ? compareNumbers(left, right) : compareText(left, right);
    if (difference !== 0) return difference;
  }
}

const APK = /^(\d+(?:\.\d+)*)([a-z]?)((?:_[a-z]+\d*)*)(?:~[0-9a-f]+)?(?:-r(\d+))?$/;
const APK_SUFFIXES = ['alpha', 'beta', 'pre', 'rc', '', 'cvs', 'svn', 'git', 'hg', 'p'];

/** `1.2.3b_rc1-r4`: numbers, a letter, suffixes of which some come before the release itself, and the revision. */
function compareApk(one: string, other: string): number {
  const [a, b] = [APK.exec(one), APK.exec(other)];
  // What apk itself would refuse; any order will do, if it is always the same.
  if (a === null || b === null) return compareText(one, other);
  const [, numbers = '', letter = '', suffixes = '', revision = '0'] = a;
  const [, otherNumbers = '', otherLetter = '', otherSuffixes = '', otherRevision = '0'] = b;
  return (
    compareApkNumbers(numbers, otherNumbers) ||
    compareText(letter, otherLetter) ||
    compareApkSuffixes(suffixes, otherSuffixes) ||
    compareNumbers(revision, otherRevision)
  );
}

function compareApkNumbers(one: string, other: string): number {
  const [a, b] = [one.split('.'), other.split('.')];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const [left, right] = [a[index], b[index]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    // As a fraction: 1.01 is older than 1.1.
    const asText = index > 0 && (left.startsWith('0') || right.startsWith('0'));
    const difference = asText ? compareText(left, right) : compareNumbers(left, right);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareApkSuffixes(one: string, other: string): number {
  const split = (text: string) =>
    [...text.matchAll(/_([a-z]+)(\d*)/g)].map(([, name = '', count = '']) => ({ name, count }));
  const [a, b] = [split(one), split(other)];
  const rank = (name: string) => APK_SUFFIXES.indexOf(name);
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const { name: left, count } = a[index] ?? { name: '', count: '' };
    const { name: right, count: otherCount } = b[index] ?? { name: '', count: '' };
    const difference = rank(left) - rank(right) || compareNumbers(count, otherCount);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whole numbers of any length. */
function compareNumbers(one: string, other: string): number {
  const [a, b] = [one.replace(/^0+/, ''), other.replace(/^0+/, '')];
  return a.length - b.length || compareText(a, b);
}

function compareText(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
