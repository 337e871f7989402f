// Makes the running root read-only, whatever has files open on it: the last thing that can be done for an overlay that is
// about to overflow.

import { utimesSync } from 'node:fs';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { isReadOnly, mountAt } from '../system/mounts.ts';
import { run } from '../system/process.ts';

/**
 * What is open for writing keeps a root from an ordinary remount, and on a running system something always is. Then ext4 is
 * told to give up as it does after an error (ext4(5), `abort`). Nothing is synced before: what a program synced is in the
 * journal already, and the rest would take the last blocks, which the next boot needs to replay that.
 * @throws HoldfastError HF-MOUNT when it can still be written to.
 */
export async function makeRootReadOnly(): Promise<void> {
  const { status } = await run(['mount', '-o', 'remount,ro', '/']);
  if (status === 0) return;
  await run(['mount', '-o', 'remount,abort', '/']);
  // The remount itself puts the flag back that the abort has set (Linux 6.1); the next attempt to write sets it again.
  try {
    const now = new Date();
    utimesSync('/', now, now);
  } catch (error) {
    if (!['EROFS', 'EIO', 'ESHUTDOWN'].includes(errnoOf(error) ?? '')) throw error;
  }
  const root = mountAt('/');
  if (root !== undefined && isReadOnly(root)) return;
  throw new HoldfastError('HF-MOUNT', '/ could not be made read-only, and its overlay is almost full', {
    hint: 'make room on the disk of the overlay, or reboot now',
  });
}
