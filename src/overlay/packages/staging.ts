// A directory inside the new tree for package files and for what a package manager downloads: outside of it the manager
// would see nothing of them, and in its own places they would stay.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { freemem } from 'node:os';
import { basename, join } from 'node:path';
import type { Root } from '../../system/root.ts';
import { filesBelow } from './kept.ts';
import type { KeptPackage } from './model.ts';

export interface Staging {
  /** Inside the root. */
  directory: string;
  /** Paths inside the root, by the packages' keys. */
  files: ReadonlyMap<string, string>;
  /** An empty directory inside the root. */
  makeDirectory: (name: string) => string;
  /** Package files that a manager put into directories that were made here; paths on this machine. */
  downloads: () => string[];
  remove: () => void;
}

/** Copies package files into the tree. */
export function stagePackages(root: Root, kept: readonly KeptPackage[]): Staging {
  const place = placeFor(
    root,
    kept.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
  );
  mkdirSync(root.resolve(place), { recursive: true });
  const at = mkdtempSync(join(root.resolve(place), 'holdfast-packages-'));
  // apt reads as a user of its own.
  chmodSync(at, 0o755);
  const directory = root.inside(at);
  const files = new Map<string, string>();
  const made: string[] = [];
  try {
    for (const { key, path } of kept) {
      copyFileSync(path, join(at, basename(path)));
      chmodSync(join(at, basename(path)), 0o644);
      files.set(key, join(directory, basename(path)));
    }
  } catch (error) {
    rmSync(at, { recursive: true, force: true });
    throw error;
  }
  return {
    directory,
    files,
    makeDirectory: (name) => {
      mkdirSync(join(at, name), { recursive: true });
      made.push(name);
      return join(directory, name);
    },
    downloads: () => made.flatMap((name) => filesBelow(join(at, name))),
    remove: () => rmSync(at, { recursive: true, force: true }),
  };
}

/** A /tmp of its own is memory, and leaves no trace in the file system; when that is short, the disk. */
function placeFor(root: Root, bytes: number): string {
  const tmp = root.stat('/tmp');
  const isApart = tmp !== undefined && tmp.dev !== statSync(root.directory).dev;
  return isApart && bytes * 4 < freemem() ? '/tmp' : '/var/tmp';
}
