// Notes what a stage wrote where such writes stay: on a running system whose root is an overlay. Files that a step only
// edits have the owner's lines in them too; they aren't noted, and count as the owner's.

import { existsSync } from 'node:fs';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import type { Root } from '../system/root.ts';
import { describePath, readWrittenFiles, renderWrittenFiles, WRITTEN_FILES } from '../system/written-files.ts';
import type { WrittenPaths } from './writtenpaths.ts';

/** Places that no root keeps. */
const NOT_KEPT = /^\/(?:dev|proc|run|sys|tmp)(?:\/|$)/;

/** Whether what a stage writes into this root is still there after a reboot, in files that an upgrade carries along. */
export function keepsWrites(root: Root): boolean {
  if (!root.isHost || process.getuid?.() !== 0 || existsSync('/etc/initrd-release')) return false;
  const overlay = readAttachedOverlay(root);
  return overlay?.used === true && !overlay.readonly;
}

/** Adds to the root's list what these paths hold now. */
export function noteWritten(root: Root, written: WrittenPaths): void {
  const files = readWrittenFiles(root);
  const before = renderWrittenFiles(files);
  // A file that was written through a link is another path, and the link is whoever's it was.
  const paths = [
    ...written.whole.map((path) => root.resolve(path)),
    ...written.links.map((path) => root.resolve(path, { followLast: false })),
  ].map((path) => root.inside(path));
  for (const path of paths) {
    const file = NOT_KEPT.test(path) ? undefined : describePath(root, path);
    if (file !== undefined) files.set(path, file);
  }
  const after = renderWrittenFiles(files);
  if (after !== before) root.writeFile(WRITTEN_FILES, after, { mode: 0o600 });
}
