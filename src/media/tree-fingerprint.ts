// What is in a directory, as one number: names, kinds, modes, owners, link targets and contents. For content that has no
// digest of its own. Times are left out, so that the same files checked out twice are the same; extended attributes too.

import { createHash } from 'node:crypto';
import { createReadStream, openSync, readlinkSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { HoldfastError } from '../system/errors.ts';
import { walkFiles } from './walk-files.ts';

/**
 * @returns `sha256:…`
 * @throws HoldfastError HF-INTERRUPTED.
 */
export async function fingerprintTree(directory: string, signal?: AbortSignal): Promise<string> {
  const total = createHash('sha256');
  for (const { path, name, stats } of walkFiles(directory)) {
    if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted while reading ${directory}`);
    let content: string | number = 0;
    if (stats.isFile()) {
      const hash = createHash('sha256');
      // Bun takes a name as bytes everywhere but here.
      await pipeline(createReadStream('', { fd: openSync(path, 'r'), highWaterMark: 1 << 20 }), hash);
      content = hash.digest('hex');
    } else if (stats.isSymbolicLink()) {
      content = readlinkSync(path, { encoding: 'latin1' });
    } else if (stats.isBlockDevice() || stats.isCharacterDevice()) {
      content = stats.rdev;
    }
    total.update(`${JSON.stringify([name, stats.mode, stats.uid, stats.gid, content])}\n`);
  }
  return `sha256:${total.digest('hex')}`;
}
