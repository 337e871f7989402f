// Where trust is remembered: a directory for each repository, a file for each server that spoke for it. The names come from
// outside, so they are encoded; a file is replaced as a whole; and one run at a time holds a repository.

import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsyncPath, writeFileDurably } from '../../system/durable.ts';
import { errnoOf, messageOf } from '../../system/errors.ts';
import { lockDirectoryUntilEnd } from '../../system/lock.ts';
import type { UndoStack } from '../../system/plan.ts';
import { TrustError } from '../trust-error.ts';
import { whyForgotten } from './lasting-place.ts';
import { corrupt, formatStoredTrust, parseStoredTrust, type StoredTrust } from './stored-trust.ts';

/** Both systems of a machine share it, and it survives upgrades. */
export const TRUST_DIRECTORY = '/oem/holdfast/trust';

/** One repository at one server, locked. */
export interface TrustRecord {
  /** Where it is kept, for messages. */
  file: string;
  stored: StoredTrust | undefined;
  /** Why nothing can be written; undefined where it can. */
  problem: string | undefined;
  /** Replaces the record, or throws what the file system says. */
  save: (stored: StoredTrust) => void;
}

/** One record of a listing; `problem` says why it can't be used. */
export type ListedTrust = { file: string } & ({ stored: StoredTrust } | { problem: string });

/** Another verification takes seconds. */
const LOCK_SECONDS = 60;
/** Of a file's name; what is longer is cut, and told apart by its hash. */
const MAX_NAME = 150;

export class TrustStore {
  readonly directory: string;

  readonly #whyForgotten: (directory: string) => Promise<string | undefined>;

  /** @param forgotten tells why nothing that is written to the directory lasts; undefined where it does. */
  constructor(directory: string = TRUST_DIRECTORY, forgotten = (place: string) => whyForgotten(place)) {
    this.directory = directory;
    this.#whyForgotten = forgotten;
  }

  /**
   * Opens the record of a repository and holds it until the stack is undone. A place that can't be written to, or that
   * the next boot forgets, is told in the record: whether that matters is the caller's to decide.
   * @throws TrustError state-corrupt; HoldfastError HF-LOCKED when another run doesn't end.
   */
  async open(server: string, gun: string, undo: UndoStack): Promise<TrustRecord> {
    const directory = this.#directoryOf(gun);
    const file = join(directory, `${hash(server).slice(0, 16)}.json`);
    const problem = (await this.#whyForgotten(this.directory)) ?? prepare(this.directory, directory);
    if (isThere(directory)) await lockDirectoryUntilEnd(undo, directory, LOCK_SECONDS);
    const text = readIfThere(file);
    const stored = text === undefined ? undefined : parseStoredTrust(text, file);
    if (stored !== undefined && (stored.gun !== gun || stored.server !== server)) {
      throw corrupt(file, 'it belongs to another repository or server');
    }
    return {
      file,
      stored,
      problem,
      save: (changed) => writeFileDurably(file, formatStoredTrust(changed), { mode: 0o600 }),
    };
  }

  /** All records, by name. */
  list(): ListedTrust[] {
    return names(this.directory).flatMap((name) => this.#read(join(this.directory, name)));
  }

  /** The records of one repository: one for each server. */
  of(gun: string): ListedTrust[] {
    return this.#read(this.#directoryOf(gun));
  }

  /**
   * Forgets a repository, whichever server spoke for it.
   * @returns whether there was something.
   */
  async forget(gun: string, undo: UndoStack): Promise<boolean> {
    const directory = this.#directoryOf(gun);
    if (!isThere(directory)) return false;
    await lockDirectoryUntilEnd(undo, directory, LOCK_SECONDS);
    rmSync(directory, { recursive: true, force: true });
    fsyncPath(this.directory);
    return true;
  }

  #read(directory: string): ListedTrust[] {
    return names(directory)
      .filter((name) => name.endsWith('.json'))
      .map((name) => {
        const file = join(directory, name);
        try {
          return { file, stored: parseStoredTrust(readFileSync(file, 'utf8'), file) };
        } catch (error) {
          return { file, problem: messageOf(error) };
        }
      });
  }

  #directoryOf(gun: string): string {
    return join(this.directory, directoryName(gun));
  }
}

/** Copies what is trusted here to another place, as an installation does; what is there already stays. Returns what was copied. */
export function copyTrust(from: string, to: string): string[] {
  const copied: string[] = [];
  for (const entry of new TrustStore(from).list()) {
    if (!('stored' in entry)) continue;
    const { stored, file } = entry;
    const directory = join(to, directoryName(stored.gun));
    const target = join(directory, file.slice(dirname(file).length + 1));
    if (readIfThere(target) !== undefined) continue;
    makePrivate(to, directory);
    writeFileDurably(target, formatStoredTrust(stored), { mode: 0o600 });
    copied.push(stored.gun);
  }
  return copied;
}

/** A GUN as one file name: no slash, no dot at its beginning, never too long. */
export function directoryName(gun: string): string {
  const name = encodeURIComponent(gun).replace(/^\./, '%2E');
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME - 65)}~${hash(gun)}`;
}

/** Makes the directory of a repository. Returns why nothing can be written there, or undefined. */
function prepare(base: string, directory: string): string | undefined {
  try {
    makePrivate(base, directory);
    accessSync(directory, constants.W_OK);
    return undefined;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return messageOf(error);
  }
}

function makePrivate(base: string, directory: string): void {
  for (const path of [base, directory]) {
    if (isThere(path)) continue;
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(path, { mode: 0o700 });
    fsyncPath(dirname(path));
  }
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.F_OK);
    return true;
  } catch {
    return false;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return undefined;
    // Not to be read is not the same as not to be there.
    throw corrupt(file, messageOf(cause), cause);
  }
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return [];
    throw new TrustError('state-corrupt', `${directory} can't be read: ${messageOf(cause)}`, { cause });
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
