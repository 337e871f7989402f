// Looks at a root file system before `holdfast init` plans: every path that it may change, and fingerprints of what GRUB's
// program and the initramfs are built from.

import { createHash } from 'node:crypto';
import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import { GRUB_BIOS_BOOT_SECTOR, GRUB_BIOS_CORE, GRUB_EFI_PROGRAM, GRUB_FONT } from './grub-files.ts';
import { BIOS_CONFIG, GRUB_MODULES } from './grub-program.ts';
import { DIRECTORIES, EXECUTABLE, type FoundPath, type InitFound } from './init-plan.ts';
import { readRecord } from './init-record.ts';
import {
  biosNotice,
  grubBiosDirectory,
  grubDirectory,
  grubFont,
  initrdOf,
  requireBootParts,
} from './init-requirements.ts';
import { OS_FILES } from './os-files.generated.ts';

/**
 * @param executable a file on this machine that becomes the image's executable.
 * @param options.initrd an initramfs is wanted.
 * @param options.documents further paths that the plan asks for.
 * @throws HoldfastError HF-NOT-BOOTABLE when the root lacks something, HF-NO-SOURCE without an executable.
 */
export function inspectRoot(
  root: Root,
  executable: string | undefined,
  options: { initrd: boolean; documents: readonly string[] },
): InitFound {
  const { canBuildInitrd, ...kernel } = requireBootParts(root, options);
  if (executable === undefined && !root.stat(EXECUTABLE)?.isFile()) {
    throw new HoldfastError('HF-NO-SOURCE', `there is no ${EXECUTABLE} in ${root.directory}`, {
      hint: 'name the executable with --executable FILE',
    });
  }
  // The name that the distribution's own kernel package uses, so that its updates replace this one.
  const initrdPath = initrdOf(root, kernel) ?? `/boot/initrd-${kernel.version}`;
  const units = ['e2scrub_reap.service'].filter((unit) => root.exists(`/lib/systemd/system/${unit}`));
  const looked = [
    ...Object.keys(OS_FILES),
    ...Object.keys(DIRECTORIES),
    ...options.documents,
    ...units.map((unit) => `/etc/systemd/system/${unit}`),
    '/boot/vmlinuz',
    '/boot/initrd',
    '/etc/fstab',
    '/etc/machine-id',
  ];
  return {
    kernel,
    canBuildInitrd,
    initrdPath,
    paths: new Map(looked.map((path) => [path, lookAt(root, path)])),
    record: readRecord(root),
    grubFingerprint: fingerprint(
      root,
      [GRUB_MODULES, BIOS_CONFIG],
      [`${grubDirectory(root)}/kernel.img`, `${grubBiosDirectory(root)}/kernel.img`, `${grubFont(root)}`],
    ),
    grubNotice: biosNotice(root),
    initrdFingerprint: fingerprint(root, dracutInputs(root), [
      `/lib/modules/${kernel.version}/modules.dep`,
      '/usr/bin/dracut',
      '/usr/lib/systemd/systemd',
      '/usr/bin/udevadm',
      '/usr/bin/mount',
      '/usr/sbin/e2fsck',
    ]),
    hasGrub: [
      GRUB_EFI_PROGRAM,
      ...(grubBiosDirectory(root) === undefined ? [] : [GRUB_BIOS_CORE, GRUB_BIOS_BOOT_SECTOR]),
      ...(grubFont(root) === undefined ? [] : [GRUB_FONT]),
    ].every((path) => root.exists(path)),
    hasInitrd: root.exists(initrdPath),
    secrets: [
      ...root
        .list('/etc/ssh')
        .filter((name) => /^ssh_host_.*key(\.pub)?$/.test(name))
        .map((name) => `/etc/ssh/${name}`),
      ...['/var/lib/systemd/random-seed', '/var/lib/dbus/machine-id'].filter((path) => root.lstat(path)?.isFile()),
    ],
    executable: executable !== undefined && !sameFile(executable, root.resolve(EXECUTABLE)) ? executable : undefined,
    uselessUnits: units,
  };
}

function lookAt(root: Root, path: string): FoundPath {
  const stat = root.lstat(path);
  if (stat === undefined) return { type: 'none' };
  if (stat.isSymbolicLink()) {
    // A merged /usr makes directories links, which is fine.
    if (root.stat(path)?.isDirectory()) return { type: 'directory' };
    return { type: 'link', target: readlinkSync(root.resolve(path, { followLast: false })) };
  }
  if (stat.isDirectory()) return { type: 'directory' };
  const text = root.readText(path);
  return { type: 'file', digest: digestOf(text), mode: stat.mode & 0o7777, empty: stat.size === 0 };
}

/** Changes when one of the texts changes, or when a package replaced one of the files. */
function fingerprint(root: Root, texts: readonly unknown[], files: readonly string[]): string {
  const stats = files.map((path) => {
    const stat = root.stat(path);
    return stat === undefined ? null : [stat.size, Math.floor(stat.mtimeMs / 1000)];
  });
  return digestOf(JSON.stringify([texts, files, stats]));
}

/** Our own dracut files as they will be, and the image's dracut configuration as it is. */
function dracutInputs(root: Root): unknown[] {
  const ours = Object.entries(OS_FILES).filter(([path]) => /^\/usr\/lib\/(dracut|systemd\/system\/cos-)/.test(path));
  const theirs = root.list('/etc/dracut.conf.d').map((name) => root.readTextIfThere(`/etc/dracut.conf.d/${name}`));
  return [ours, theirs];
}

/** How contents are compared. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function sameFile(a: string, b: string): boolean {
  const [digestA, digestB] = [a, b].map(fileDigest);
  return digestA === digestB;
}

/** The digest of a file of any size, undefined when it isn't there. */
function fileDigest(file: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.alloc(1 << 20);
    for (let size = readSync(fd, buffer); size > 0; size = readSync(fd, buffer)) hash.update(buffer.subarray(0, size));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
