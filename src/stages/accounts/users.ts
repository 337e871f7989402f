// All users of one step, in one change of the account files. One that can't be made doesn't keep the others from it.

import { errnoOf, HoldfastError } from '../../system/errors.ts';
import type { Root } from '../../system/root.ts';
import { placeDirectory } from '../placement.ts';
import type { StepContext } from '../steps/handler.ts';
import type { AccountDatabase } from './database.ts';
import { readDefaults, type UserDefaults } from './defaults.ts';
import { editAccounts } from './edit.ts';
import { daysSinceEpoch } from './fields.ts';
import { parseId } from './ids.ts';
import { type EnsuredUser, ensureUser, type Home, type Surroundings } from './user.ts';
import type { UserRequest } from './userrequest.ts';

type Attempt = { name: string; ensured: EnsuredUser } | { name: string; error: unknown };

const PARENTS = { mode: 0o755, uid: 0, gid: 0 };

/**
 * Makes sure that users are there, each in turn.
 * @returns the names of those that are.
 * @throws HoldfastError when the account files can't be changed at all.
 */
export async function ensureUsers(
  requests: readonly (readonly [string, UserRequest])[],
  { root, signal, warn, fail, changed, edited }: StepContext,
): Promise<ReadonlySet<string>> {
  const defaults = readDefaults(root);
  const reserved = reserveUids(root, defaults, requests);
  const around = { root, defaults, today: daysSinceEpoch(Date.now()), reservedUids: reserved };
  const { result, written } = await editAccounts(
    root,
    { signal },
    (database) => attemptAll(database, requests, around),
    (attempts) => {
      for (const attempt of attempts) {
        if (!('ensured' in attempt) || attempt.ensured.home === undefined) continue;
        try {
          placeHome(root, attempt.ensured.home).forEach(changed);
        } catch (error) {
          fail(error);
        }
      }
    },
  );
  for (const attempt of result) {
    if ('error' in attempt) fail(attempt.error);
    else attempt.ensured.warnings.forEach(warn);
  }
  written.forEach(edited);
  return new Set(result.flatMap((attempt) => ('ensured' in attempt ? [attempt.name] : [])));
}

/** One that needs another's group is tried again once that one is there. */
function attemptAll(
  database: AccountDatabase,
  requests: readonly (readonly [string, UserRequest])[],
  around: Surroundings,
): Attempt[] {
  const attempts = new Map<string, Attempt>();
  for (let failed = -1; ; ) {
    const pending = requests.filter(([name]) => !('ensured' in (attempts.get(name) ?? {})));
    if (pending.length === 0 || pending.length === failed) return [...attempts.values()];
    failed = pending.length;
    for (const [name, wanted] of pending) {
      try {
        attempts.set(name, { name, ensured: ensureUser(database, name, wanted, around) });
      } catch (error) {
        attempts.set(name, { name, error });
      }
    }
  }
}

/** yip: 0755, nothing is copied into it; one that is there keeps its mode. */
function placeHome(root: Root, { path, uid, gid }: Home): string[] {
  const mode = (root.stat(path)?.mode ?? 0o755) & 0o7777;
  return placeDirectory(root, path, { uid, gid, mode }, PARENTS);
}

/**
 * Numbers that other users of the step ask for, and those of the owners of homes: /etc/passwd may be made anew at every
 * boot while /home stays, and then the next user must not get the files of the one before.
 */
function reserveUids(
  root: Root,
  { base }: UserDefaults,
  requests: readonly (readonly [string, UserRequest])[],
): () => ReadonlySet<number> {
  let reserved: ReadonlySet<number> | undefined;
  return () => {
    reserved ??= new Set([
      ...requests.flatMap(([, { uid }]) => parseId(uid ?? '') ?? []),
      ...requests.flatMap(([, { homedir }]) => (homedir ? ownerOf(root, homedir) : [])),
      ...root.list(base).flatMap((name) => ownerOf(root, `${base}/${name}`)),
    ]);
    return reserved;
  };
}

function ownerOf(root: Root, path: string): number[] {
  try {
    const uid = root.stat(path)?.uid;
    return uid === undefined ? [] : [uid];
  } catch (error) {
    // Links in a circle lead to nobody's home.
    if (error instanceof HoldfastError || errnoOf(error) === 'ELOOP') return [];
    throw error;
  }
}
