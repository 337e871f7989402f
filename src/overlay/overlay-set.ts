// All files of one overlay set on a mounted file system, and all sets of a directory. The directory is the owner's: other
// files in it are none of this program's business, and names in it are only compared, never believed.

import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../system/errors.ts';
import { type Candidate, inspectCandidate } from './candidate.ts';
import type { SetFacts } from './choose.ts';
import type { Fingerprint } from './fingerprint.ts';
import { cowFile, type Member, memberOf } from './names.ts';

export interface SetFile {
  file: string;
  member: Member;
}

/** The files of the set at `set` (a path on this machine), sorted by name; none where the directory isn't there. */
export function listSetFiles(set: string): SetFile[] {
  const directory = dirname(set);
  return namesIn(directory).flatMap((name) => {
    const member = memberOf(set, name);
    return member === undefined ? [] : [{ file: join(directory, name), member }];
  });
}

/** The digits of all bases that the set has a COW for. */
export function basesOf(set: string): string[] {
  return listSetFiles(set).flatMap(({ member }) =>
    member.kind === 'cow' && member.digits !== undefined ? [member.digits] : [],
  );
}

/** The sets of a directory: every file with a sidecar belongs to one. Sorted. */
export function findSets(directory: string): string[] {
  const names = namesIn(directory).flatMap((name) => {
    const own = /^(.+?)(?:\.[0-9a-f]{16})?(?:\.aside-[\dTZ-]+)?\.bind$/.exec(name)?.[1];
    return own === undefined ? [] : [join(directory, own)];
  });
  return [...new Set(names)];
}

/** Looks at what there is of a set for one base: what `chooseCow` decides on. */
export function inspectSet(
  set: string,
  fingerprint: Fingerprint,
  options: { shown: string; freeBytes: number },
): SetFacts {
  return {
    ...options,
    fingerprint,
    own: inspectCandidate(cowFile(set, fingerprint)),
    seed: inspectCandidate(set),
    others: basesOf(set),
  };
}

/** The COWs of a set, the seed among them. */
export function inspectMembers(set: string): { digits: string | undefined; candidate: Candidate }[] {
  return listSetFiles(set).flatMap(({ file, member }) =>
    member.kind === 'cow' ? [{ digits: member.digits, candidate: inspectCandidate(file) }] : [],
  );
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
