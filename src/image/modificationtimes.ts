// Modification times. Directories get theirs at the very end, since everything that happens inside one changes it; one
// that no layer mentions keeps the time that it had. Node takes seconds as a double: microseconds survive, not more.

import { lutimesSync } from 'node:fs';
import type { TargetTree, TreePath } from './targettree.ts';

/** Node cuts the fraction to microseconds, Bun keeps what a double holds: without this .123456 could become .123455. */
const NUDGE_SECONDS = 2e-7;
const IS_NODE = process.versions['bun'] === undefined;

/** What Node's functions take for a time in seconds since 1970. */
export function timeOf(seconds: number): number | Date {
  // Numbers below zero mean "now" to Node; dates don't.
  if (seconds < 0) return new Date(Math.round(seconds * 1000));
  const rounded = Math.round(seconds * 1e6) / 1e6;
  if (!IS_NODE && Number.isInteger(rounded)) return rounded;
  // From 2038 on, doubles are half a microsecond apart.
  return rounded + (seconds < 2 ** 31 ? NUDGE_SECONDS : NUDGE_SECONDS * 2.5);
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
