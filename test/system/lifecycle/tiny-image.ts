// A container image that is small and yet complete for everything but booting: a shell that runs in a chroot, files
// where a kernel, an initramfs and GRUB's program would be, and an os-release. Lifecycle tests run real installs and
// upgrades with it in seconds.

import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type LayerDescriptor, writeImage } from '../../../src/image/layout-writer.ts';
import { runChecked } from '../../../src/system/process.ts';

const PROGRAMS = ['/bin/sh', '/bin/cat', '/bin/mkdir', '/bin/sleep'];

/** By path in the image: a text, a symbolic link, or undefined for a file that the layer removes. */
export type Files = Readonly<Record<string, string | { link: string } | undefined>>;

export const BOOT_FILES: Files = {
  'boot/vmlinuz': 'a kernel',
  'boot/initrd': 'an initramfs',
  'etc/cos/bootargs.cfg':
    'set kernel=/boot/vmlinuz\nset initramfs=/boot/initrd\nset kernelcmd="root=LABEL=COS_STATE"\n',
  'etc/cos/grub.cfg': '# menu\n',
  'usr/lib/holdfast/grub/x86_64-efi/grubx64.efi': 'an EFI program',
  'etc/resolv.conf': 'nameserver 192.0.2.1\n',
};

export const osRelease = (version: number): Files => ({
  'etc/os-release': `NAME="Tiny"\nPRETTY_NAME="Tiny ${version}"\n`,
});

/** Makes images in a layout directory, each from layers of files; layers that were made before are shared. */
export class TinyImages {
  readonly layout: string;
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-tiny-'));
  readonly #layers = new Map<string, LayerDescriptor>();

  constructor() {
    this.layout = join(this.directory, 'layout');
    mkdirSync(this.layout);
  }

  /** @param layers names and contents; the layer called `base` also has the programs. */
  async add(tag: string, layers: readonly { name: string; files: Files }[]): Promise<string> {
    const given: Parameters<typeof writeImage>[1]['layers'][number][] = [];
    for (const { name, files } of layers) {
      const reuse = this.#layers.get(name);
      given.push(reuse === undefined ? { tar: await this.#tar(name, files), compression: 'gzip' } : { reuse });
    }
    const written = await writeImage(this.layout, { tag, architecture: 'amd64', layers: given });
    for (const [index, descriptor] of written.layers.entries()) {
      const layer = layers[index];
      if (layer !== undefined) this.#layers.set(layer.name, descriptor);
    }
    return written.digest;
  }

  async #tar(name: string, files: Files): Promise<string> {
    const tree = join(this.directory, `${name}.tree`);
    mkdirSync(tree);
    if (name === 'base') await copyPrograms(tree);
    for (const [path, text] of Object.entries(files)) {
      const at = join(tree, text === undefined ? join(dirname(path), `.wh.${path.split('/').at(-1)}`) : path);
      mkdirSync(dirname(at), { recursive: true });
      if (typeof text === 'object') symlinkSync(text.link, at);
      else writeFileSync(at, text ?? '', { mode: /(?:^|\/)s?bin\//.test(path) ? 0o755 : 0o644 });
    }
    const tar = join(this.directory, `${name}.tar`);
    await runChecked(['tar', '--sort=name', '--numeric-owner', '--owner=0', '--group=0', '-C', tree, '-cf', tar, '.']);
    return tar;
  }

  /** Changes one byte of a layer, where its content is; its size and its header stay. */
  damage(layer: string): void {
    const digest = this.#layers.get(layer)?.digest ?? '';
    const blob = join(this.layout, 'blobs/sha256', digest.replace('sha256:', ''));
    const bytes = readFileSync(blob);
    // In gzip's trailer: what it was packed from is still all there.
    bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1;
    writeFileSync(blob, bytes);
  }

  /** The tree that a layer was made from, as a directory image. */
  treeOf(layer: string): string {
    return join(this.directory, `${layer}.tree`);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Copies programs of this machine with the libraries that they load. */
export async function copyPrograms(tree: string, programs: readonly string[] = PROGRAMS): Promise<void> {
  const files = new Set(programs);
  for (const program of programs) {
    const libraries = await runChecked(['ldd', realpathSync(program)]);
    for (const [path] of libraries.matchAll(/\/[^\s()]+/g)) files.add(path);
  }
  for (const file of files) {
    const target = join(tree, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(realpathSync(file), target);
  }
}
