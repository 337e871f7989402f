// A directory for downloads and lists while packages are installed: on the persistent partition where there is room, so that
// a kept file is only linked and the new system doesn't grow by what it only passes through; else inside the new system.

import { chmodSync, copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { filesBelow } from '../overlay/packages/kept.ts';
import { errnoOf } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import type { Root } from '../system/root.ts';

/** Less would be used up by a single distribution's lists. */
const ROOM_BYTES = 256 << 20;
const PREFIX = 'work-';

export interface WorkPlace {
  /** As programs of the root see it. */
  inside: (...names: string[]) => string;
  /** As this machine sees it. */
  at: (...names: string[]) => string;
  /** Makes a directory that anybody may look into (apt downloads as a user of its own); its path inside. */
  makeDirectory: (...names: string[]) => string;
  /** Puts a file there under another name; linked where that is possible. Returns its path inside. */
  put: (path: string, ...names: string[]) => string;
  /** Files below a directory of it, on this machine. */
  files: (...names: string[]) => string[];
  /** Files of it may be linked into the cache. */
  isBesideCache: boolean;
  remove: () => void;
}

/** @param persistent where the root's /usr/local comes from; undefined where it has no partition of its own. */
export function makeWorkPlace(root: Root, persistent: string | undefined): WorkPlace {
  const beside = persistent === undefined ? undefined : roomyDirectory(join(persistent, '.holdfast'));
  const isBesideCache = beside !== undefined;
  const parent = beside ?? root.resolve('/var/tmp');
  const parentInside = isBesideCache ? '/usr/local/.holdfast' : root.inside(parent);
  mkdirSync(parent, { recursive: true });
  if (isBesideCache) {
    chmodSync(parent, 0o755);
    // Of a run that was cut off; nobody else works here now.
    for (const name of readdirSync(parent)) {
      if (name.startsWith(PREFIX)) rmSync(join(parent, name), { recursive: true, force: true });
    }
  }
  const directory = mkdtempSync(join(parent, isBesideCache ? PREFIX : `holdfast-${PREFIX}`));
  chmodSync(directory, 0o755);
  const inside = (...names: string[]) => join(parentInside, basename(directory), ...names);
  const at = (...names: string[]) => join(directory, ...names);
  return {
    inside,
    at,
    isBesideCache,
    makeDirectory: (...names) => {
      mkdirSync(at(...names), { recursive: true, mode: 0o755 });
      return inside(...names);
    },
    put: (path, ...names) => {
      mkdirSync(dirname(at(...names)), { recursive: true, mode: 0o755 });
      copyOrLink(path, at(...names));
      return inside(...names);
    },
    files: (...names) => filesBelow(at(...names)),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The directory, made where it is missing; undefined where there isn't enough room. */
function roomyDirectory(directory: string): string | undefined {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  // Not of the directory above it: while a plan is made that is another file system.
  return freeBytes(directory) >= ROOM_BYTES ? directory : undefined;
}

/** Linked where both are on one file system. */
function copyOrLink(from: string, to: string): void {
  rmSync(to, { force: true });
  try {
    linkSync(from, to);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP'].includes(errnoOf(error) ?? '')) throw error;
    copyFileSync(from, to);
    chmodSync(to, 0o644);
  }
}
