// Paths between the two forms that they have here: bytes of a tree, as the kernel has them, and text that people type and read.

import type { TreePath } from '../image/targettree.ts';
import { pathOfText } from '../overlay/rebase/path-text.ts';
import { HoldfastError } from '../system/errors.ts';

/** Absolute, as UTF-8 as far as it is that. For matching, not for terminals. */
export function pathTextOf(path: TreePath): string {
  return `/${Buffer.from(path, 'latin1').toString('utf8')}`;
}

/**
 * A path that somebody typed, absolute, with what `.`, `..` and double slashes mean in it taken out.
 * @throws HoldfastError HF-USAGE when it isn't absolute.
 */
export function treePathFrom(text: string): TreePath {
  if (!text.startsWith('/')) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(text)} is no absolute path`, {
      hint: 'name a path as the system has it, such as /etc/ssh/sshd_config',
    });
  }
  const parts: string[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  const path = pathOfText({ path: `/${parts.join('/')}` });
  if (path === undefined) throw new HoldfastError('HF-USAGE', `${JSON.stringify(text)} can be no path`);
  return path;
}
