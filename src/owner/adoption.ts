// Changes of a running system that no package and no file can stand for, as commands that make them in every new system; and
// which paths such a command is about, so that it can be taken back by its path.

import { quote } from '../overlay/capture/shell-words.ts';

/** Without a path of the image. */
export function removalCommand(path: string): string {
  return shellLine('rm', '-rf', '--', path);
}

export function directoryCommand(path: string, { mode, uid, gid }: { mode: number; uid: number; gid: number }): string {
  const octal = mode.toString(8).padStart(4, '0');
  return shellLine('install', '-d', '-m', octal, '-o', String(uid), '-g', String(gid), '--', path);
}

/** The path that a command is about, if it is one of these, whatever mode and owner a directory had then. */
export function adoptedPath(command: string): string | undefined {
  const start = /^(?:rm -rf|install -d -m [0-7]{4,5} -o \d+ -g \d+) -- /.exec(command)?.[0];
  if (start === undefined) return undefined;
  const word = command.slice(start.length);
  const path = word.startsWith("'") ? word.slice(1, -1).replaceAll("'\\''", "'") : word;
  return quote(path) === word ? path : undefined;
}

function shellLine(...words: string[]): string {
  return words.map(quote).join(' ');
}
