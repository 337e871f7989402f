// The account files of a root as one database in memory: users, groups and passwords by name and number. Files are read
// when first asked for; what becomes of the changes is decided in edit.ts.

import { readFileSync, type Stats, statSync } from 'node:fs';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import type { Root } from '../../system/root.ts';
import { ColonFile } from './colonfile.ts';

/** Fields of a record, by file: passwd(5), shadow(5), group(5), gshadow(5), subuid(5). */
const FIELD_COUNTS = { subuid: 3, subgid: 3, gshadow: 4, group: 4, shadow: 9, passwd: 7 } as const;

export type AccountFile = keyof typeof FIELD_COUNTS;

/**
 * In the order in which they are written: a user is seen once it is in passwd, and then everything else of it is there,
 * also when the power fails in between.
 */
const FILES = Object.keys(FIELD_COUNTS) as readonly AccountFile[];

export interface User {
  name: string;
  password: string;
  uid: number;
  gid: number;
  info: string;
  home: string;
  shell: string;
}

export interface Group {
  name: string;
  password: string;
  /** NaN in a broken line. */
  gid: number;
  members: readonly string[];
}

/** A file as it was when it was read. */
export interface StoredFile {
  /** Inside the root. */
  path: string;
  /** undefined: it isn't there. */
  stats: Stats | undefined;
  table: ColonFile;
}

export class AccountDatabase {
  readonly #root: Root;
  readonly #paths: Partial<Record<AccountFile, string>>;
  readonly #files = new Map<AccountFile, StoredFile>();

  /** @param paths files in other places than /etc. */
  constructor(root: Root, paths: Partial<Record<AccountFile, string>> = {}) {
    this.#root = root;
    this.#paths = paths;
  }

  has(file: AccountFile): boolean {
    return this.#file(file).stats !== undefined;
  }

  /** A file to read or edit; a missing one is empty, and is made when it is written. */
  table(file: AccountFile): ColonFile {
    return this.#file(file).table;
  }

  /** @throws HoldfastError HF-CONFIG when the file isn't there. */
  existing(file: AccountFile): ColonFile {
    const { path, stats, table } = this.#file(file);
    if (stats === undefined) throw new HoldfastError('HF-CONFIG', `there is no file ${path} to put accounts into`);
    return table;
  }

  users(): User[] {
    return [...this.table('passwd').records()].map(toUser);
  }

  user(name: string): User | undefined {
    const fields = this.table('passwd').find(name);
    return fields === undefined ? undefined : toUser(fields);
  }

  groups(): Group[] {
    return [...this.table('group').records()].map(toGroup);
  }

  group(name: string): Group | undefined {
    const fields = this.table('group').find(name);
    return fields === undefined ? undefined : toGroup(fields);
  }

  /** The password field of shadow; undefined when the user has none there. */
  passwordOf(name: string): string | undefined {
    return this.table('shadow').find(name)?.[1];
  }

  /** The files that were read and are there, in the order in which shadow's tools lock them. */
  paths(): string[] {
    return [...FILES].reverse().flatMap((file) => {
      const stored = this.#files.get(file);
      return stored?.stats === undefined ? [] : [stored.path];
    });
  }

  /** What has been changed, in the order in which it is to be written. */
  changes(): { file: AccountFile; stored: StoredFile }[] {
    return FILES.flatMap((file) => {
      const stored = this.#files.get(file);
      return stored?.table.changed ? [{ file, stored }] : [];
    });
  }

  /** Whether all files that were read are still the same; every program that writes them gives them a new inode or time. */
  isCurrent(): boolean {
    return [...this.#files.values()].every(({ path, stats }) => {
      const now = statSync(this.#root.resolve(path), { throwIfNoEntry: false });
      return (
        now?.ino === stats?.ino &&
        now?.size === stats?.size &&
        now?.mtimeMs === stats?.mtimeMs &&
        now?.ctimeMs === stats?.ctimeMs
      );
    });
  }

  #file(file: AccountFile): StoredFile {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const path = this.#paths[file] ?? `/etc/${file}`;
    const target = this.#root.resolve(path);
    // The times first: a change between the two is then noticed later.
    const stats = statSync(target, { throwIfNoEntry: false });
    if (stats !== undefined && !stats.isFile()) throw new HoldfastError('HF-CONFIG', `${path} is no regular file`);
    const stored = { path, stats, table: new ColonFile(readIfThere(target), FIELD_COUNTS[file]) };
    this.#files.set(file, stored);
    return stored;
  }
}

function readIfThere(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return new Uint8Array();
    throw error;
  }
}

function toUser([name = '', password = '', uid = '', gid = '', info = '', home = '', shell = '']: readonly string[]) {
  return { name, password, uid: toId(uid), gid: toId(gid), info, home, shell };
}

function toGroup([name = '', password = '', gid = '', members = '']: readonly string[]): Group {
  return { name, password, gid: toId(gid), members: splitNames(members) };
}

/** NaN for what is no number, which equals no id. */
function toId(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** A comma-separated list of names, without empty and repeated ones. */
export function splitNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  return [...new Set(names)].filter((name) => name !== '');
}
