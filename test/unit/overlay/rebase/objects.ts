// Objects of trees that are nowhere, for tests of decisions.

import { NO_XATTRS, type TreeObject } from '../../../../src/overlay/rebase/tree-object.ts';

/** A file, unless something else is said. */
export function anObject(given: Partial<TreeObject>): TreeObject {
  return {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    storedBytes: 0,
    mtimeNs: 0n,
    ctimeNs: 0n,
    inode: 0n,
    links: 1,
    device: 0n,
    isSparse: false,
    linkTarget: '',
    xattrs: NO_XATTRS,
    flags: '',
    ...given,
  };
}
