// What stages wrote onto a view and nobody has changed in mode or owner since, as the rebase asks for it: by paths whose names
// are bytes. Whether the content is still the same is the rebase's to see.

import type { TreePath } from '../image/targettree.ts';
import { Root } from '../system/root.ts';
import { attributesOf, REMOVED, readWrittenFiles } from '../system/written-files.ts';
import { TreeFiles, treePathOf } from './packages/tree-files.ts';

/**
 * @param view directory of the view.
 * @returns sha256 of a file's content or of a link's target, or `removed`, by path.
 */
export function readStageWrites(view: string): Map<TreePath, string> {
  const root = new Root(view);
  const files = new TreeFiles(root);
  const writes = new Map<TreePath, string>();
  for (const [path, { digest, attributes }] of readWrittenFiles(root)) {
    const stats = digest === REMOVED ? undefined : files.lstat(path);
    const isAsNoted = stats?.isFile() ? attributesOf(stats) === attributes : true;
    if (isAsNoted) writes.set(treePathOf(path), digest);
  }
  return writes;
}
