// Three Debian trees as a rebase has them (old base, view, new base), with small packages of the test's own, and a directory
// with the package files. Trees share what nobody writes to; a package manager replaces files and doesn't write into them.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureBaseTar } from '../../../lab/demo/base.ts';
import { bindMount, unmount } from '../../../src/system/mounts.ts';
import { runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';

/** What is large and has nothing to do with packages. */
const LEFT_OUT = [
  'boot',
  'usr/lib/modules',
  'usr/lib/grub',
  'usr/share/zoneinfo',
  'usr/lib/firmware',
  'var/lib/apt/lists',
];

export interface LabPackage {
  version: string;
  depends?: string;
  /** Default: all. */
  architecture?: string;
  /** Path → text; below /etc they are conffiles. */
  files: Readonly<Record<string, string>>;
  /** Paths of links → targets. */
  links?: Readonly<Record<string, string>>;
  postinst?: string;
}

export class PackageTrees {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-package-trees-'));
  readonly archive = join(this.directory, 'archive');
  readonly #mounts: string[] = [];

  constructor() {
    mkdirSync(this.archive);
  }

  /** Unpacks the lab's base. */
  async unpackBase(): Promise<void> {
    const base = await ensureBaseTar({ log: () => {} });
    const excluded = LEFT_OUT.map((path) => `--exclude=./${path}/*`);
    mkdirSync(join(this.directory, 'clean'));
    await runChecked([
      'tar',
      '--extract',
      '--file',
      base.path,
      '--directory',
      join(this.directory, 'clean'),
      ...excluded,
    ]);
    const clean = this.tree('clean');
    clean.remove('/etc/apt/sources.list.d');
    clean.writeFile('/etc/apt/sources.list', '');
  }

  tree(name: string): Root {
    return new Root(join(this.directory, name));
  }

  /** A tree that starts as another one; what is written below /etc and /var stays in it. */
  async copyTree(from: string, to: string): Promise<Root> {
    const [source, target] = [join(this.directory, from), join(this.directory, to)];
    await runChecked(['cp', '--archive', '--link', source, target]);
    for (const path of ['etc', 'var', 'root']) {
      rmSync(join(target, path), { recursive: true });
      await runChecked(['cp', '--archive', join(source, path), join(target, path)]);
    }
    return this.tree(to);
  }

  /** A tree as the running system shows its base: mounted, and nothing can be written. */
  async showReadOnly(name: string): Promise<string> {
    const at = join(this.directory, `${name}-read-only`);
    await bindMount(join(this.directory, name), at);
    await runChecked(['mount', '-o', 'remount,bind,ro', at]);
    this.#mounts.push(at);
    return at;
  }

  /** Builds a package file; returns its path. */
  async build(
    name: string,
    { version, depends, architecture = 'all', files, links = {}, postinst }: LabPackage,
  ): Promise<string> {
    const tree = join(this.directory, `build-${name}-${version}`);
    const put = (path: string, text: string, mode = 0o644) => {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), text, { mode });
    };
    for (const [path, text] of Object.entries(files)) put(path, text, path.includes('/bin/') ? 0o755 : 0o644);
    for (const [path, target] of Object.entries(links)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      await runChecked(['ln', '-s', target, join(tree, path)]);
    }
    const conffiles = Object.keys(files).filter((path) => path.startsWith('/etc/'));
    if (conffiles.length > 0) put('DEBIAN/conffiles', conffiles.map((path) => `${path}\n`).join(''));
    if (postinst !== undefined) put('DEBIAN/postinst', `#!/bin/sh\nset -e\n${postinst}\n`, 0o755);
    const paths = Object.keys(files).filter((path) => !conffiles.includes(path));
    const sums = await runChecked(['sh', '-c', 'cd "$0" && md5sum "$@"', tree, ...paths.map((path) => path.slice(1))]);
    put('DEBIAN/md5sums', sums);
    const control = {
      Package: name,
      Version: version,
      Architecture: architecture,
      Maintainer: 'Lab <lab@example.org>',
      ...(depends && { Depends: depends }),
      Description: name,
    };
    put(
      'DEBIAN/control',
      Object.entries(control)
        .map(([key, value]) => `${key}: ${value}\n`)
        .join(''),
    );
    const path = join(this.directory, `${name}_${version}_${architecture}.deb`);
    await runChecked(['dpkg-deb', '--root-owner-group', '--build', tree, path]);
    return path;
  }

  /** Installs package files in a tree, as an owner does by hand. */
  async install(tree: Root, ...files: string[]): Promise<void> {
    for (const file of files) cpSync(file, join(tree.directory, 'tmp', file.slice(file.lastIndexOf('/') + 1)));
    const inside = files.map((file) => `/tmp/${file.slice(file.lastIndexOf('/') + 1)}`);
    await this.run(tree, 'dpkg', '--install', ...inside);
    for (const path of inside) tree.remove(path);
  }

  async run(tree: Root, ...argv: [string, ...string[]]): Promise<string> {
    const environment = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LC_ALL: 'C.UTF-8',
      DEBIAN_FRONTEND: 'noninteractive',
    };
    return runChecked(['chroot', tree.directory, ...argv], { env: environment });
  }

  async remove(): Promise<void> {
    for (const at of this.#mounts) await unmount(at);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
