// Programs whose order of writing is broken on purpose, to see that the crash tests notice. The module that the order rests
// on is exchanged while the program is built, so the product itself has no switch that anybody could trip over.

import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { commandFailed, run } from '../../src/system/process.ts';
import { cacheDirectory, keyOfFiles, PROJECT_DIRECTORY, pruneCache } from '../cache.ts';
import { bunProgram } from '../executable.ts';

export const BREAKAGES = ['rename-before-fsync', 'no-freeze'] as const;
export type Breakage = (typeof BREAKAGES)[number];

export const isBreakage = (name: string): name is Breakage => BREAKAGES.some((each) => each === name);

/** Returns an executable that is broken in this way. */
export async function ensureBrokenProgram(breakage: Breakage): Promise<string> {
  const builder = join(PROJECT_DIRECTORY, 'lab/crash/build-broken.ts');
  const key = keyOfFiles([...['src', 'os', 'package-lock.json'].map((path) => join(PROJECT_DIRECTORY, path)), builder]);
  const directory = join(cacheDirectory(), 'crash-programs');
  const file = join(directory, `${breakage}-${key}`);
  if (existsSync(file)) return file;
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  const result = await run([bunProgram(), builder, breakage, temporary]);
  if (result.status !== 0) throw commandFailed(result);
  renameSync(temporary, file);
  await pruneCache(directory, /-[0-9a-f]{16}$/, 2);
  return file;
}
