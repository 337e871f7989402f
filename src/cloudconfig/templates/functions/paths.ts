// Go's package path: file names taken apart and cleaned, without looking at any file. The variants with `os` are the same
// on Linux.

import { type FunctionTable, fn1 } from './function.ts';
import { text } from './parameters.ts';

const base = fn1(text, baseOf);
const dir = fn1(text, (path) => clean(path.slice(0, path.lastIndexOf('/') + 1)));
const cleaned = fn1(text, clean);
const ext = fn1(text, (path) => path.match(/\.[^./]*$/)?.[0] ?? '');
const isAbs = fn1(text, (path) => path.startsWith('/'));

export const paths: FunctionTable = {
  base,
  dir,
  clean: cleaned,
  ext,
  isAbs,
  osBase: base,
  osDir: dir,
  osClean: cleaned,
  osExt: ext,
  osIsAbs: isAbs,
};

function baseOf(path: string): string {
  if (path === '') return '.';
  const bare = path.replace(/\/+$/, '');
  return bare === '' ? '/' : bare.slice(bare.lastIndexOf('/') + 1);
}

/** The shortest name of the same file, by the name alone. */
export function clean(path: string): string {
  const rooted = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    const last = parts.at(-1);
    if (part !== '..') parts.push(part);
    else if (last !== undefined && last !== '..') parts.pop();
    else if (!rooted) parts.push(part);
  }
  return (rooted ? '/' : '') + parts.join('/') || '.';
}
