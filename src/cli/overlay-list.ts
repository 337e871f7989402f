// `holdfast overlay list`: the files of one set, or of every set at the top of a mounted disk. Disks only: what a network
// or a user's own file system answers may take for ever. What can't be read is a line, not the end.

import { basename, dirname } from 'node:path';
import { shown } from '../boot/layout-words.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import type { Candidate } from '../overlay/candidate.ts';
import { findSets, inspectMembers } from '../overlay/overlay-set.ts';
import { openSet } from '../overlay/set-place.ts';
import { messageOf } from '../system/errors.ts';
import { listMounts } from '../system/mounts.ts';
import type { CommandContext } from './program.ts';

interface FoundSet {
  set: string;
  members: ReturnType<typeof inspectMembers>;
  problem?: string;
}

export async function overlayListCommand({ reporter, undo }: CommandContext, [text]: string[]): Promise<number> {
  const { sets, problems } =
    text === undefined ? allSets() : { sets: [(await openSet(undo, text, { write: false })).set], problems: [] };
  const found = sets.map(look);
  for (const problem of problems) reporter.events({ type: 'notice', level: 'warning', text: problem });
  reporter.result(
    { sets: found },
    found.length === 0
      ? ['No overlay sets at the top of a mounted disk; name one to look elsewhere.']
      : found.flatMap(({ set, members, problem }) => [
          `${shown(basename(set))}  in ${shown(dirname(set))}`,
          ...(problem === undefined ? [] : [`  ${problem}`]),
          ...members.map(
            ({ digits, candidate }) => `  ${(digits ?? 'seed').padEnd(16)}  ${describeCandidate(candidate)}`,
          ),
          ...(members.length === 0 && problem === undefined ? ['  no files'] : []),
        ]),
  );
  return text === undefined || found.some(({ members }) => members.length > 0) ? 0 : 1;
}

/** At the top of each mounted disk; a disk that is mounted twice counts once. */
function allSets(): { sets: string[]; problems: string[] } {
  const sets: string[] = [];
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const { source, rootPath, device, mountPoint } of listMounts()) {
    if (!source.startsWith('/dev/') || rootPath !== '/' || seen.has(device)) continue;
    seen.add(device);
    try {
      sets.push(...findSets(mountPoint));
    } catch (error) {
      problems.push(`${mountPoint} can’t be looked at: ${messageOf(error)}`);
    }
  }
  return { sets, problems };
}

function look(set: string): FoundSet {
  try {
    return { set, members: inspectMembers(set) };
  } catch (error) {
    return { set, members: [], problem: `can’t be looked at: ${messageOf(error)}` };
  }
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
