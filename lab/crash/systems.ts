// The systems that the crash tests install and upgrade to: small, so that a state of the disk is looked at in a moment,
// and complete for everything that is looked at: Debian's kernel, GRUB's programs, a shell for hooks. They differ in
// contents that are known, so that it can be told byte by byte which one a slot holds.

import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildGrubPrograms } from '../../src/boot/grub-program.ts';
import { OS_FILES } from '../../src/boot/os-files.generated.ts';
import { type LayerDescriptor, writeImage } from '../../src/image/layout-writer.ts';
import { runChecked } from '../../src/system/process.ts';
import { Root } from '../../src/system/root.ts';
import { packTree } from '../demo/layer.ts';
import type { GuestRoot } from './guest-root.ts';

/** v2 has v1's layers and one more, v3 shares none. */
export const SYSTEMS = ['v1', 'v2', 'v3'] as const;
export type SystemName = (typeof SYSTEMS)[number];

const PROGRAMS = ['/bin/sh', '/bin/cat', '/bin/mkdir', '/bin/sleep'];
const NEWEST_TIME = 1_700_000_000;
/** Where the tools of whoever runs a slot are mounted (in-slot.sh). */
const MOUNT_POINTS = ['usr/local', 'bin', 'sbin', 'lib', 'lib64', 'proc', 'sys', 'dev', 'run', 'tmp', 'oem'];

/** Writes the three systems into an OCI layout. */
export async function makeSystems(layout: string, work: string, { kernel }: GuestRoot): Promise<void> {
  const tree = join(work, 'tree');
  await makeBaseTree(tree, kernel);
  const layers: Record<string, LayerDescriptor> = {};
  const add = async (tag: SystemName, name: string, from: string, over: readonly LayerDescriptor[]) => {
    const tar = join(work, `${name}.tar`);
    await packTree(from, tar, { newestTime: NEWEST_TIME });
    const given = [...over.map((reuse) => ({ reuse })), { tar, compression: 'zstd' as const }];
    const written = await writeImage(layout, { tag, architecture: 'amd64', layers: given });
    const last = written.layers.at(-1);
    if (last !== undefined) layers[name] = last;
    rmSync(tar);
  };
  writeVersion(tree, 1);
  await add('v1', 'base', tree, []);
  const second = join(work, 'second');
  mkdirSync(second, { mode: 0o755 });
  writeVersion(second, 2);
  await add('v2', 'second', second, Object.values(layers));
  writeVersion(tree, 3);
  await add('v3', 'third', tree, []);
}

/** What differs from one version to the next: its name, its initramfs, and data that nothing else could be mistaken for. */
function writeVersion(tree: string, version: number): void {
  const root = new Root(tree);
  const names = `NAME="Crash"\nPRETTY_NAME="Crash ${version}"\nGRUB_ENTRY_NAME="Crash ${version}"\n`;
  root.writeFile('/etc/os-release', names);
  root.writeFile('/boot/initrd', noise(`initramfs ${version}`, 1 << 20));
  root.writeFile('/usr/share/crash/data', noise(`data ${version}`, 1 << 20));
  for (let file = 0; file < 40; file++) {
    root.writeFile(`/usr/share/crash/small-${file}`, noise(`${version} ${file}`, 300 * file));
  }
}

/** Bytes that only this seed has. */
function noise(seed: string, bytes: number): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes; at += 32) blocks.push(createHash('sha256').update(`${seed} ${at}`).digest());
  return Buffer.concat(blocks).subarray(0, bytes);
}

/** A tree with all that is looked at but for what tells the systems apart. */
export async function makeBaseTree(tree: string, kernel: string): Promise<void> {
  for (const path of MOUNT_POINTS) mkdirSync(join(tree, path), { recursive: true });
  await copyPrograms(tree, PROGRAMS);
  mkdirSync(join(tree, 'boot'));
  copyFileSync(kernel, join(tree, 'boot/vmlinuz'));
  const root = new Root(tree);
  for (const path of ['/etc/cos/grub.cfg', '/etc/cos/bootargs.cfg']) {
    const file = OS_FILES[path];
    if (file !== undefined && 'text' in file) root.writeFile(path, file.text);
  }
  root.writeFile('/etc/resolv.conf', 'nameserver 192.0.2.1\n');
  // What a view is looked through for before it becomes the root.
  for (const path of ['usr/bin/holdfast', 'sbin/init']) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), '#!/bin/sh\n', { mode: 0o755 });
  }
  // As `holdfast init` builds it, with this machine's GRUB.
  const programs = `${tree}.grub`;
  cpSync(tree, programs, { recursive: true, verbatimSymlinks: true });
  await copyPrograms(programs, ['/usr/bin/grub-mkimage']);
  for (const platform of ['x86_64-efi', 'i386-pc']) {
    cpSync(`/usr/lib/grub/${platform}`, join(programs, 'usr/lib/grub', platform), { recursive: true });
  }
  await buildGrubPrograms(new Root(programs));
  cpSync(join(programs, 'usr/lib/holdfast'), join(tree, 'usr/lib/holdfast'), { recursive: true });
  rmSync(programs, { recursive: true });
}

/** Copies programs of this machine with the libraries that they load. */
export async function copyPrograms(tree: string, programs: readonly string[]): Promise<void> {
  const files = new Set(programs);
  for (const program of programs) {
    const libraries = await runChecked(['ldd', realpathSync(program)]);
    for (const [path] of libraries.matchAll(/\/[^\s()]+/g)) files.add(path);
  }
  for (const file of files) {
    const target = join(tree, file);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, readFileSync(file), { mode: 0o755 });
  }
}
