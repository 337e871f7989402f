// What dnf 4, dnf 5, zypper and rpm say when packages don't fit together. All three name packages as NAME-VERSION-RELEASE.ARCH.

import type { ConflictLink } from '../conflict.ts';

/** `vim-enhanced-2:9.1-1.fc40.x86_64` as name and version. */
export function splitNevra(text: string): { name: string; version?: string } {
  const [, name, version, release] = /^(.+)-([^-]+)-([^-]+)\.[a-z0-9_]+$/.exec(text) ?? [];
  return name === undefined ? { name: text } : { name, version: `${version}-${release}` };
}

/**
 * dnf: what is below "Problem:", of all problems.
 * `- nothing provides X needed by P from R`, `package P from R requires X, but none of the providers can be installed`,
 * `cannot install both A from R and B from @System`, `P from R conflicts with X provided by B from @System`.
 */
export function parseDnfConflict(text: string): ConflictLink[] {
  const ofTheImage = [...text.matchAll(/problem with installed package (\S+)/g)].map(([, one]) => one);
  return text.split('\n').flatMap((line): ConflictLink[] => {
    const said = line.replace(/^\s*(?:Problem(?: \d+)?:|-)\s*/, '').replace(/^package /, '');
    const nothing = /^nothing provides (.+) needed by (\S+)/.exec(said);
    if (nothing !== null)
      return [{ ...splitNevra(nothing[2] ?? ''), relation: 'needs', wants: nothing[1] ?? '', found: 'nothing' }];
    const needs = /^(\S+) (?:from \S+ )?requires (.+?), but none of the providers can be installed/.exec(said);
    if (needs !== null)
      return [{ ...splitNevra(needs[1] ?? ''), relation: 'needs', wants: needs[2] ?? '', found: 'unknown' }];
    const both = /^cannot install both (\S+) (?:from \S+ )?and (\S+)(?: from (\S+))?/.exec(said);
    if (both !== null) {
      const [one, other] = [splitNevra(both[1] ?? ''), splitNevra(both[2] ?? '')];
      const found = both[3] === '@System' ? 'image' : 'other-version';
      return [{ ...one, relation: 'conflicts with', wants: other.name, found, ...withVersion(other.version) }];
    }
    const against =
      /^(\S+) (?:from \S+ )?(conflicts with|obsoletes) (\S+(?: [<>=]+ \S+)?) provided by (\S+)(?: from (\S+))?/.exec(
        said,
      );
    if (against === null) return [];
    const other = splitNevra(against[4] ?? '');
    return [
      {
        ...splitNevra(against[1] ?? ''),
        relation: against[2] === 'obsoletes' ? 'obsoletes' : 'conflicts with',
        wants: against[3] ?? '',
        found: against[5] === '@System' || ofTheImage.includes(against[4]) ? 'image' : 'other-version',
        ...withVersion(other.version),
      },
    ];
  });
}

/**
 * zypper: `nothing provides 'X' needed by the to be installed P`, `the to be installed P requires 'X', but this requirement
 * cannot be provided`, `the to be installed P conflicts with 'X' provided by the installed Q`.
 */
export function parseZypperConflict(text: string): ConflictLink[] {
  return text.split('\n').flatMap((line): ConflictLink[] => {
    const said = line.replace(/^\s*(?:Problem:|-)?\s*(?:\d+: )?/, '');
    const nothing = /^nothing provides '?([^']+?)'? needed by (?:the to be installed |the installed )?(\S+)/.exec(said);
    if (nothing !== null)
      return [{ ...splitNevra(nothing[2] ?? ''), relation: 'needs', wants: nothing[1] ?? '', found: 'nothing' }];
    const needs = /^(?:the to be installed )?(\S+) requires '?([^']+?)'?, but this requirement cannot be provided/.exec(
      said,
    );
    if (needs !== null)
      return [{ ...splitNevra(needs[1] ?? ''), relation: 'needs', wants: needs[2] ?? '', found: 'unknown' }];
    const against =
      /^(?:the to be installed )?(\S+) (conflicts with|obsoletes) '?([^']+?)'? provided by (?:the (installed|to be installed) )?(\S+)/.exec(
        said,
      );
    if (against === null) return [];
    const isThere = against[4] === 'installed' || text.includes(`deinstallation of ${against[5]}`);
    return [
      {
        ...splitNevra(against[1] ?? ''),
        relation: against[2] === 'obsoletes' ? 'obsoletes' : 'conflicts with',
        wants: against[3] ?? '',
        found: isThere ? 'image' : 'other-version',
        ...withVersion(splitNevra(against[5] ?? '').version),
      },
    ];
  });
}

/** rpm: `lib >= 2 is needed by tool-1.0-1.noarch`, `a conflicts with b-1.0-1.noarch`. */
export function parseRpmConflict(text: string): ConflictLink[] {
  return text.split('\n').flatMap((line): ConflictLink[] => {
    const needed = /^\s+(\S.*) is needed by (?:\(installed\) )?(\S+)$/.exec(line);
    if (needed !== null)
      return [{ ...splitNevra(needed[2] ?? ''), relation: 'needs', wants: needed[1] ?? '', found: 'nothing' }];
    const against = /^\s+(\S.*) (conflicts with|is obsoleted by) (?:\(installed\) )?(\S+)$/.exec(line);
    if (against === null) return [];
    const other = splitNevra(against[3] ?? '');
    const relation = against[2] === 'conflicts with' ? 'conflicts with' : 'obsoletes';
    return [
      { ...splitNevra(against[1] ?? ''), relation, wants: other.name, found: 'image', ...withVersion(other.version) },
    ];
  });
}

/** The links from a request to what is missing: each wants something of the next one. */
export function chainFrom(request: string, links: readonly ConflictLink[]): ConflictLink[] {
  const reason = links.find(({ found }) => found !== 'unknown') ?? links[0];
  if (reason === undefined) return [];
  const chain = [reason];
  for (let first = reason; first.name !== request; ) {
    const above = links.find((link) => !chain.includes(link) && wantedName(link.wants) === first.name);
    // The solver doesn't always say how it got there.
    if (above === undefined) {
      const way = links.find((link) => !chain.includes(link) && link.name === request && link.found === 'unknown');
      return way === undefined ? chain : [way, ...chain];
    }
    chain.unshift(above);
    first = above;
  }
  return chain;
}

function wantedName(wants: string): string {
  return /^[^\s<>=(]+/.exec(wants)?.[0] ?? wants;
}

function withVersion(foundVersion: string | undefined): Pick<ConflictLink, 'foundVersion'> {
  return foundVersion === undefined ? {} : { foundVersion };
}
