// Every path that is not in the new system what it is in the running one, from a comparison of both trees as they are on
// the disk. It is complete: what isn't in it is the same in both, but for what the list has no room for, which is counted.

import { compareTrees, type TreeDifference, type TreeObject, type TreePath } from '../ledger/compare-trees.ts';
import { textOfPath } from '../overlay/rebase/path-text.ts';
import { addDigests } from '../overlay/rebase/read-object.ts';
import type { Progress } from '../system/events.ts';
import { isSecretPath } from '../system/secret-paths.ts';
import { LIMITS, type PathChange, type PathState, type PlanDocument } from './document.ts';

export interface FoundDifferences {
  differences: readonly TreeDifference[];
  warnings: readonly string[];
}

/**
 * Compares the two mounted trees.
 * @param options.related both come from one clone.
 */
export async function findDifferences(
  before: string,
  after: string,
  options: { related: boolean; signal: AbortSignal; onProgress: (progress: Progress) => void },
): Promise<FoundDifferences> {
  const { differences, warnings } = await compareTrees(before, after, options);
  const fresh = differences.flatMap(({ path, after: object }) =>
    object === undefined ? [] : [[path, object] as const],
  );
  // Whoever compares the plan with what came of it needs to know what each file holds.
  await addDigests(after, fresh, options.signal);
  return { differences, warnings };
}

/** The part of the document. Pure. */
export function filesPart(differences: readonly TreeDifference[]): PlanDocument['files'] {
  const count = (kind: TreeDifference['kind']) => differences.filter((one) => one.kind === kind).length;
  const contentBytes = differences.reduce((sum, { kind, fields, after }) => {
    const isNew = kind === 'added' || fields.includes('content') || fields.includes('type');
    return isNew && after?.type === 'file' ? sum + after.sizeBytes : sum;
  }, 0);
  return {
    added: count('added'),
    removed: count('removed'),
    changed: count('changed'),
    contentBytes,
    paths: differences.slice(0, LIMITS.paths).map(pathChange),
    omitted: Math.max(0, differences.length - LIMITS.paths),
  };
}

function pathChange({ path, kind, fields, before, after }: TreeDifference): PathChange {
  return {
    ...textOfPath(path),
    change: kind,
    what: [...fields],
    ...(before && { before: stateOf(path, before) }),
    ...(after && { after: stateOf(path, after) }),
  };
}

function stateOf(path: TreePath, object: TreeObject): PathState {
  const { type, mode, uid, gid, sizeBytes, linkTarget } = object;
  // From its digest a short secret could be guessed.
  const digest = isSecretPath(`/${path}`) ? undefined : object.digest;
  return {
    type,
    mode: mode.toString(8).padStart(4, '0'),
    owner: `${uid}:${gid}`,
    ...(type === 'file' && { sizeBytes, ...(digest !== undefined && { sha256: digest.replace(/^sha256:/, '') }) }),
    ...(type === 'symlink' && { link: Buffer.from(linkTarget, 'latin1').toString('utf8') }),
  };
}
