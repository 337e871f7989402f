// What apt says when packages don't fit together: the list of unmet dependencies of apt up to 2.9, and the two conflicting
// assignments of apt 3's solver. Texts are those of LC_ALL=C.

import type { ConflictLink } from '../conflict.ts';

const RELATIONS: Readonly<Record<string, ConflictLink['relation']>> = {
  Depends: 'needs',
  'Pre-Depends': 'needs',
  PreDepends: 'needs',
  Recommends: 'needs',
  Conflicts: 'conflicts with',
  Breaks: 'breaks',
  Replaces: 'obsoletes',
};

/** A package of the list wants something that "is not going to be installed": the next link has to be asked for. */
export interface AptLink extends ConflictLink {
  /** The package that the next question is about. */
  next?: string;
}

/** All links of the list, in its order. */
export function parseAptConflict(text: string): AptLink[] {
  const lines = text.split('\n');
  const links: AptLink[] = [];
  let name: string | undefined;
  for (const line of lines) {
    const first = /^ (\S+) : (.*)$/.exec(line);
    if (first !== null) name = first[1];
    const rest = first?.[2] ?? /^ {5,}(\S.*)$/.exec(line)?.[1];
    if (name === undefined || rest === undefined) continue;
    const link = parseRelation(name.replace(/:[a-z0-9-]+$/, ''), rest);
    if (link !== undefined) links.push(link);
  }
  return links.length > 0 ? links : parseSolver(lines);
}

/** `Depends: libfoo (>= 2) but 1.0 is to be installed`. */
function parseRelation(name: string, text: string): AptLink | undefined {
  const [, word = '', wants = '', instead = ''] = /^([A-Z][A-Za-z-]+): (.+?)(?: but (.*))?$/.exec(text) ?? [];
  const relation = RELATIONS[word];
  if (relation === undefined) return undefined;
  const base = { name, relation, wants };
  const version = /^(\S+) is (to be )?installed/.exec(instead);
  if (version?.[1] !== undefined) {
    return { ...base, found: version[2] === undefined ? 'image' : 'other-version', foundVersion: version[1] };
  }
  if (/^it is not installable|^it is a virtual package/.test(instead)) return { ...base, found: 'nothing' };
  const next = /^([a-z0-9][a-z0-9+.-]*)/.exec(wants)?.[1];
  if (/^it is not (?:going to be )?installed/.test(instead) && next !== undefined) {
    return { ...base, found: 'unknown', next };
  }
  return { ...base, found: 'unknown' };
}

/** apt 3: `1. vim:amd64=2:9.1 is selected for install`, `2. vim:amd64 Depends libgpm2 (>= 1.20)` and what is below it. */
function parseSolver(lines: readonly string[]): AptLink[] {
  const links: AptLink[] = [];
  for (const [index, line] of lines.entries()) {
    const [, name, version, word = '', wants = ''] =
      /^\s+(?:\d+\. |- )?([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?(?:=(\S+))? (Depends|Pre-Depends|PreDepends|Conflicts|Breaks) (.+)$/.exec(
        line,
      ) ?? [];
    const relation = RELATIONS[word];
    if (name === undefined || relation === undefined) continue;
    const below = lines.slice(index + 1, index + 4).join('\n');
    const isMissing = /\[no choices\]|but none of the choices are installable/.test(below);
    links.push({
      name,
      ...(version !== undefined && { version }),
      relation,
      wants: wants.replace(/\[.*\]$/, '').trim(),
      found: isMissing ? 'nothing' : 'unknown',
    });
  }
  return links;
}

/** Whether the package or the network is what is missing, rather than a place for it. */
export function isUnavailableForApt(text: string): boolean {
  return (
    /^E: (?:Unable to locate package|Version '.*' for '.*' was not found|Package '.*' has no installation candidate|Couldn't find any package by|Failed to fetch|Unable to fetch some archives|The package cache file is corrupted)/m.test(
      text,
    ) || /Unable to locate package|has no installation candidate/.test(text)
  );
}

/** Whether apt has understood what was asked for and found no way. */
export function isConflictForApt(text: string): boolean {
  return /unmet dependencies|held broken packages|Unsatisfied dependencies|Unable to satisfy dependencies/.test(text);
}
