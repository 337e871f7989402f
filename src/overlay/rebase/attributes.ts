// Extended attributes and the flags of chattr(1), which Node can't read: many paths at a time, by getfattr(1) and lsattr(1).
// Names reach them as bytes through xargs(1), since an argument that Node passes can only be text.

import { throughProgram } from '../../image/streamstage.ts';
import type { TreePath } from '../../image/targettree.ts';
import { isSettable } from '../../image/xattrs.ts';
import { HoldfastError } from '../../system/errors.ts';
import { NO_XATTRS } from './tree-object.ts';
import { look, prefixOf } from './walk.ts';

export interface Attributes {
  xattrs: ReadonlyMap<string, Buffer>;
  flags: string;
}

/** A running system may remove files meanwhile; who removes them faster than that is asked again at the shutdown. */
const TRIES = 4;

/** Labels belong to the policy of their image: the new one's are set anew. */
const LABELS = new Set(['security.selinux', 'security.SMACK64', 'security.ima', 'security.evm']);

/**
 * What paths of a tree carry; a path that has none of it is left out.
 * @throws HoldfastError HF-IO when they can't be read, HF-TOOL-MISSING.
 */
export async function readAttributes(
  directory: string,
  paths: readonly TreePath[],
): Promise<Map<TreePath, Attributes>> {
  const found = new Map<TreePath, Attributes>();
  const xattrs = await readXattrs(directory, paths);
  for (const [path, values] of xattrs) found.set(path, { xattrs: values, flags: '' });
  for (const [path, flags] of await readFlags(directory, paths)) {
    found.set(path, { xattrs: found.get(path)?.xattrs ?? NO_XATTRS, flags });
  }
  return found;
}

/** As {@link readAttributes}, without flags. */
export async function readXattrs(
  directory: string,
  paths: readonly TreePath[],
): Promise<Map<TreePath, Map<string, Buffer>>> {
  let wanted = paths;
  for (let attempt = 1; wanted.length > 0; attempt += 1) {
    try {
      return parseDump(await ask(directory, ['getfattr', '-P', '-h', '-d', '-m', '-', '-e', 'hex'], wanted));
    } catch (error) {
      const still = wanted.filter((path) => look(prefixOf(directory), path) !== undefined);
      if (attempt === TRIES || still.length === wanted.length) {
        throw new HoldfastError('HF-IO', `extended attributes below ${directory} could not be read`, { cause: error });
      }
      wanted = still;
    }
  }
  return new Map();
}

/** As {@link readAttributes}, flags alone. */
export async function readFlags(directory: string, paths: readonly TreePath[]): Promise<Map<TreePath, string>> {
  if (paths.length === 0) return new Map();
  const output: Buffer[] = [];
  try {
    await ask(directory, ['lsattr', '-d'], paths, output);
  } catch (error) {
    // It says so of everything that can't have flags: links, devices, whole file systems.
    if (!(error instanceof HoldfastError) || error.code !== 'HF-COMMAND') throw error;
  }
  return parseFlags(Buffer.concat(output).toString('latin1'), paths);
}

/** @throws HoldfastError HF-COMMAND when one of the paths made it fail; `output` has what was said all the same. */
async function ask(
  directory: string,
  [program, ...args]: [string, ...string[]],
  paths: readonly TreePath[],
  output: Buffer[] = [],
): Promise<string> {
  const through = throughProgram(['xargs', '-0', '-r', program, ...args], { cwd: directory });
  const names = async function* () {
    for (const path of paths) yield Buffer.from(`./${path}\0`, 'latin1');
  };
  for await (const chunk of through(names())) output.push(chunk);
  return Buffer.concat(output).toString('latin1');
}

/** Reads the output of getfattr(1): bytes as latin1. */
export function parseDump(text: string): Map<TreePath, Map<string, Buffer>> {
  const found = new Map<TreePath, Map<string, Buffer>>();
  let values: Map<string, Buffer> | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('# file: ')) {
      values = new Map();
      found.set(unquote(line.slice('# file: '.length)).replace(/^\.\/?/, ''), values);
      continue;
    }
    const equals = line.indexOf('=0x');
    const name = unquote(line.slice(0, Math.max(0, equals)));
    if (equals > 0 && isSettable(name) && !LABELS.has(name))
      values?.set(name, Buffer.from(line.slice(equals + 3), 'hex'));
  }
  return found;
}

/**
 * Reads the output of lsattr(1), which escapes nothing: what the names are is known.
 * @param paths in the order that they were asked for.
 */
export function parseFlags(text: string, paths: readonly TreePath[]): Map<TreePath, string> {
  const found = new Map<TreePath, string>();
  let at = 0;
  for (const path of paths) {
    const letters = /^[A-Za-z-]{8,40} +/.exec(text.slice(at, at + 64))?.[0];
    const line = letters === undefined ? undefined : `${letters}./${path}\n`;
    // Nothing was said about this one.
    if (line === undefined || letters === undefined || !text.startsWith(line, at)) continue;
    at += line.length;
    const flags = `${letters.includes('i') ? 'i' : ''}${letters.includes('a') ? 'a' : ''}`;
    if (flags !== '') found.set(path, flags);
  }
  return found;
}

/** Takes an extended attribute away from paths that have it. */
export async function removeXattr(directory: string, name: string, paths: readonly TreePath[]): Promise<void> {
  if (paths.length > 0) await ask(directory, ['setfattr', '-h', '-x', name], paths);
}

/** @param change as chattr(1) takes it: `+i`, `-ia`. */
export async function changeFlags(directory: string, change: string, paths: readonly TreePath[]): Promise<void> {
  if (paths.length > 0) await ask(directory, ['chattr', '-f', change], paths);
}

function unquote(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
