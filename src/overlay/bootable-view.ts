// Whether a mounted root can start: this program and an init are there and run. What is found missing in a view costs nothing
// but the overlay of one boot; found later, by systemd in the initramfs, it would cost the boot.

import type { Stats } from 'node:fs';
import { errnoOf } from '../system/errors.ts';
import { Root } from '../system/root.ts';

/** Where the initramfs looks for one (holdfast-check). */
const INITS = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd', '/sbin/init', '/etc/init', '/bin/init'];

/**
 * One clause that says what is missing, or undefined. Runs systemd's own version check in the tree.
 * @param asked the `init=` of the kernel command line, which comes first.
 */
export async function bootableProblem(directory: string, asked?: string): Promise<string | undefined> {
  const root = new Root(directory);
  if (statOf(root, '/proc')?.isDirectory() !== true) return 'there is no /proc';
  if (!isExecutable(root, '/usr/bin/holdfast')) return 'there is no /usr/bin/holdfast that can be run';
  const init = [...(asked?.startsWith('/') ? [asked] : []), ...INITS].find((path) => isExecutable(root, path));
  if (init === undefined) return 'there is no init that can be run';
  if (!init.endsWith('/systemd')) return undefined;
  const { status } = await root.run([init, '--version'], { timeoutMs: 60_000 });
  return status === 0 ? undefined : `${init} does not run`;
}

function isExecutable(root: Root, path: string): boolean {
  const stat = statOf(root, path);
  return stat?.isFile() === true && stat.size > 0 && (stat.mode & 0o111) !== 0;
}

function statOf(root: Root, path: string): Stats | undefined {
  try {
    return root.stat(path);
  } catch (error) {
    if (errnoOf(error) === undefined && !(error instanceof Error)) throw error;
    return undefined;
  }
}
