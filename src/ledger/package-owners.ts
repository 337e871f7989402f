// Which package a path belongs to, from the lists that package managers keep: dpkg's and apk's as texts, rpm's through rpm in
// the tree itself. One pass for all paths that are asked about.

import { basename } from 'node:path';
import { parsePackages } from '../image/packages.ts';
import type { TreePath } from '../image/targettree.ts';
import { apkFiles, apkPackages } from '../overlay/packages/apk-database.ts';
import { ask, databaseOf } from '../overlay/packages/lists.ts';
import { TreeFiles, treePathOf } from '../overlay/packages/tree-files.ts';
import type { Root } from '../system/root.ts';
import type { PackageName } from './entry.ts';

const INFO = '/var/lib/dpkg/info';
/** A file of dpkg's own about one package: `vim.list`, `libc6:amd64.md5sums`. */
const INFO_NAME =
  /^([a-z0-9][a-z0-9+.-]*?(?::[a-z0-9]+)?)\.(?:list|md5sums|conffiles|preinst|postinst|prerm|postrm|triggers|shlibs|symbols|config|templates)$/;

/**
 * The packages of paths of a tree. A directory that several packages have is nobody's.
 * @param wanted paths without links in their directories.
 * @throws HoldfastError HF-COMMAND when rpm of the tree fails.
 */
export async function packagesOf(
  root: Root,
  wanted: ReadonlySet<TreePath>,
  signal?: AbortSignal,
): Promise<Map<TreePath, PackageName>> {
  const owners = new Owners(root, wanted);
  switch (databaseOf({ root })) {
    case 'dpkg':
      readDpkg(root, owners);
      break;
    case 'rpm':
      await readRpm(root, owners, signal);
      break;
    case 'apk': {
      const packages = apkPackages(root, new Set());
      const files = apkFiles(root, new Set(packages.map(({ name }) => name)));
      for (const { name, version } of packages) {
        for (const { path } of files.get(name) ?? []) owners.add(path, { name, version });
      }
      break;
    }
    case undefined:
  }
  return owners.found;
}

class Owners {
  readonly found = new Map<TreePath, PackageName>();
  readonly #shared = new Set<TreePath>();
  readonly #files: TreeFiles;
  readonly #wanted: ReadonlySet<TreePath>;
  /** The last names of wanted paths: most paths of a system have another one, and need no look at their directories. */
  readonly #names: ReadonlySet<string>;

  constructor(root: Root, wanted: ReadonlySet<TreePath>) {
    this.#files = new TreeFiles(root);
    this.#wanted = wanted;
    this.#names = new Set([...wanted].map((path) => basename(path)));
  }

  /** @param path as the package names it. */
  add(path: string, owner: PackageName): void {
    if (!this.#names.has(basename(treePathOf(path)))) return;
    const real = treePathOf(this.#files.pathOf(path));
    if (!this.#wanted.has(real) || this.#shared.has(real)) return;
    const other = this.found.get(real);
    if (other === undefined || other.name === owner.name) {
      this.found.set(real, owner);
      return;
    }
    this.#shared.add(real);
    this.found.delete(real);
  }
}

function readDpkg(root: Root, owners: Owners): void {
  const versions = parsePackages('var/lib/dpkg/status', root.readTextIfThere('/var/lib/dpkg/status') ?? '');
  const versionOf = (name: string) => versions.get(name) ?? versions.get(name.replace(/:.*/, ''));
  for (const file of root.list(INFO)) {
    const name = INFO_NAME.exec(file)?.[1];
    const version = name === undefined ? undefined : versionOf(name);
    if (name === undefined || version === undefined) continue;
    const owner = { name: name.replace(/:.*/, ''), version };
    owners.add(`${INFO}/${file}`, owner);
    if (!file.endsWith('.list')) continue;
    for (const path of (root.readTextIfThere(`${INFO}/${file}`) ?? '').split('\n')) {
      if (path.startsWith('/') && path !== '/.') owners.add(path, owner);
    }
  }
}

/** A line for each file; names that are no text come out as names that nothing has. */
const RPM_OWNERS = ['rpm', '-qa', '--qf', '[%{=NAME}\\t%{=VERSION}-%{=RELEASE}\\t%{FILENAMES}\\n]'] as const;

async function readRpm(root: Root, owners: Owners, signal: AbortSignal | undefined): Promise<void> {
  const text = await ask({ root, run: (argv, options) => root.run(argv, options) }, RPM_OWNERS, signal);
  for (const line of text.split('\n')) {
    const [name, version, path] = line.split('\t');
    if (name !== undefined && version !== undefined && path?.startsWith('/')) owners.add(path, { name, version });
  }
}
