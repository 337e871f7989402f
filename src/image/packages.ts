// The packages that an image holds, from the lists that package managers keep as text: dpkg's and apk's. rpm keeps a
// database that only rpm reads; its packages are not known here.

import type { TreePath } from './targettree.ts';

/** Package name (with its architecture where one image may have several) → version. */
export type Packages = ReadonlyMap<string, string>;

/** More than any distribution's list of installed packages. */
export const MAX_LIST_BYTES = 64 << 20;

const DPKG = 'var/lib/dpkg/status';
/** Images without dpkg itself have a file for each package. */
const DPKG_PARTS = /^var\/lib\/dpkg\/status\.d\/[^/]+$/;
const APK = ['lib/apk/db/installed', 'usr/lib/apk/db/installed'];
const RPM = /^(?:usr\/lib\/sysimage|var\/lib)\/rpm\/(?:rpmdb\.sqlite|Packages|Packages\.db)$/;

/** Whether a file is a list of packages that {@link parsePackages} reads. */
export function isPackageList(path: TreePath): boolean {
  return path === DPKG || APK.includes(path) || (DPKG_PARTS.test(path) && !path.endsWith('.md5sums'));
}

/** Whether a file is rpm's database. */
export function isRpmDatabase(path: TreePath): boolean {
  return RPM.test(path);
}

/** Reads one list. Lines that say nothing of a package are passed over: whoever made the image may have written anything. */
export function parsePackages(path: TreePath, text: string): Map<string, string> {
  const packages = new Map<string, string>();
  const isApk = APK.includes(path);
  for (const paragraph of text.split(/\n\s*\n/)) {
    const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(paragraph)?.[1]?.trim();
    const [name, version] = isApk ? [field('P'), field('V')] : [field('Package'), field('Version')];
    if (name === undefined || version === undefined || name === '' || version === '') continue;
    if (isApk) {
      packages.set(name, version);
      continue;
    }
    // deb: "install ok installed"; what was removed but for its configuration is still listed.
    const status = field('Status');
    if (status !== undefined && !status.endsWith(' installed')) continue;
    const architecture = field('Multi-Arch') === 'same' ? field('Architecture') : undefined;
    packages.set(architecture === undefined ? name : `${name}:${architecture}`, version);
  }
  return packages;
}

export interface PackageDifference {
  added: { name: string; version: string }[];
  removed: { name: string; version: string }[];
  changed: { name: string; from: string; to: string }[];
}

/** What changed from one set of packages to another, by name. */
export function comparePackages(before: Packages, after: Packages): PackageDifference {
  const byName = <T extends { name: string }>(list: T[]) => list.sort((a, b) => (a.name < b.name ? -1 : 1));
  const only = (one: Packages, other: Packages) =>
    [...one].filter(([name]) => !other.has(name)).map(([name, version]) => ({ name, version }));
  const changed = [...after].flatMap(([name, to]) => {
    const from = before.get(name);
    return from === undefined || from === to ? [] : [{ name, from, to }];
  });
  return { added: byName(only(after, before)), removed: byName(only(before, after)), changed: byName(changed) };
}
