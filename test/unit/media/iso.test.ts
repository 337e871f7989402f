// The pure parts of an ISO: what it may be called, its menu, what xorriso is told, and the plan.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GRUB_EFI_PROGRAM } from '../../../src/boot/grub-files.ts';
import { findBiosBoot, writeEfiFiles } from '../../../src/media/iso-boot.ts';
import { findMenu, isoMenu, mediumMark } from '../../../src/media/iso-menu.ts';
import { planIso } from '../../../src/media/iso-plan.ts';
import { type IsoRequest, isoFileName, parseIsoLabel, stageFileName } from '../../../src/media/iso-request.ts';
import { isoArguments } from '../../../src/media/iso-volume.ts';
import { canRead, requireReadable, usualCompression } from '../../../src/media/kernel-features.ts';
import { parseCompression } from '../../../src/media/root-file.ts';
import { Root } from '../../../src/system/root.ts';

test.each(['COS_LIVE', 'my-os.2', 'A'.repeat(32)])('%s can be a label', (label) => {
  expect(parseIsoLabel(label)).toBe(label);
});

test.each(['', 'A'.repeat(33), 'MY OS', 'a/b', 'grün', '$root', "it's", 'a\n'])('%j can’t be a label', (label) => {
  expect(() => parseIsoLabel(label)).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
});

test('the file’s name is Elemental’s, with the day where it is asked for', () => {
  expect(isoFileName('os')).toBe('os.iso');
  expect(isoFileName('os', new Date('2024-01-31T23:00:00Z'))).toBe('os.20240131.iso');
  for (const name of ['', '../os', 'a/b', '.os']) expect(() => isoFileName(name)).toThrow('is no file name');
});

test('stage files keep their order and lose what no medium has in a name', () => {
  const names = ['users.yaml', 'two words.yml', '..', 'https://host/a?b=c'].map((name) => ({ name, text: '' }));
  expect(names.map(stageFileName)).toEqual([
    '01_users.yaml',
    '02_two_words.yaml',
    '03_stages.yaml',
    '04_https_host_a_b_c.yaml',
  ]);
});

const menu = (title: string, more: readonly string[] = []) =>
  isoMenu({ title, liveArguments: ['root=live:CDLABEL=COS_LIVE', 'rd.cos.disable', ...more] });

describe('the menu', () => {
  test.each(['Demo 1', `it's "Demo" $(reboot) \\ {x}; y`, 'Grün', ''])('of %j is what GRUB understands', (title) => {
    // grub-script-check says by its status what GRUB's own parser thinks.
    execFileSync('grub-script-check', { input: menu(title, ['a=b;c|d', 'e=<f>', 'g={h}#i']) });
  });

  test('starts the live system by itself; installing has to be chosen', () => {
    const text = menu('Demo');
    expect(text).toMatch(/^set default=live$/m);
    expect([...text.matchAll(/--id (\w+)/g)].map(([, id]) => id)).toEqual(['live', 'install', 'text', 'disk']);
    const lines = text.split('\n').filter((line) => line.includes('linux '));
    expect(lines.map((line) => line.includes(' holdfast.install'))).toEqual([false, true, false]);
    for (const line of lines) {
      expect(line).toContain('($root)/boot/kernel.xz root=live:CDLABEL=COS_LIVE rd.cos.disable console=tty1');
    }
  });

  test('takes arguments as they are', () => {
    expect(menu('Demo', ['a;b'])).toContain(" 'a;b' ");
  });

  test('is looked for by what only this medium has, in words that GRUB’s rescue parser knows', () => {
    const mark = mediumMark('1234');
    const first = findMenu(mark, { run: false });
    expect(first).toBe('search --no-floppy --file --set=root /.disk/1234.uuid\nset prefix=($root)/boot/grub2\n');
    expect(findMenu(mark, { run: true })).toBe(`${first}configfile ($root)/boot/grub2/grub.cfg\n`);
  });
});

const volume = { directory: '/d', file: '/o.iso', label: 'L', uuid: 'u-u', timeSeconds: 1714979289, efiImage: '/e' };

test('xorriso gets the medium’s time and numbers, and no start-up file of somebody', () => {
  const argv = isoArguments(volume);
  expect(argv.slice(0, 4)).toEqual(['xorriso', '-no_rc', '-as', 'mkisofs']);
  expect(argv).toContain('--modification-date=2024050607080900');
  expect(argv[argv.indexOf('--gpt_disk_guid') + 1]).toBe('u-u');
  expect(argv).not.toContain('-b');
  expect(isoArguments({ ...volume, biosBootSector: '/s' })).toEqual(
    expect.arrayContaining(['-b', 'boot/grub2/eltorito.img', '--grub2-mbr', '/s']),
  );
});

const request: IsoRequest = {
  image: { kind: 'tree', source: 'dir:/srv/root', digest: undefined, directory: '/srv/root' },
  label: 'COS_LIVE',
  output: '/srv/os.iso',
  overlays: { rootfs: [], uefi: [], iso: [] },
  stageFiles: [],
  format: 'squashfs',
  extraArguments: [],
  efiOnly: false,
};

describe('the plan', () => {
  const kinds = (more: Partial<IsoRequest>) =>
    planIso({ ...request, ...more }, { treeBytes: 1, recoveryBytes: 2 }).actions.map(({ kind }) => kind);

  test('has what is asked for, and no more', () => {
    expect(kinds({})).toEqual(['unpack', 'make-root', 'add-boot-loader', 'write-iso', 'publish']);
    const recovery = { kind: 'image', image: request.image } as const;
    expect(kinds({ recovery, stageFiles: [{ name: 'a', text: '' }] })).toEqual([
      'unpack',
      'make-root',
      'add-recovery',
      'add-boot-loader',
      'add-files',
      'write-iso',
      'publish',
    ]);
  });

  test('says what it is in sentences', () => {
    const options = {
      overlays: { rootfs: ['/a', '/b'], uefi: [], iso: ['/c'] },
      compression: 'xz',
      format: 'squashfs',
    } as const;
    const { title, actions } = planIso({ ...request, ...options }, { treeBytes: 1, recoveryBytes: 0 });
    expect([title, ...actions.map(({ summary }) => summary)]).toEqual([
      'Build the ISO /srv/os.iso',
      'Unpack dir:/srv/root, with /a and /b laid over it and see that it can boot',
      'Make rootfs.squashfs, a squashfs (xz) of it',
      'Add kernel, initramfs and boot loader for UEFI, and BIOS where the image can',
      'Add what is in /c',
      'Write the ISO, labelled COS_LIVE',
      'Put it at /srv/os.iso, with its checksum beside it',
    ]);
  });
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-iso-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function tree(files: Record<string, string>): Root {
  const top = join(directory, 'tree');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), text);
  }
  return new Root(top);
}

const VERSION = '6.1.0';
const kernel = (config: string, modules: string) =>
  tree({
    [`boot/vmlinuz-${VERSION}`]: 'k',
    [`boot/config-${VERSION}`]: config,
    [`lib/modules/${VERSION}/modules.dep`]: modules,
    [`lib/modules/${VERSION}/modules.builtin`]: 'kernel/fs/ext4/ext4.ko\n',
  });

describe('what the image’s kernel reads', () => {
  const squashfs = 'kernel/fs/squashfs/squashfs.ko.xz: kernel/lib/a.ko\n';

  test.each([
    ['CONFIG_SQUASHFS_ZSTD=y', squashfs, 'zstd', 'yes'],
    ['# CONFIG_SQUASHFS_ZSTD is not set', squashfs, 'zstd', 'no'],
    ['CONFIG_SQUASHFS_ZSTD=y', '', 'zstd', 'no'],
    ['CONFIG_SQUASHFS_ZSTD=y', 'kernel/fs/notsquashfs.ko:\n', 'zstd', 'no'],
    ['', squashfs, 'none', 'yes'],
  ] as const)('%s with %j: %s %s', (config, modules, compression, expected) => {
    expect(canRead(kernel(config, modules), 'squashfs', compression)).toBe(expected);
  });

  test('decides what is taken where nothing is said, and unknown is what cOS takes', () => {
    expect(usualCompression(kernel('CONFIG_SQUASHFS_ZSTD=y', squashfs), 'squashfs')).toBe('zstd');
    expect(usualCompression(kernel('', squashfs), 'squashfs')).toBe('xz');
    expect(canRead(new Root('/nowhere'), 'squashfs', 'zstd')).toBe('unknown');
  });

  test('and what it can’t is refused before it is made', () => {
    const root = kernel('CONFIG_SQUASHFS_ZSTD=y', squashfs);
    expect(() => requireReadable(root, 'erofs', 'lz4')).toThrow('the image’s kernel 6.1.0 can’t read erofs');
    expect(() => requireReadable(root, 'squashfs', 'zstd')).not.toThrow();
  });
});

test('a compression belongs to its format', () => {
  expect(parseCompression('squashfs', 'xz')).toBe('xz');
  expect(() => parseCompression('erofs', 'xz')).toThrow('erofs is not compressed with "xz"');
});

describe('the boot loader', () => {
  test('is the image’s own, and beside it are the lines that find the menu', () => {
    const efi = join(directory, 'efi');
    expect(writeEfiFiles(tree({ [GRUB_EFI_PROGRAM]: 'grub' }), efi, '/.disk/1.uuid')).toEqual({ signed: false });
    const list = execFileSync('find', ['.', '-type', 'f'], { cwd: efi, encoding: 'utf8' });
    expect(list.split('\n').sort()).toEqual(['', './EFI/BOOT/BOOTX64.EFI', './EFI/BOOT/grub.cfg']);
  });

  test('a signed one comes first, with its configuration where it looks for it', () => {
    const efi = join(directory, 'efi');
    const signed = {
      [GRUB_EFI_PROGRAM]: 'own',
      'usr/lib/shim/shimx64.efi.signed': 'shim',
      'usr/lib/shim/mmx64.efi.signed': 'mm',
      'usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed': 'code/EFI/debian\0',
    };
    expect(writeEfiFiles(tree(signed), efi, '/.disk/1.uuid')).toEqual({ signed: true });
    const list = execFileSync('find', ['.', '-type', 'f'], { cwd: efi, encoding: 'utf8' });
    expect(list.split('\n').sort()).toEqual([
      '',
      './EFI/BOOT/BOOTX64.EFI',
      './EFI/BOOT/grub.cfg',
      './EFI/BOOT/grubx64.efi',
      './EFI/BOOT/mmx64.efi',
      './EFI/debian/grub.cfg',
    ]);
    expect(execFileSync('cat', [join(efi, 'EFI/BOOT/BOOTX64.EFI')], { encoding: 'utf8' })).toBe('shim');
  });

  test('an image without any is refused', () => {
    expect(() => writeEfiFiles(tree({}), directory, '')).toThrow(expect.objectContaining({ code: 'HF-NOT-BOOTABLE' }));
  });

  test('BIOS needs three things of the image, and the first that is missing is named', () => {
    const modules = { 'usr/lib/grub/i386-pc/normal.mod': '', 'usr/lib/grub/i386-pc/boot.img': '' };
    expect(findBiosBoot(tree({}))).toEqual({ missing: 'GRUB’s modules for i386-pc' });
    expect(findBiosBoot(tree(modules))).toEqual({ missing: 'grub-mkimage' });
    expect(findBiosBoot(tree({ 'usr/bin/grub-mkimage': '' }))).toEqual({ missing: '/usr/lib/grub/i386-pc/cdboot.img' });
    tree({ 'usr/lib/grub/i386-pc/cdboot.img': '', 'usr/lib/grub/i386-pc/boot_hybrid.img': '' });
    expect(findBiosBoot(tree({}))).toEqual({ directory: '/usr/lib/grub/i386-pc', mkimage: '/usr/bin/grub-mkimage' });
  });
});
