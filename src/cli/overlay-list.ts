// `holdfast overlay list`: the files of one set, or of every set at the top of a mounted file system.

import { basename, dirname } from 'node:path';
import { formatBytes } from '../lifecycle/sizes.ts';
import type { Candidate } from '../overlay/candidate.ts';
import { findSets, inspectMembers } from '../overlay/overlay-set.ts';
import { openSet } from '../overlay/set-place.ts';
import { listMounts } from '../system/mounts.ts';
import type { CommandContext } from './program.ts';

export async function overlayListCommand({ reporter, undo }: CommandContext, [text]: string[]): Promise<number> {
  const sets =
    text === undefined
      ? [...new Set(listMounts().map(({ mountPoint }) => mountPoint))].flatMap((directory) => findSets(directory))
      : [(await openSet(undo, text, { write: false })).set];
  const found = sets.map((set) => ({ set, members: inspectMembers(set) }));
  reporter.result(
    { sets: found },
    found.length === 0
      ? ['No overlay sets at the top of a mounted file system; name one to look elsewhere.']
      : found.flatMap(({ set, members }) => [
          `${basename(set)}  in ${dirname(set)}`,
          ...(members.length === 0
            ? ['  no files']
            : members.map(
                ({ digits, candidate }) => `  ${(digits ?? 'seed').padEnd(16)}  ${describeCandidate(candidate)}`,
              )),
        ]),
  );
  return found.some(({ members }) => members.length > 0) || text === undefined ? 0 : 1;
}

/** A file of a set in words. */
export function describeCandidate(candidate: Candidate): string {
  if (candidate.kind !== 'file') return `not usable: it is ${candidate.kind === 'link' ? 'a link' : candidate.kind}`;
  const { sizeBytes, start, binding, tries } = candidate;
  const bound =
    binding === undefined
      ? 'bound to no system'
      : 'problem' in binding
        ? `its sidecar can’t be used: ${binding.problem}`
        : `for ${binding.fingerprint.slice(0, 16)}, ${binding.state}, since ${binding.created}`;
  const content = {
    blank: 'blank',
    cow: 'in use',
    'not-a-cow': 'NOT A COW',
    'bad-header': 'DAMAGED',
  }[start.kind];
  const invalid = start.kind === 'cow' && !start.valid ? ', INVALID' : '';
  return [formatBytes(sizeBytes), content + invalid, bound, ...(tries > 0 ? [`${tries} failed tries`] : [])].join(', ');
}
