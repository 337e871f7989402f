// A root with a few programs of this machine and the libraries that they need: enough for stages to run commands in it.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Gives a tree /bin and these programs. */
export function installPrograms(tree: string, programs: readonly string[]): void {
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  symlinkSync('usr/bin', join(tree, 'bin'));
  for (const program of programs) installProgram(tree, program);
}

/** Copies a program of this machine with every library that ldd names. */
export function installProgram(tree: string, program: string): void {
  const path = realpathSync(execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim());
  cpSync(path, join(tree, 'usr/bin', program));
  const libraries = execFileSync('ldd', [path], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  for (const library of libraries) {
    mkdirSync(join(tree, dirname(library)), { recursive: true });
    cpSync(realpathSync(library), join(tree, library));
  }
}
