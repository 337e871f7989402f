// What each package manager is asked for by the store: to try and to install from repositories, keeping what it downloads,
// and the same from kept files alone. Failures are values here: the store decides what is tried next.

import { PLAIN } from '../overlay/packages/lists.ts';
import type { PackageManager } from '../stages/packages/manager.ts';
import type { RunResult } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import type { Conflict } from './conflict.ts';
import type { LockDatabase, LockedPackage } from './lock.ts';
import type { WorkPlace } from './work-place.ts';

/** A kept file, checked. */
export interface KeptFile {
  locked: LockedPackage;
  /** On this machine. */
  path: string;
}

export interface TreeWork {
  root: Root;
  manager: PackageManager;
  work: WorkPlace;
  signal: AbortSignal | undefined;
  /** A line that a program printed. */
  onOutput: (line: string) => void;
  env?: Readonly<Record<string, string>> | undefined;
}

/** How an attempt ended. */
export type Attempt =
  | { outcome: 'ok'; remark?: string }
  /** No repository has it, or none can be reached. */
  | { outcome: 'unavailable'; result: RunResult }
  /** It is to be had and doesn't fit. */
  | { outcome: 'conflict'; result: RunResult }
  | { outcome: 'failed'; result: RunResult };

/** Where packages come from: repositories, kept files, or both. */
export type Source = { from: 'repositories' } | { from: 'kept' | 'both'; files: readonly KeptFile[] };

export interface Installer {
  database: LockDatabase;
  /** Fetches lists into the work place, for a look before the tree's own are fetched. */
  prepare: () => Promise<void>;
  /** Fetches the tree's lists. */
  refresh: () => Promise<Attempt>;
  /** Finds out whether it would work; nothing of the tree changes. */
  simulate: (names: readonly string[], source: Source) => Promise<Attempt>;
  /** Installs; {@link downloads} has what was fetched for it. */
  install: (names: readonly string[], source: Source) => Promise<Attempt>;
  downloads: () => string[];
  /** Why a package doesn't fit. */
  explain: (name: string, source: Source, result: RunResult) => Promise<Conflict>;
}

/** Runs a program of the tree; its messages are in English, whatever the machine speaks. */
export function runInTree(
  { root, manager, signal, onOutput, env }: TreeWork,
  argv: readonly [string, ...string[]],
  options: { quiet?: boolean } = {},
): Promise<RunResult> {
  return root.run(argv, {
    env: { ...PLAIN, ...manager.environment, ...env, LC_ALL: PLAIN.LC_ALL },
    signal,
    ...(options.quiet ? {} : { onLine: onOutput }),
  });
}

/** Whether a signature is missing or wrong: that is never a reason to look elsewhere. */
export function isUntrusted(text: string): boolean {
  return /GPG check FAILED|Signature verification failed|UNTRUSTED signature|BAD signature|NO_PUBKEY|BADSIG|EXPKEYSIG|is not signed|unauthenticated packages/.test(
    text,
  );
}

/** Everything that a program said. */
export function outputOf({ stdout, stderr }: Pick<RunResult, 'stdout' | 'stderr'>): string {
  return `${stdout}\n${stderr}`;
}
