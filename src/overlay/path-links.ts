// The way to a set on its disk: a directory on it that is a link would lead out of the disk, into the running system.

import { lstatSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { shown } from '../boot/layout-words.ts';

/** What is wrong with the directories of a set's path, looked at on the mounted disk; undefined when they are plain. */
export function problemOfWay(mountPoint: string, path: string): string | undefined {
  let at = mountPoint;
  for (const part of dirname(path).split(sep)) {
    if (part === '') continue;
    at = join(at, part);
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined) return `there is no directory ${shown(part)} on the disk`;
    if (!stat.isDirectory()) return `${shown(part)} is no directory on the disk`;
  }
  return undefined;
}
