// The times that directories get at the very end, since everything that happens inside one changes it; one that no layer
// mentions keeps the time that it had.

import { type FileTime, readTime, setTime } from './exact-time.ts';
import type { TargetTree, TreePath } from './targettree.ts';

export class DirectoryTimes {
  readonly #times = new Map<TreePath, FileTime>();

  /** Before something in a directory changes: keeps the time that it has now, unless one was decided on. */
  keep(tree: TargetTree, directory: TreePath): void {
    if (this.#times.has(directory)) return;
    const time = readTime(tree.at(directory));
    if (time !== undefined) this.#times.set(directory, time);
  }

  set(directory: TreePath, { mtime, exactMtime }: FileTime): void {
    this.#times.set(directory, { mtime, exactMtime });
  }

  forget(removed: TreePath): void {
    for (const path of this.#times.keys()) {
      if (path === removed || path.startsWith(`${removed}/`)) this.#times.delete(path);
    }
  }

  apply(tree: TargetTree): void {
    for (const [path, time] of this.#times) setTime(tree.at(path), time);
    this.#times.clear();
  }
}
