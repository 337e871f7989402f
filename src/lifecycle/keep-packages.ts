// Package files and the lock around the making of a slot: hooks in a new system get a store, and once that system is what
// boots, its own lock becomes the one that the next system goes by.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PackageCache } from '../owner/cache.ts';
import type { PackageLock } from '../owner/lock.ts';
import { readLock, readSlotLock, writeLock } from '../owner/lock-place.ts';
import { listRequests } from '../owner/owner-file.ts';
import { ownerFilePath, readOwnerFile } from '../owner/owner-place.ts';
import { type OpenStore, openPackageStore } from '../owner/package-store.ts';
import { wantedName } from '../owner/request.ts';
import { SLOT_FILES } from '../slots/names.ts';
import type { ApplyContext } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import type { BuildSlotState } from './build-slot.ts';
import { openSlotFile } from './target.ts';

/** The store for hooks in a new system: that of the check before them, or a new one. It goes when the plan ends. */
export function storeFor(context: Pick<ApplyContext, 'undo'>, state: BuildSlotState, root: Root): OpenStore {
  if (state.packageStore !== undefined) return state.packageStore;
  const { image } = state;
  const store = openPackageStore({
    root,
    places: state.owner,
    base: image?.kind === 'oci' ? image.digest : image?.source,
    now: new Date().toISOString(),
    choices: state.packageChoices,
  });
  state.packageStore = store;
  context.undo.always('remove what packages were fetched into', store.close);
  return store;
}

/**
 * The lock of the new active system becomes this machine's, and package files that neither it nor the one before names go.
 * Nothing is done where packages were never kept.
 */
export async function keepPackageLock(
  context: ApplyContext,
  { stateDirectory, workDirectory, owner }: Pick<BuildSlotState, 'stateDirectory' | 'workDirectory' | 'owner'>,
): Promise<void> {
  const { oem, persistent } = owner;
  if (oem === undefined) return;
  const { lock: old } = readLock(oem);
  if (old === undefined && !existsSync(ownerFilePath(oem))) return;
  const at = join(workDirectory, 'active-packages');
  const { root, close } = await openSlotFile(context.undo, join(stateDirectory, SLOT_FILES.active), at, {
    readOnly: true,
  });
  const { lock: made, problem } = readSlotLock(root);
  await close();
  if (problem !== undefined) context.warn(problem);
  const next = nextLock(old, made, wantedNames(oem));
  if (next !== undefined) writeLock(oem, next);
  if (persistent === undefined) return;
  // One generation more: the passive system may be what is started next.
  const named = [...(next?.packages ?? []), ...(old?.packages ?? [])];
  for (const name of new PackageCache(persistent).prune(named)) {
    context.events({ type: 'notice', level: 'debug', text: `removed the package file ${name}` });
  }
}

/**
 * What the new system has, and of what was installed before that which is still asked for and was left out this time. Pure.
 * @returns undefined where nothing was ever installed.
 */
export function nextLock(
  old: PackageLock | undefined,
  made: PackageLock | undefined,
  wanted: ReadonlySet<string>,
): PackageLock | undefined {
  const current = made ?? (old && { database: old.database, packages: [] });
  if (current === undefined || old === undefined || old.database !== current.database) return current;
  const there = new Set(current.packages.flatMap(({ neededBy }) => neededBy.map(wantedName)));
  const isMissing = (name: string) => wanted.has(wantedName(name)) && !there.has(wantedName(name));
  const keys = new Set(current.packages.map(({ name, architecture }) => `${name}:${architecture}`));
  const left = old.packages.filter(
    ({ name, architecture, neededBy }) => neededBy.some(isMissing) && !keys.has(`${name}:${architecture}`),
  );
  return { database: current.database, packages: [...current.packages, ...left] };
}

function wantedNames(oem: string): Set<string> {
  return new Set(
    listRequests(readOwnerFile(oem)).flatMap((one) =>
      one.kind === 'package' && one.wish === 'install' ? [wantedName(one.name)] : [],
    ),
  );
}
