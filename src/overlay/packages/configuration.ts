// The user's repositories and their keys, put into the new tree before packages are fetched from them. The file replay comes
// later and finds them there; what both sides changed is its business.

import { lstatSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Root } from '../../system/root.ts';
import type { DatabaseName } from './model.ts';

const PLACES: Readonly<Record<DatabaseName, readonly string[]>> = {
  dpkg: ['/etc/apt', '/usr/share/keyrings'],
  rpm: ['/etc/yum.repos.d', '/etc/dnf', '/etc/yum', '/etc/zypp', '/etc/pki/rpm-gpg'],
  apk: ['/etc/apk/repositories', '/etc/apk/repositories.d', '/etc/apk/keys'],
};
const MAX_BYTES = 1 << 20;

/** Takes over what the user added or changed there and the new base left as it was. */
export function carryConfiguration(database: DatabaseName, oldBase: Root, view: Root, target: Root): string[] {
  const carried: string[] = [];
  for (const path of PLACES[database].flatMap((place) => filesBelow(view, place))) {
    const [was, is, there] = [oldBase, view, target].map((root) => describe(root, path));
    if (is === undefined || is === was || (there !== undefined && there !== was)) continue;
    const stats = view.lstat(path);
    if (stats === undefined) continue;
    if (stats.isSymbolicLink()) {
      target.makeDirectory(dirname(path));
      target.remove(path);
      symlinkSync(readlinkSync(view.resolve(path, { followLast: false })), target.resolve(path, { followLast: false }));
    } else {
      // A link of the new tree must not be written through.
      if (target.lstat(path)?.isSymbolicLink()) target.remove(path);
      const { uid, gid } = stats;
      target.writeFile(path, readFileSync(view.resolve(path)), { mode: stats.mode & 0o7777, uid, gid, name: 'later' });
    }
    carried.push(path);
  }
  return carried;
}

/** What a path is, as a text that is equal for equal files; undefined when it isn't there, or is nothing to carry. */
function describe(root: Root, path: string): string | undefined {
  const at = root.resolve(path, { followLast: false });
  const stats = lstatSync(at, { throwIfNoEntry: false });
  if (stats?.isSymbolicLink()) return `link ${readlinkSync(at)}`;
  if (!stats?.isFile() || stats.size > MAX_BYTES) return undefined;
  return `file ${stats.mode & 0o7777} ${stats.uid} ${stats.gid} ${readFileSync(at).toString('latin1')}`;
}

function filesBelow(root: Root, place: string): string[] {
  const stats = root.lstat(place);
  if (stats === undefined) return [];
  if (!stats.isDirectory()) return [place];
  return readdirSync(root.resolve(place))
    .sort()
    .flatMap((name) => filesBelow(root, join(place, name)));
}
