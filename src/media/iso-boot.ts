// The boot loader of an ISO, out of the image that it carries: for UEFI what a distribution has signed, or the program that
// `holdfast init` built; for BIOS a program that is built now, by the image's own tool, since CDs need one of their own.

import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { configDirectories, findSignedLoader, GRUB_EFI_PROGRAM } from '../boot/grub-files.ts';
import { GRUB_MODULES } from '../boot/grub-program.ts';
import { grubBiosDirectory, grubMkimage } from '../boot/init-requirements.ts';
import { REMOVABLE_PATH } from '../boot/install-grub.ts';
import { HoldfastError } from '../system/errors.ts';
import { commandFailed } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { findMenu, ISO_GRUB_DIRECTORY } from './iso-menu.ts';

/** In GRUB's directory for BIOS: what starts its program from a CD, and from a stick. */
const CD_BOOT = 'cdboot.img';
const STICK_BOOT = 'boot_hybrid.img';

/** Where the program for BIOS is on the medium. */
export const ELTORITO_PATH = `${ISO_GRUB_DIRECTORY}/eltorito.img`;

/**
 * Writes the files for firmware into a directory: `EFI/BOOT/BOOTX64.EFI` and what belongs to it.
 * @returns whether the loader is a signed one.
 * @throws HoldfastError HF-NOT-BOOTABLE when the image brings no loader.
 */
export function writeEfiFiles(image: Root, directory: string, mark: string): { signed: boolean } {
  const isFile = (path: string) => image.stat(path)?.isFile() === true;
  const signed = findSignedLoader(isFile);
  if (signed === undefined && !isFile(GRUB_EFI_PROGRAM)) {
    throw new HoldfastError('HF-NOT-BOOTABLE', `the image has no boot loader for UEFI (${GRUB_EFI_PROGRAM})`, {
      hint: 'run `holdfast init` in the image as the last step of its build',
    });
  }
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  };
  const read = (path: string) => readFileSync(image.resolve(path));
  const directories = signed === undefined ? ['EFI/BOOT'] : configDirectories(read(signed.grub), signed.vendor);
  for (const each of directories) put(`${each}/grub.cfg`, findMenu(mark, { run: true }));
  if (signed !== undefined) {
    // The names that shim has for them.
    put('EFI/BOOT/grubx64.efi', read(signed.grub));
    put('EFI/BOOT/mmx64.efi', read(signed.mokManager));
  }
  put(REMOVABLE_PATH, read(signed?.shim ?? GRUB_EFI_PROGRAM));
  return { signed: signed !== undefined };
}

/** What makes an ISO boot by BIOS. */
export interface BiosBoot {
  /** GRUB's directory in the image. */
  directory: string;
  mkimage: string;
}

/** @returns undefined, and why, when the image can't boot by BIOS from a medium. */
export function findBiosBoot(image: Root): BiosBoot | { missing: string } {
  const directory = grubBiosDirectory(image);
  const mkimage = grubMkimage(image);
  if (directory === undefined) return { missing: 'GRUB’s modules for i386-pc' };
  if (mkimage === undefined) return { missing: 'grub-mkimage' };
  const missing = [CD_BOOT, STICK_BOOT].find((name) => !image.stat(`${directory}/${name}`)?.isFile());
  return missing === undefined ? { directory, mkimage } : { missing: `${directory}/${missing}` };
}

/**
 * Builds GRUB's program for CDs in the image's tree, which is used up by then, and takes it and the boot sector out.
 * @param into.eltorito the program's file, and `into.bootSector` that for sticks.
 * @throws HoldfastError HF-GRUB with grub-mkimage's words.
 */
export async function buildBiosFiles(
  image: Root,
  { directory, mkimage }: BiosBoot,
  mark: string,
  into: { eltorito: string; bootSector: string },
  signal: AbortSignal,
): Promise<void> {
  // A directory of its own: what the image has in /tmp may be anything.
  const work = '/.holdfast-iso';
  image.makeDirectory(work, 0o700);
  image.writeFile(`${work}/first.cfg`, findMenu(mark, { run: false }));
  const result = await image.run(
    [
      mkimage,
      '--format=i386-pc-eltorito',
      `--directory=${directory}`,
      `--prefix=${ISO_GRUB_DIRECTORY}`,
      `--config=${work}/first.cfg`,
      `--output=${work}/eltorito.img`,
      ...GRUB_MODULES['i386-pc'],
    ],
    { signal },
  );
  if (result.status !== 0) {
    throw new HoldfastError('HF-GRUB', 'GRUB’s program for CDs could not be built', { cause: commandFailed(result) });
  }
  mkdirSync(dirname(into.eltorito), { recursive: true });
  copyFileSync(image.resolve(`${work}/eltorito.img`), into.eltorito);
  copyFileSync(image.resolve(`${directory}/${STICK_BOOT}`), into.bootSector);
  rmSync(image.resolve(work), { recursive: true });
}
