// One change of the account files as a whole: worked out without a lock, since at most boots there is nothing to do;
// then, if there is, under the locks, on what the files hold by then, each file replaced with its mode and owner kept.

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsyncPath, stageFile, type WriteFileOptions } from '../../system/durable.ts';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import type { Root } from '../../system/root.ts';
import { writing } from '../placement.ts';
import { AccountDatabase, type AccountFile } from './database.ts';
import { type LockOptions, waitForPasswordLock, withAccountLocks } from './locks.ts';

/** How often a change is worked out anew because another program, which takes no lock, came first. */
const ATTEMPTS = 5;
/** Where a rename onto the file isn't possible although writing is: a file that is a mount point of its own. */
const IN_PLACE = new Set(['EBUSY', 'EXDEV']);

export interface EditOptions extends LockOptions {
  /** Files in other places than /etc. */
  paths?: Partial<Record<AccountFile, string>>;
}

export interface Edited<T> {
  result: T;
  /** Files inside the root that were replaced. */
  written: readonly string[];
}

/**
 * Changes account files, all of them or none.
 * @param change edits the database. It is called again when another program was faster, so it must have no other effect.
 * @param prepare called once before the files are replaced, under the locks, with what `change` returned last.
 * @throws HoldfastError HF-LOCKED when another program keeps the files locked; what `change` throws.
 */
export async function editAccounts<T>(
  root: Root,
  options: EditOptions,
  change: (database: AccountDatabase) => T,
  prepare: (result: T) => void = () => {},
): Promise<Edited<T>> {
  const first = new AccountDatabase(root, options.paths);
  const result = change(first);
  if (first.changes().length === 0) return { result, written: [] };
  return withAccountLocks(root, first.paths(), options, async () => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const database = new AccountDatabase(root, options.paths);
      const result = change(database);
      const staged = stageChanges(root, database);
      try {
        await waitForPasswordLock(root, options);
        if (!database.isCurrent()) continue;
        prepare(result);
        for (const { path, temporary, target, content } of staged)
          writing(path, () => replace(temporary, target, content));
        for (const directory of new Set(staged.map(({ target }) => dirname(target)))) fsyncPath(directory);
        return { result, written: staged.map(({ path }) => path) };
      } finally {
        for (const { temporary } of staged) rmSync(temporary, { force: true });
      }
    }
    throw new HoldfastError('HF-LOCKED', 'another program keeps changing the account files');
  });
}

interface StagedFile {
  path: string;
  target: string;
  temporary: string;
  content: Uint8Array;
}

function stageChanges(root: Root, database: AccountDatabase): StagedFile[] {
  const staged: StagedFile[] = [];
  try {
    for (const { file, stored } of database.changes()) {
      const target = root.resolve(stored.path);
      const content = stored.table.toBytes();
      const options = stored.stats === undefined ? modeOfNew(file, database) : {};
      const temporary = writing(stored.path, () => stageFile(target, content, options));
      staged.push({ path: stored.path, target, content, temporary });
    }
    return staged;
  } catch (error) {
    for (const { temporary } of staged) rmSync(temporary, { force: true });
    throw error;
  }
}

/** Debian and SUSE let the group shadow read the passwords' hashes; where there is no such group, only root may. */
function modeOfNew(file: AccountFile, database: AccountDatabase): WriteFileOptions {
  if (file === 'gshadow') return { mode: 0o400 };
  if (file !== 'shadow') return { mode: 0o644 };
  const gid = database.group('shadow')?.gid;
  return gid === undefined || Number.isNaN(gid) || process.getuid?.() !== 0 ? { mode: 0o600 } : { mode: 0o640, gid };
}

function replace(temporary: string, target: string, content: Uint8Array): void {
  try {
    renameSync(temporary, target);
  } catch (error) {
    if (!IN_PLACE.has(errnoOf(error) ?? '')) throw error;
    writeFileSync(target, content);
  }
}
