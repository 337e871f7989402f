// Which signed loader an image has, and where its GRUB looks for a configuration.

import { expect, test } from 'vitest';
import { configDirectories, findSignedLoader, SIGNED_LOADER_PATHS } from '../../../src/boot/grub-files.ts';

const DEBIAN = [
  '/usr/lib/shim/shimx64.efi.signed',
  '/usr/lib/shim/mmx64.efi.signed',
  '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed',
];

test('a signed loader counts when shim, its key manager and GRUB are there', () => {
  const find = (paths: readonly string[]) => findSignedLoader((path) => paths.includes(path))?.vendor;
  expect(find(DEBIAN)).toBe('debian');
  for (const missing of DEBIAN) expect(find(DEBIAN.filter((path) => path !== missing))).toBeUndefined();
  expect(find(SIGNED_LOADER_PATHS.filter((path) => path.startsWith('/usr/share/efi/')))).toBe('opensuse');
  expect(find(SIGNED_LOADER_PATHS.filter((path) => path.startsWith('/boot/efi/')))).toBe('fedora');
  expect(find([])).toBeUndefined();
});

test.each([
  ['the one that is compiled in', 'MZ\0\0/EFI/ubuntu\0more', ['EFI/BOOT', 'EFI/debian', 'EFI/ubuntu']],
  ['the vendor’s own when there is none', 'MZ no prefix', ['EFI/BOOT', 'EFI/debian']],
  ['each once', '/EFI/debian\0/EFI/debian\0/EFI/BOOT\0', ['EFI/BOOT', 'EFI/debian']],
  ['nothing that is no name', '/EFI/../../etc\0', ['EFI/BOOT', 'EFI/debian']],
])('configuration directories: %s', (_, program, directories) => {
  expect(configDirectories(Buffer.from(program), 'debian')).toEqual(directories);
});
