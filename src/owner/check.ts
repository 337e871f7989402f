// Whether the packages that are asked for fit into a new system, found out before anything is installed in it: each one that
// doesn't is explained. Nothing of the tree changes.

import { Facts } from '../stages/facts.ts';
import { findManager } from '../stages/packages/manager.ts';
import { tailOf } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { PackageCache } from './cache.ts';
import type { Conflict } from './conflict.ts';
import { type Attempt, type Installer, outputOf, type Source } from './installer.ts';
import { installerFor } from './installers/all.ts';
import { keptFilesFor } from './kept-files.ts';
import { readLock } from './lock-place.ts';
import type { StorePlaces } from './package-store.ts';
import { makeWorkPlace } from './work-place.ts';

export interface CheckRequest {
  root: Root;
  places: StorePlaces;
  /** As they are asked for. */
  names: readonly string[];
  signal: AbortSignal | undefined;
  onOutput: (line: string) => void;
}

export interface CheckResult {
  conflicts: Conflict[];
  /** Damaged files that were kept. */
  problems: string[];
}

/** Asks the package manager of the tree about all of them. */
export async function checkPackages(request: CheckRequest): Promise<CheckResult> {
  const { root, places, names, signal, onOutput } = request;
  const manager = findManager(new Facts(root));
  if (manager === undefined || names.length === 0) return { conflicts: [], problems: [] };
  const work = makeWorkPlace(root, places.persistent);
  try {
    const installer = installerFor({ root, manager, work, signal, onOutput });
    if (installer === undefined) return { conflicts: [], problems: [] };
    await installer.prepare();
    return await check(installer, request);
  } finally {
    work.remove();
  }
}

const REPOSITORIES: Source = { from: 'repositories' };

async function check(installer: Installer, { names, places }: CheckRequest): Promise<CheckResult> {
  const together = await installer.simulate(names, REPOSITORIES);
  if (together.outcome === 'ok') return { conflicts: [], problems: [] };
  const conflicts: Conflict[] = [];
  const problems = new Set<string>();
  for (const name of names) {
    const alone = names.length === 1 ? together : await installer.simulate([name], REPOSITORIES);
    if (alone.outcome === 'ok') continue;
    if (alone.outcome === 'unavailable') {
      const kept = await tryKept(installer, name, places, problems);
      if (kept.outcome === 'ok') continue;
      const source = kept.source ?? REPOSITORIES;
      const { result } = kept.outcome === 'conflict' ? kept : alone;
      conflicts.push(
        kept.outcome === 'conflict' ? await installer.explain(name, source, result) : notToBeHad(name, alone),
      );
      continue;
    }
    if (alone.outcome === 'conflict') conflicts.push(await installer.explain(name, REPOSITORIES, alone.result));
    // Whatever else is wrong with the package manager, the hook fails over it in its own words.
  }
  // Each fits alone, and not beside the others.
  if (conflicts.length === 0 && together.outcome === 'conflict') {
    for (const name of names) {
      const explained = await installer.explain(name, REPOSITORIES, together.result);
      if (explained.chain.length > 0) conflicts.push(explained);
    }
  }
  return { conflicts, problems: [...problems] };
}

async function tryKept(
  installer: Installer,
  name: string,
  places: StorePlaces,
  problems: Set<string>,
): Promise<Attempt & { source?: Source }> {
  const { oem, persistent } = places;
  const { lock } = oem === undefined ? { lock: undefined } : readLock(oem);
  const none = { outcome: 'unavailable' as const, result: NO_RESULT };
  if (lock === undefined || persistent === undefined || lock.database !== installer.database) return none;
  const kept = keptFilesFor([name], lock, new PackageCache(persistent));
  for (const problem of kept.problems) problems.add(problem);
  if (kept.files.length === 0) return none;
  const source: Source = { from: 'kept', files: kept.files };
  return { ...(await installer.simulate([name], source)), source };
}

const NO_RESULT = { argv: [], status: null, signal: null, stdout: '', stderr: '', durationMs: 0 };

function notToBeHad(name: string, { result }: Exclude<Attempt, { outcome: 'ok' }>): Conflict {
  return { request: name, chain: [], isMissing: true, outputTail: tailOf(outputOf(result).trim()) };
}
