// The images of the story that holds plans against what happens: small systems that differ in everything that a plan speaks
// of. Each is a layer or a base more than another one: packages in a dpkg database, kernel and arguments, units, files in
// /etc, links, modes, and what whiteouts take away.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type LayerDescriptor, writeImage } from '../../src/image/layout-writer.ts';
import { runChecked } from '../../src/system/process.ts';
import { Root } from '../../src/system/root.ts';
import type { GuestRoot } from '../crash/guest-root.ts';
import { copyPrograms, makeBaseTree } from '../crash/systems.ts';
import { packTree } from '../demo/layer.ts';

const NEWEST_TIME = 1_700_000_000;

/** A package manager that works in the slot, for hooks that add and remove packages. */
const PACKAGE_PROGRAMS = [
  ...['dpkg', 'dpkg-deb', 'dpkg-query', 'dpkg-split'].map((name) => `/usr/bin/${name}`),
  ...['rm', 'tar', 'diff', 'sed', 'chmod', 'ln', 'env'].map((name) => `/usr/bin/${name}`),
  ...['/usr/sbin/ldconfig', '/usr/sbin/start-stop-daemon'],
];

interface DpkgPackage {
  name: string;
  version: string;
  files: Readonly<Record<string, string>>;
}

const ALPHA: DpkgPackage = { name: 'alpha', version: '1.0', files: { '/usr/bin/alpha': 'alpha 1\n' } };
const BETA_1: DpkgPackage = {
  name: 'beta',
  version: '1.0-1',
  files: { '/usr/bin/beta': 'beta 1\n', '/usr/share/beta/one': 'one\n' },
};
const BETA_2: DpkgPackage = {
  name: 'beta',
  version: '1.1-1',
  files: { '/usr/bin/beta': 'beta 1.1\n', '/usr/share/beta/two': 'two\n' },
};
const GAMMA: DpkgPackage = { name: 'gamma', version: '2:3.0', files: { '/usr/bin/gamma': 'gamma 3\n' } };

/** One layer as what it does to a tree. */
interface Layer {
  version: number;
  packages: readonly DpkgPackage[];
  files?: Readonly<Record<string, string>>;
  links?: Readonly<Record<string, string>>;
  modes?: Readonly<Record<string, number>>;
  /** Taken away from the layers below. */
  removed?: readonly string[];
}

/** What the images are called, and what each is for. */
export const IMAGES = ['first', 'more', 'other', 'kernel', 'units', 'settings'] as const;
export type FidelityImage = (typeof IMAGES)[number];

const APP = 'listen = 80\nroot = /srv\n# an image’s own line\nlog = short\n';

const BASE: Layer = {
  version: 1,
  packages: [ALPHA, BETA_1, GAMMA],
  files: {
    '/boot/initrd': 'an initramfs\n'.repeat(5000),
    '/etc/app.conf': APP,
    '/etc/plain.conf': 'plain = 1\n',
    '/usr/lib/modules/6.1.0-lab/modules.dep': 'old modules\n',
    '/usr/lib/systemd/system/old.service': '[Service]\nExecStart=/bin/true\n',
    '/usr/lib/systemd/system/same.service': '[Service]\nExecStart=/bin/true\n',
    '/usr/lib/systemd/system/changed.service': '[Service]\nExecStart=/bin/true\n',
    '/usr/share/things/kept': 'kept\n',
    '/usr/share/things/gone/one': 'one\n',
    '/usr/share/things/gone/two': 'two\n',
    '/usr/share/things/becomes-link': 'a file\n',
    '/usr/share/things/becomes-directory': 'a file\n',
    '/usr/share/things/mode': 'mode\n',
    '/usr/share/things/umlaut ä\n': 'a name with a line end\n',
  },
  links: { '/etc/systemd/system/multi-user.target.wants/old.service': '/usr/lib/systemd/system/old.service' },
};

const MORE: Layer = {
  version: 2,
  packages: [ALPHA, BETA_1, GAMMA],
  files: {
    '/usr/share/things/new/file': 'new\n',
    '/usr/share/things/becomes-directory/inside': 'a file in a directory\n',
    '/usr/share/data': 'data\n'.repeat(100_000),
  },
  links: { '/usr/share/things/becomes-link': 'kept' },
  modes: { '/usr/share/things/mode': 0o4750 },
  removed: ['/usr/share/things/gone', '/usr/share/things/becomes-directory', '/usr/share/things/umlaut ä\n'],
};

const KERNEL: Layer = {
  version: 4,
  packages: [ALPHA, BETA_1, GAMMA],
  files: {
    '/boot/vmlinuz': 'another kernel\n'.repeat(5000),
    '/boot/initrd': 'another initramfs\n'.repeat(5000),
    '/usr/lib/modules/6.9.1-lab/modules.dep': 'new modules\n',
    '/etc/cos/bootargs.cfg':
      'set kernel=/boot/vmlinuz\nset initramfs=/boot/initrd\nset kernelcmd="console=tty1 root=LABEL=$label cos-img/filename=$img panic=7 rd.cos.oemlabel=COS_OEM"\n',
  },
  removed: ['/usr/lib/modules/6.1.0-lab'],
};

const UNITS: Layer = {
  version: 5,
  packages: [ALPHA, BETA_1, GAMMA],
  files: {
    '/usr/lib/systemd/system/web.service': '[Service]\nExecStart=/bin/true web\n',
    '/usr/lib/systemd/system/changed.service': '[Service]\nExecStart=/bin/true changed\n',
  },
  links: {
    '/etc/systemd/system/multi-user.target.wants/web.service': '/usr/lib/systemd/system/web.service',
    '/etc/systemd/system/same.service': '/dev/null',
  },
  removed: ['/usr/lib/systemd/system/old.service', '/etc/systemd/system/multi-user.target.wants/old.service'],
};

const SETTINGS: Layer = {
  version: 6,
  packages: [ALPHA, BETA_2],
  files: { '/etc/app.conf': APP.replace('listen = 80', 'listen = 8080'), '/etc/new.conf': 'new = 1\n' },
  removed: ['/usr/bin/gamma', '/usr/share/beta/one', '/etc/plain.conf'],
};

/** Writes all images into an OCI layout. `work` is for what they are made from. */
export async function makeFidelityImages(layout: string, work: string, { kernel }: GuestRoot): Promise<void> {
  const pack = async (tag: FidelityImage, tree: string, below: readonly LayerDescriptor[]) => {
    const tar = join(work, `${tag}.tar`);
    await packTree(tree, tar, { newestTime: NEWEST_TIME });
    const layers = [...below.map((reuse) => ({ reuse })), { tar, compression: 'zstd' as const }];
    const written = await writeImage(layout, { tag, architecture: 'amd64', layers });
    rmSync(tar);
    return written.layers;
  };
  const base = join(work, 'fidelity');
  await makeBaseTree(base, kernel);
  await copyPrograms(base, PACKAGE_PROGRAMS);
  layerInto(base, BASE, 'base');
  const first = await pack('first', base, []);
  await pack('more', makeLayer(join(work, 'more'), MORE), first);
  // The same system as a layer of its own: nothing of the installed one is known to be in it.
  layerInto(base, { ...BASE, version: 3, files: { ...BASE.files, '/usr/share/things/third': 'third\n' } }, 'base');
  const other = await pack('other', base, []);
  const withKernel = await pack('kernel', makeLayer(join(work, 'kernel'), KERNEL), other);
  const withUnits = await pack('units', makeLayer(join(work, 'units'), UNITS), withKernel);
  await pack('settings', makeLayer(join(work, 'settings'), SETTINGS), withUnits);
}

function makeLayer(directory: string, layer: Layer): string {
  mkdirSync(directory, { mode: 0o755 });
  layerInto(directory, layer, 'layer');
  return directory;
}

function layerInto(directory: string, layer: Layer, kind: 'base' | 'layer'): void {
  const root = new Root(directory);
  const { version, packages, files = {}, links = {}, modes = {}, removed = [] } = layer;
  for (const path of removed) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    root.writeFile(`${dirname(path)}/.wh.${name}`, '');
  }
  root.writeFile(
    '/etc/os-release',
    `NAME="Story"\nPRETTY_NAME="Story ${version}"\nGRUB_ENTRY_NAME="Story ${version}"\nID=story\nVERSION_ID=${version}\n`,
  );
  for (const { name, version: packageVersion, files: own } of packages) {
    for (const [path, text] of Object.entries(own)) root.writeFile(path, text);
    root.writeFile(`/var/lib/dpkg/info/${name}.list`, `/.\n${Object.keys(own).join('\n')}\n`);
    void packageVersion;
  }
  root.writeFile('/var/lib/dpkg/status', packages.map(stanza).join('\n'));
  if (kind === 'base') {
    root.writeFile('/var/lib/dpkg/available', '');
    for (const name of ['updates', 'triggers', 'alternatives']) root.makeDirectory(`/var/lib/dpkg/${name}`);
  }
  for (const [path, text] of Object.entries(files)) root.writeFile(path, text);
  for (const [path, target] of Object.entries(links)) {
    root.makeDirectory(dirname(path));
    if (root.lstat(path) === undefined) root.link(path, target);
  }
  for (const [path, mode] of Object.entries(modes)) {
    if (root.lstat(path) === undefined) root.writeFile(path, 'mode\n');
    root.writeFile(path, root.readText(path), { mode });
  }
}

function stanza({ name, version }: DpkgPackage): string {
  return [
    `Package: ${name}`,
    'Status: install ok installed',
    'Priority: optional',
    'Section: misc',
    'Installed-Size: 1',
    'Maintainer: Story <story@example.org>',
    'Architecture: all',
    `Version: ${version}`,
    'Description: of the story',
    '',
  ].join('\n');
}

/** A package that the owner installs, as a file for dpkg. */
export async function makeOwnersPackage(directory: string, work: string): Promise<string> {
  const tree = join(work, 'owner-tool');
  const root = new Root(tree);
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true, mode: 0o755 });
  writeFileSync(
    join(tree, 'DEBIAN/control'),
    'Package: owner-tool\nVersion: 0.9-2\nArchitecture: all\nMaintainer: Story <story@example.org>\nDescription: of the owner\n',
  );
  writeFileSync(
    join(tree, 'DEBIAN/postinst'),
    '#!/bin/sh\nmkdir -p /var/lib/owner-tool && echo made > /var/lib/owner-tool/state\n',
    {
      mode: 0o755,
    },
  );
  writeFileSync(join(tree, 'DEBIAN/postrm'), '#!/bin/sh\nif [ "$1" = purge ]; then rm -r /var/lib/owner-tool; fi\n', {
    mode: 0o755,
  });
  root.writeFile('/usr/bin/owner-tool', '#!/bin/sh\necho tool\n', { mode: 0o755 });
  root.writeFile('/etc/owner-tool.conf', 'tool = 1\n');
  const file = join(directory, 'owner-tool.deb');
  await runChecked(['dpkg-deb', '--root-owner-group', '--build', tree, file]);
  return file;
}
