// Which files of the machine a report has, and which it never has: stage files without the contents that they write, no
// user data of a cloud, nothing whose name says that it holds secrets.

import type { Root } from '../system/root.ts';
import { isSecretPath } from '../system/secret-paths.ts';

/** The owner's directories of stage files and the image's. */
const STAGE_DIRECTORIES = ['/oem', '/usr/local/cloud-config', '/system/oem'];
const MOST_FILES = 200;
const DEEPEST = 4;

/** What a cloud told this machine may hold anything. */
const USER_DATA = /\/(?:user-?data|meta-?data|vendor-?data|network-config)[^/]*$|^\/run\/config\//i;

/** Whether the content of a file may be in a report at all. */
export function mayBeReported(path: string): boolean {
  return !isSecretPath(path) && !USER_DATA.test(path);
}

/** Paths of the stage files, user data included: its name is in the report. */
export function stageFilesOf(root: Root): string[] {
  return STAGE_DIRECTORIES.flatMap((directory) => filesBelow(root, directory)).filter((path) => /\.ya?ml$/.test(path));
}

/** Files below a directory, links not followed into directories, the first ones of very many. */
export function filesBelow(root: Root, directory: string, depth = 0): string[] {
  const found: string[] = [];
  for (const name of root.list(directory)) {
    if (found.length >= MOST_FILES) break;
    const path = `${directory}/${name}`;
    const stat = root.lstat(path);
    if (stat?.isDirectory() && depth < DEEPEST) found.push(...filesBelow(root, path, depth + 1));
    else if (stat !== undefined && !stat.isDirectory()) found.push(path);
  }
  return found.slice(0, MOST_FILES);
}
