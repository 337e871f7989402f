// sprig's regular expressions, which are Go's (RE2).

import { RE2JS } from 're2js';
import type { Budget } from '../budget.ts';
import { CallError } from '../templateerror.ts';
import { bytesOf, isUtf8, textOf } from '../values/bytes.ts';
import { List, stringList } from '../values/list.ts';
import { type FunctionTable, fn1, fn2, fn3, type GoFunction } from './function.ts';
import { count, text } from './parameters.ts';

/** A match: where it stands in the text, and its groups. */
interface Match {
  start: number;
  end: number;
  groups: readonly (string | null)[];
  named: Readonly<Record<string, number>>;
}

const find = fn2(text, text, (pattern, bytes, { budget }) => {
  const [match] = matchesOf(pattern, textOf(bytes), 1, budget);
  return bytesOf(match?.groups[0] ?? '');
});
const findAll = fn3(text, text, count, (pattern, bytes, limit, { budget }) => {
  const matches = matchesOf(pattern, textOf(bytes), limit, budget);
  if (matches.length === 0) return new List('string', [], true);
  return stringList(matches.map(({ groups }) => bytesOf(groups[0] ?? '')));
});
const replace = replacer((match, template) => expand(template, match));
const replaceLiteral = replacer((_, template) => template);
const split = fn3(text, text, count, (pattern, bytes, limit, { budget }) => splitAt(pattern, bytes, limit, budget));

export const regex: FunctionTable = {
  regexMatch: fn2(text, text, (pattern, bytes, { budget }) => {
    try {
      return matchesOf(pattern, textOf(bytes), 1, budget).length > 0;
    } catch (error) {
      // sprig drops this one's error.
      if (error instanceof BadPattern) return false;
      throw error;
    }
  }),
  mustRegexMatch: fn2(
    text,
    text,
    (pattern, bytes, { budget }) => matchesOf(pattern, textOf(bytes), 1, budget).length > 0,
  ),
  regexFind: find,
  mustRegexFind: find,
  regexFindAll: findAll,
  mustRegexFindAll: findAll,
  regexReplaceAll: replace,
  mustRegexReplaceAll: replace,
  regexReplaceAllLiteral: replaceLiteral,
  mustRegexReplaceAllLiteral: replaceLiteral,
  regexSplit: split,
  mustRegexSplit: split,
  regexQuoteMeta: fn1(text, (bytes) => bytes.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')),
};

class BadPattern extends CallError {}

/** Up to `limit` matches that don't overlap, all when it is negative. Go passes over an empty one right behind another. */
function matchesOf(pattern: string, subject: string, limit: number, budget: Budget): Match[] {
  const compiled = compile(pattern, budget);
  const named = Object.fromEntries(Object.entries(compiled.namedGroups()));
  const matcher = compiled.matcher(subject);
  const matches: Match[] = [];
  let previousEnd = -1;
  let at = 0;
  while (at <= subject.length && (limit < 0 || matches.length < limit)) {
    budget.step(10);
    if (!matcher.find(at)) break;
    const [start, end] = [matcher.start(), matcher.end()];
    if (end > start || start !== previousEnd) {
      const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group));
      matches.push({ start, end, groups, named });
    }
    previousEnd = end;
    at = end > start ? end : end + ((subject.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
  }
  // The time that matching takes grows with both.
  budget.step(Math.ceil((subject.length * compiled.programSize()) / 100));
  return matches;
}

function compile(pattern: string, budget: Budget): RE2JS {
  budget.step(200 + pattern.length);
  if (!isUtf8(pattern)) throw new BadPattern('invalid UTF-8');
  try {
    return RE2JS.compile(textOf(pattern));
  } catch (error) {
    throw new BadPattern(error instanceof Error ? error.message : String(error));
  }
}

function replacer(replacement: (match: Match, template: string) => string): GoFunction {
  return fn3(text, text, text, (pattern, bytes, template, { budget }) => {
    const subject = textOf(bytes);
    let result = '';
    let at = 0;
    for (const match of matchesOf(pattern, subject, -1, budget)) {
      const inserted = replacement(match, textOf(template));
      budget.text(inserted.length);
      result += subject.slice(at, match.start) + inserted;
      at = match.end;
    }
    budget.text(result.length + subject.length - at);
    return bytesOf(result + subject.slice(at));
  });
}

/** `$1`, `${1}`, `${name}`; `$1x` is the group named `1x`, as in Go. */
function expand(template: string, { groups, named }: Match): string {
  return template.replace(/\$(?:(\$)|\{([\w\p{L}\p{Nd}]+)\}|([\w\p{L}\p{Nd}]+))/gu, (_, dollar, braced, plain) => {
    if (dollar !== undefined) return '$';
    const name: string = braced ?? plain;
    const group = /^\d+$/.test(name) ? Number(name) : named[name];
    return (group === undefined ? undefined : groups[group]) ?? '';
  });
}

function splitAt(pattern: string, bytes: string, limit: number, budget: Budget): List {
  compile(pattern, budget);
  if (limit === 0) return new List('string', [], true);
  const subject = textOf(bytes);
  if (pattern !== '' && subject === '') return stringList(['']);
  const parts: string[] = [];
  let [begin, end] = [0, 0];
  for (const match of matchesOf(pattern, subject, limit, budget)) {
    if (limit > 0 && parts.length === limit - 1) break;
    end = match.start;
    if (match.end !== 0) parts.push(subject.slice(begin, end));
    begin = match.end;
  }
  if (end !== subject.length) parts.push(subject.slice(begin));
  return stringList(parts.map(bytesOf));
}
