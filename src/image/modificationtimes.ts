// Modification times. Directories get theirs at the very end, since everything that happens inside one changes it; one
// that no layer mentions keeps the time that it had. Node takes seconds as a double: microseconds survive, not more.

import { lutimesSync } from 'node:fs';
import type { TargetTree, TreePath } from './targettree.ts';

/** Node cuts the fraction to microseconds, Bun doesn't: without this a time like .123456 could lose its last one. */
const NUDGE_SECONDS = process.versions['bun'] === undefined ? 2e-7 : 0;

/** What Node's functions take for a time in seconds since 1970. */
export function timeOf(seconds: number): number | Date {
  // Numbers below zero mean "now" to Node; dates don't.
  if (seconds < 0) return new Date(Math.round(seconds * 1000));
  return Math.round(seconds * 1e6) / 1e6 + NUDGE_SECONDS;
}

/** The times that directories shall have in the end. */
export class DirectoryTimes {
  readonly #seconds = new Map<TreePath, number>();

  /** Before something in a directory changes: keeps the time that it has now, unless one was decided on. */
  keep(tree: TargetTree, directory: TreePath): void {
    if (this.#seconds.has(directory)) return;
    const stats = tree.lstat(directory);
    if (stats !== undefined) this.#seconds.set(directory, stats.mtimeMs / 1000);
  }

  set(directory: TreePath, seconds: number): void {
    this.#seconds.set(directory, seconds);
  }

  forget(removed: TreePath): void {
    for (const path of this.#seconds.keys()) {
      if (path === removed || path.startsWith(`${removed}/`)) this.#seconds.delete(path);
    }
  }

  apply(tree: TargetTree): void {
    for (const [path, seconds] of this.#seconds) {
      const time = timeOf(seconds);
      lutimesSync(tree.at(path), time, time);
    }
    this.#seconds.clear();
  }
}
