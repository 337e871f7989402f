// The boot loader's files in an image: those that `holdfast init` leaves there, and those that a distribution's packages
// bring. `install` looks for them by these names before it touches a disk.

/** GRUB's EFI program. */
export const GRUB_EFI_PROGRAM = '/usr/lib/holdfast/grub/x86_64-efi/grubx64.efi';
/** GRUB for BIOS: the core image, and the 512 bytes that load it. */
export const GRUB_BIOS_CORE = '/usr/lib/holdfast/grub/i386-pc/core.img';
export const GRUB_BIOS_BOOT_SECTOR = '/usr/lib/holdfast/grub/i386-pc/boot.img';
/** The font of GRUB's graphical console. */
export const GRUB_FONT = '/usr/lib/holdfast/grub/unicode.pf2';
/** The boot menu that an image brings. */
export const GRUB_MENU = '/etc/cos/grub.cfg';

/** A boot loader that firmware with Secure Boot accepts: shim, which checks GRUB, which checks the kernel. */
export interface SignedLoader {
  shim: string;
  mokManager: string;
  grub: string;
  /** The directory of the ESP where this GRUB looks for its configuration, when the program itself doesn't say. */
  vendor: string;
}

/** Looked up in Debian 12, Ubuntu 22.04, openSUSE Leap 15.5 and Fedora 38. */
const SIGNED_LOADERS: readonly SignedLoader[] = [
  {
    shim: '/usr/lib/shim/shimx64.efi.signed',
    mokManager: '/usr/lib/shim/mmx64.efi.signed',
    grub: '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
    vendor: 'debian',
  },
  {
    shim: '/usr/lib/shim/shimx64.efi.signed',
    mokManager: '/usr/lib/shim/mmx64.efi',
    grub: '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
    vendor: 'ubuntu',
  },
  {
    shim: '/usr/share/efi/x86_64/shim.efi',
    mokManager: '/usr/share/efi/x86_64/MokManager.efi',
    grub: '/usr/share/efi/x86_64/grub.efi',
    vendor: 'opensuse',
  },
  {
    shim: '/boot/efi/EFI/fedora/shimx64.efi',
    mokManager: '/boot/efi/EFI/fedora/mmx64.efi',
    grub: '/boot/efi/EFI/fedora/grubx64.efi',
    vendor: 'fedora',
  },
];

/** Every path that {@link findSignedLoader} asks for. */
export const SIGNED_LOADER_PATHS: readonly string[] = [
  ...new Set(SIGNED_LOADERS.flatMap(({ shim, mokManager, grub }) => [shim, mokManager, grub])),
];

/** The signed loader of an image, if it has a complete one. */
export function findSignedLoader(has: (path: string) => boolean): SignedLoader | undefined {
  return SIGNED_LOADERS.find(({ shim, mokManager, grub }) => [shim, mokManager, grub].every(has));
}

/**
 * The directories of the ESP where a signed GRUB may look for its configuration. Its prefix is compiled in, and can be
 * read from the program; one without any (openSUSE's) looks beside itself.
 */
export function configDirectories(grubProgram: Uint8Array, vendor: string): string[] {
  const text = Buffer.from(grubProgram.buffer, grubProgram.byteOffset, grubProgram.length).toString('latin1');
  const compiledIn = [...text.matchAll(/\/EFI\/([A-Za-z0-9_-]{1,32})\0/g)].map(([, name]) => name ?? vendor);
  return [...new Set(['BOOT', vendor, ...compiledIn])].map((name) => `EFI/${name}`);
}
