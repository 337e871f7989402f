// What stages wrote onto a view, as the rebase asks for it: by paths whose names are bytes.

import type { TreePath } from '../image/targettree.ts';
import { Root } from '../system/root.ts';
import { readWrittenFiles } from '../system/written-files.ts';

/**
 * @param view directory of the view.
 * @returns sha256 of a file's content or of a link's target, or `removed`, by path.
 */
export function readStageWrites(view: string): Map<TreePath, string> {
  const paths = readWrittenFiles(new Root(view));
  return new Map([...paths].map(([path, digest]) => [Buffer.from(path.slice(1), 'utf8').toString('latin1'), digest]));
}
