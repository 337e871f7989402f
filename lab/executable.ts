// The executable, built when its sources have changed since it was built last.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandFailed, run } from '../src/system/process.ts';
import { keyOf, keyOfFiles, PROJECT_DIRECTORY } from './cache.ts';
import { Turn } from './turn.ts';

const SOURCES = ['src', 'os', 'scripts', 'package.json', 'package-lock.json'];

/** Bun's own program: install scripts are off, so the package's wrapper isn't there. */
export function bunProgram(): string {
  const runtime = process.arch === 'arm64' ? 'bun-linux-aarch64' : 'bun-linux-x64';
  return join(PROJECT_DIRECTORY, 'node_modules/@oven', runtime, 'bin/bun');
}

/** Returns `dist/holdfast`, which is made from the sources as they are now. */
export async function ensureExecutable(log: (line: string) => void): Promise<string> {
  const executable = join(PROJECT_DIRECTORY, 'dist/holdfast');
  const stamp = `${executable}.key`;
  const key = keyOfFiles(SOURCES.map((path) => join(PROJECT_DIRECTORY, path)));
  const isBuilt = () => existsSync(executable) && existsSync(stamp) && readFileSync(stamp, 'utf8') === key;
  if (isBuilt()) return executable;
  // Two test files may want it at the same moment.
  await new Turn(`build-${keyOf(PROJECT_DIRECTORY)}`).take(async () => {
    if (isBuilt()) return;
    log('building dist/holdfast');
    const result = await run([bunProgram(), join(PROJECT_DIRECTORY, 'scripts/build.ts')]);
    if (result.status !== 0) throw commandFailed(result);
    writeFileSync(stamp, key);
  });
  return executable;
}
