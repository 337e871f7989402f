// What can be chosen when a machine is installed, on real disk images: partitions, the recovery system, sources, stage
// files from the web, and what is refused before the first write.

import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasEfiProgram } from '../../../src/boot/fill-esp.ts';
import { readGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { runCli } from '../../../src/cli/program.ts';
import type { Reporter } from '../../../src/cli/reporter.ts';
import { openDisk, readPartitions } from '../../../src/slots/disk.ts';
import { hasInstallMark } from '../../../src/slots/install-mark.ts';
import { readState } from '../../../src/slots/state-file.ts';
import type { Event } from '../../../src/system/events.ts';
import { probeFilesystem } from '../../../src/system/filesystems.ts';
import { listMounts } from '../../../src/system/mounts.ts';
import { PLAIN } from '../../../src/system/paint.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { DiskImage, machineTraces, slotText } from './disk-image.ts';
import { BOOT_FILES, osRelease, TinyImages } from './tiny-image.ts';

let images: TinyImages;
let config: string;
const disks: DiskImage[] = [];

beforeAll(async () => {
  images = new TinyImages();
  await images.add('v1', [{ name: 'base', files: { ...BOOT_FILES, ...osRelease(1) } }]);
  await images.add('v2', [
    { name: 'base', files: {} },
    { name: 'second', files: osRelease(2) },
  ]);
  config = join(images.directory, 'config');
  mkdirSync(config);
});
afterAll(() => images?.remove());
afterEach(() => {
  for (const disk of disks.splice(0)) disk.remove();
});

function newDisk(sizeMib = 4096): DiskImage {
  const disk = DiskImage.create(sizeMib);
  disks.push(disk);
  return disk;
}

interface Ran {
  status: number;
  error: unknown;
  said: string[];
  result: Record<string, unknown>;
}

/** The command in this process, with these settings and no others. */
async function install(disk: DiskImage, args: readonly string[], settings = ''): Promise<Ran> {
  writeFileSync(join(config, 'config.yaml'), settings);
  const ran: Ran = { status: -1, error: undefined, said: [], result: {} };
  const reporter: Reporter = {
    events: (event: Event) => {
      if (event.type === 'notice') ran.said.push(event.text);
    },
    result: (value) => {
      ran.result = value;
    },
    error: (error) => {
      ran.error = error;
      return error instanceof Error && 'exitStatus' in error ? Number(error.exitStatus) : 255;
    },
    paint: PLAIN,
  };
  ran.status = await runCli(['install', disk.file, '--config-dir', config, ...args], () => reporter);
  return ran;
}

const v1 = () => ['--system', `oci-layout:${images.layout}:v1`];

async function installed(disk: DiskImage, args: readonly string[], settings = ''): Promise<Ran> {
  const ran = await install(disk, args, settings);
  expect(ran.error).toBeUndefined();
  expect(ran.status).toBe(0);
  return ran;
}

const tableOf = async (disk: DiskImage) =>
  (await readPartitions(await openDisk(disk.file))).map(({ name, label, type, sizeBytes }) => [
    name,
    label,
    type,
    sizeBytes / 2 ** 20,
  ]);

/** What an install mounts outside of its own directory; others may be at work on the same machine. */
const ourMounts = () =>
  listMounts().flatMap(({ mountPoint }) =>
    /^\/run\/(?:cos|holdfast\/source-\d+)/.test(mountPoint) ? [mountPoint] : [],
  );

describe('partitions', () => {
  test('sizes, labels, file systems and extra partitions of the settings', async () => {
    const disk = newDisk(6144);
    await installed(
      disk,
      [...v1(), '--firmware', 'efi', '--tty', '/dev/ttyS1,9600'],
      `install:
  grub-entry-name: "My Machine"
  partitions:
    oem: {size: 100, label: MY_OEM}
    state: {fs: ext4, size: 2500}
    persistent: {size: 600, fs: ext3}
  extra-partitions:
    - {name: raw, size: 50}
    - {name: data, size: 0, fs: ext4, label: DATA}
    - {name: swap-space, size: 40}
`,
    );
    const [, , recovery, , , , , rest] = await tableOf(disk);
    expect(await tableOf(disk)).toEqual([
      ['efi', 'COS_GRUB', 'vfat', 64],
      ['oem', 'MY_OEM', 'ext4', 100],
      ['recovery', 'COS_RECOVERY', 'ext4', recovery?.[3]],
      ['state', 'COS_STATE', 'ext4', 2500],
      ['persistent', 'COS_PERSISTENT', 'ext3', 600],
      ['raw', undefined, undefined, 50],
      ['swap-space', undefined, undefined, 40],
      ['data', 'DATA', 'ext4', rest?.[3]],
    ]);
    expect(64 + 100 + Number(recovery?.[3]) + 2500 + 600 + 90 + Number(rest?.[3])).toBe(6142);
    await disk.withMounted('COS_STATE', async (state) => {
      const variables = readGrubEnvironment(join(state, 'grub_oem_env'));
      expect(Object.fromEntries(variables)).toMatchObject({
        default_menu_entry: 'My Machine',
        oem_label: 'MY_OEM',
        extra_cmdline: 'console=ttyS1,9600',
      });
      expect(await slotText(state, 'passive', '/etc/os-release')).toContain('Tiny 1');
    });
    await disk.withMounted('COS_RECOVERY', (recoveryDirectory) => {
      expect(readFileSync(join(recoveryDirectory, 'state.yaml'), 'utf8')).toContain('label: MY_OEM');
    });
  });

  test('laid out by a stage file: only the firmware’s partition is ours', async () => {
    const disk = newDisk();
    const layout = join(images.directory, 'layout.yaml');
    writeFileSync(
      layout,
      `stages:
  partitioning:
    - layout:
        device: {path: ${disk.file}}
        add_partitions:
          - {fsLabel: COS_OEM, pLabel: oem, size: 70, filesystem: ext4}
          - {fsLabel: COS_RECOVERY, pLabel: recovery, size: 900, filesystem: ext4}
          - {fsLabel: COS_STATE, pLabel: state, size: 2000, filesystem: ext4}
          - {fsLabel: COS_PERSISTENT, pLabel: persistent, size: 0, filesystem: ext4}
`,
    );
    const before = machineTraces();
    await installed(disk, [...v1(), '--partition-layout', layout]);
    expect(machineTraces()).toEqual(before);
    expect((await tableOf(disk)).map(([name, label, type]) => [name, label, type])).toEqual([
      ['efi', 'COS_GRUB', 'vfat'],
      ['oem', 'COS_OEM', 'ext4'],
      ['recovery', 'COS_RECOVERY', 'ext4'],
      ['state', 'COS_STATE', 'ext4'],
      ['persistent', 'COS_PERSISTENT', 'ext4'],
    ]);
    await disk.withMounted('COS_STATE', async (state) => {
      expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 1');
    });
  });

  test('laid out by a stage file, with GRUB for BIOS before the first MiB', async () => {
    const tree = join(images.directory, 'with-bios');
    await runChecked(['cp', '-a', images.treeOf('base'), tree]);
    const grub = join(tree, 'usr/lib/holdfast/grub/i386-pc');
    mkdirSync(grub, { recursive: true });
    const bootImage = Buffer.alloc(512, 0x90);
    bootImage.writeUInt16LE(0xaa55, 510);
    writeFileSync(join(grub, 'boot.img'), bootImage);
    writeFileSync(join(grub, 'core.img'), Buffer.alloc(2048, 0x42));
    const disk = newDisk();
    const layout = join(images.directory, 'bios-layout.yaml');
    const add = (role: string, size: number) =>
      `          - {fsLabel: COS_${role.toUpperCase()}, pLabel: ${role}, size: ${size}, filesystem: ext4}\n`;
    writeFileSync(
      layout,
      `stages:
  partitioning:
    - layout:
        device: {label: COS_GRUB}
        add_partitions:
${add('oem', 70)}${add('recovery', 900)}${add('state', 2000)}${add('persistent', 0)}`,
    );
    const args = ['--system', `dir:${tree}`, '-p', layout];
    await installed(disk, [...args, '--firmware', 'bios']);
    const found = await readPartitions(await openDisk(disk.file));
    expect(found.map(({ name }) => name)).toEqual(['efi', 'bios', 'oem', 'recovery', 'state', 'persistent']);
    const head = Buffer.alloc(1 << 20);
    const fd = openSync(disk.file, 'r');
    readSync(fd, head);
    closeSync(fd);
    expect(head.subarray(0x67, 0x69)).toEqual(Buffer.from([0x90, 0x90]));
    expect(head[34 * 512]).toBe(0x42);
    expect(hasInstallMark(await openDisk(disk.file))).toBe(false);
    // What BIOS starts is a system, whatever the ESP holds.
    expect((await install(disk, args)).error).toMatchObject({ code: 'HF-ALREADY-INSTALLED' });
  });

  test('a layout that makes no COS_STATE is told of, and the disk is known as unfinished', async () => {
    const disk = newDisk();
    const layout = join(images.directory, 'nothing.yaml');
    writeFileSync(layout, 'stages:\n  partitioning:\n    - commands: ["true"]\n');
    const ran = await install(disk, [...v1(), '-p', layout]);
    expect(ran.error).toMatchObject({
      code: 'HF-TARGET',
      message: `${disk.file} has no partition with the label COS_OEM (oem)`,
    });
    expect(hasInstallMark(await openDisk(disk.file))).toBe(true);
    // The same disk, without --force: nothing on it was ever in use.
    await installed(disk, v1());
    expect(hasInstallMark(await openDisk(disk.file))).toBe(false);
  });

  test('kept with --no-format: the slots anew with --force, /oem and /usr/local as they were', async () => {
    const disk = newDisk();
    await installed(disk, v1());
    const before = await tableOf(disk);
    await disk.withMounted('COS_OEM', (oem) => writeFileSync(join(oem, 'mine.yaml'), 'stages: {}\n'), {
      writable: true,
    });
    const args = ['--system', `oci-layout:${images.layout}:v2`, '--no-format'];
    const refused = await install(disk, args);
    expect(refused.error).toMatchObject({
      code: 'HF-ALREADY-INSTALLED',
      message: expect.stringContaining(
        "there is already an active deployment in the system, use '--force' flag to overwrite it",
      ),
    });
    await installed(disk, [...args, '--force']);
    expect(await tableOf(disk)).toEqual(before);
    await disk.withMounted('COS_OEM', (oem) => expect(existsSync(join(oem, 'mine.yaml'))).toBe(true));
    await disk.withMounted('COS_STATE', async (state) => {
      for (const slot of ['active', 'passive'] as const) {
        expect(await slotText(state, slot, '/etc/os-release')).toContain('Tiny 2');
      }
    });
    const esp = (await readPartitions(await openDisk(disk.file))).find(({ label }) => label === 'COS_GRUB');
    expect(await hasEfiProgram(`${disk.file}@@${esp?.startBytes}`)).toBe(true);
  });

  test('--no-format on an empty disk is refused', async () => {
    const disk = newDisk();
    const ran = await install(disk, [...v1(), '--no-format']);
    expect(ran.error).toMatchObject({ code: 'HF-TARGET', message: `${disk.file} has no partitions to install on` });
    expect(statSync(disk.file).blocks).toBe(0);
  });
});

describe('an install that was cut short', () => {
  test.each([1, 3, 5, 8, 12])('after %i actions is done again by the same command, without --force', async (count) => {
    const disk = newDisk();
    const { install: installDisk } = await import('../../../src/lifecycle/apply-install.ts');
    const { openImage } = await import('../../../src/image/image.ts');
    const { parseImageSource } = await import('../../../src/image/reference.ts');
    const image = await openImage(parseImageSource(`oci-layout:${images.layout}:v1`));
    const request = {
      image,
      target: disk.file,
      strictness: 'chroot',
      force: false,
      cloudInit: [],
      bootEntry: false,
    } as const;
    const cut = installDisk(request, {
      command: 'test',
      now: '2026-11-20T10:00:00.000Z',
      beforeAction: (index) => {
        if (index === count) throw new Error('cut');
      },
    });
    await expect(cut).rejects.toThrow('cut');
    await installed(disk, v1());
    expect(await hasEfiProgram(`${disk.file}@@${1 << 20}`)).toBe(true);
  });

  test('while nothing can be started from the disk its boot loader is not there', async () => {
    const disk = newDisk();
    const { install: installDisk } = await import('../../../src/lifecycle/apply-install.ts');
    const { openImage } = await import('../../../src/image/image.ts');
    const { parseImageSource } = await import('../../../src/image/reference.ts');
    const image = await openImage(parseImageSource(`oci-layout:${images.layout}:v1`));
    const seen: boolean[] = [];
    const kinds: string[] = [];
    await installDisk(
      { image, target: disk.file, strictness: 'chroot', force: false, cloudInit: [], bootEntry: false },
      {
        command: 'test',
        now: '2026-11-20T10:00:00.000Z',
        events: (event) => {
          if (event.type === 'plan-start') kinds.push(...event.actions.map(({ kind }) => kind));
        },
        beforeAction: async (index) => {
          const at = kinds.indexOf('format');
          if (index > at) seen[index] = await hasEfiProgram(`${disk.file}@@${1 << 20}`);
        },
      },
    );
    const filled = kinds.indexOf('write-esp');
    expect(kinds.indexOf('close-disk')).toBeLessThan(filled);
    expect(seen.flatMap((there, index) => (there === index > filled ? [] : [kinds[index]]))).toEqual([]);
  });
});

describe('the recovery system', () => {
  test('of an image of its own', async () => {
    const disk = newDisk();
    await installed(disk, [...v1(), '--recovery-system', `oci-layout:${images.layout}:v2`]);
    await disk.withMounted('COS_RECOVERY', async (recovery) => {
      const file = join(recovery, 'cOS/recovery.img');
      const { uuid, label } = await probeFilesystem(file);
      expect(label).toBe('COS_SYSTEM');
      expect(await runChecked(['debugfs', '-R', 'cat /etc/os-release', file])).toContain('Tiny 2');
      const { state } = readState(join(recovery, 'state.yaml'));
      expect(state.recovery).toMatchObject({ uuid, source: expect.stringMatching(/:v2@/) });
      expect(state.active).toMatchObject({ source: expect.stringMatching(/:v1@/) });
      expect(readdirSync(join(recovery, 'cOS'))).toEqual(['recovery.img']);
    });
  });

  test('of a squashfs, copied byte for byte; one that GRUB can’t read is refused', async () => {
    const good = join(images.directory, 'good.squashfs');
    const bad = join(images.directory, 'bad.squashfs');
    await runChecked(['mksquashfs', images.treeOf('base'), good, '-comp', 'xz', '-quiet', '-no-progress']);
    await runChecked(['mksquashfs', images.treeOf('base'), bad, '-comp', 'zstd', '-quiet', '-no-progress']);
    const disk = newDisk();
    const refused = await install(disk, [...v1(), '--recovery-system', `file:${bad}`]);
    expect(refused.error).toMatchObject({ code: 'HF-NOT-BOOTABLE', message: expect.stringContaining('zstd') });
    expect(statSync(disk.file).blocks).toBe(0);
    await installed(disk, [...v1(), '--recovery-system', good]);
    await disk.withMounted('COS_RECOVERY', async (recovery) => {
      const copy = join(recovery, 'cOS/recovery.squashfs');
      expect((await run(['cmp', good, copy])).status).toBe(0);
      expect(readdirSync(join(recovery, 'cOS'))).toEqual(['recovery.squashfs']);
      expect(readState(join(recovery, 'state.yaml')).state.recovery?.source).toBe(`file:${good}`);
    });
  });
});

describe('sources', () => {
  test('a squashfs file', async () => {
    const file = join(images.directory, 'system.squashfs');
    await runChecked(['mksquashfs', images.treeOf('base'), file, '-quiet', '-no-progress']);
    const disk = newDisk();
    const before = { ...machineTraces(), ours: ourMounts() };
    await installed(disk, [], `install: {system: "file:${file}"}`);
    expect({ ...machineTraces(), ours: ourMounts() }).toEqual(before);
    await disk.withMounted('COS_STATE', async (state) => {
      expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 1');
      expect(readState(join(state, 'state.yaml')).state.active?.source).toBe(`file:${file}`);
    });
  });

  test('an ISO from a web server, with its recovery system, and stage files from there', async () => {
    const tree = join(images.directory, 'iso');
    mkdirSync(tree);
    const squash = (from: string, to: string) =>
      runChecked(['mksquashfs', from, join(tree, to), '-comp', 'xz', '-quiet', '-no-progress', '-noappend']);
    await squash(images.treeOf('base'), 'rootfs.squashfs');
    const recoveryTree = join(images.directory, 'recovery-tree');
    await runChecked(['cp', '-a', images.treeOf('base'), recoveryTree]);
    writeFileSync(join(recoveryTree, 'etc/os-release'), 'PRETTY_NAME="Tiny recovery"\n');
    await squash(recoveryTree, 'recovery.squashfs');
    const iso = join(images.directory, 'medium.iso');
    await runChecked(['xorriso', '-as', 'mkisofs', '-quiet', '-R', '-J', '-V', 'COS_LIVE', '-o', iso, tree]);
    const stages = 'stages:\n  boot:\n    - commands: ["true"]\n';
    const server = createServer((request, response) => {
      if (request.url === '/medium.iso') response.end(readFileSync(iso));
      else if (request.url === '/mine.yaml') response.end(stages);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const disk = newDisk();
      const second = join(images.directory, 'second.yaml');
      writeFileSync(second, stages);
      const missing = await install(disk, [...v1(), '-c', `${url}/none.yaml`]);
      expect(missing.error).toMatchObject({ code: 'HF-NETWORK' });
      expect(statSync(disk.file).blocks).toBe(0);
      const before = machineTraces();
      const { result } = await installed(disk, ['--iso', `${url}/medium.iso`, '-c', `${url}/mine.yaml`, '-c', second]);
      expect(machineTraces()).toEqual(before);
      expect(result).toMatchObject({ verifiedBy: [{ by: 'nobody', text: 'no signature (local source)' }] });
      await disk.withMounted('COS_STATE', async (state) => {
        expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 1');
        const { active, recovery } = readState(join(state, 'state.yaml')).state;
        expect(active?.source).toBe(`iso:${url}/medium.iso#rootfs.squashfs`);
        expect(recovery?.source).toBe(`iso:${url}/medium.iso#recovery.squashfs`);
      });
      await disk.withMounted('COS_RECOVERY', async (recovery) => {
        const copy = join(recovery, 'cOS/recovery.squashfs');
        expect((await run(['cmp', join(tree, 'recovery.squashfs'), copy])).status).toBe(0);
      });
      await disk.withMounted('COS_OEM', (oem) => {
        expect(readdirSync(oem).filter((name) => name.endsWith('.yaml'))).toEqual(['90_custom.yaml', '91_custom.yaml']);
        expect(readFileSync(join(oem, '90_custom.yaml'), 'utf8')).toBe(stages);
        expect(statSync(join(oem, '90_custom.yaml')).mode & 0o777).toBe(0o600);
      });
    } finally {
      server.close();
    }
  });

  test('an ISO without a system, and one that is none', async () => {
    const disk = newDisk();
    const iso = join(images.directory, 'empty.iso');
    mkdirSync(join(images.directory, 'empty'), { recursive: true });
    writeFileSync(join(images.directory, 'empty/readme'), 'no system');
    await runChecked(['xorriso', '-as', 'mkisofs', '-quiet', '-o', iso, join(images.directory, 'empty')]);
    expect((await install(disk, ['--iso', iso])).error).toMatchObject({
      code: 'HF-NO-SOURCE',
      message: expect.stringContaining('it has no rootfs.squashfs'),
    });
    const none = join(images.directory, 'none.iso');
    copyFileSync('/bin/sh', none);
    expect((await install(disk, ['--iso', none])).error).toMatchObject({
      message: expect.stringContaining('it is no ISO 9660 image'),
    });
  });
});

describe('hooks of this machine', () => {
  test('see the partitions at /run/cos while they run, and not before or after', async () => {
    const disk = newDisk();
    const hooks = join(images.directory, 'hooks');
    mkdirSync(hooks);
    const seen = join(images.directory, 'seen');
    const list = (stage: string) =>
      `  ${stage}:\n    - commands: ["echo ${stage}: $(cd /run/cos 2>/dev/null && ls -d */cOS */grub_oem_env */grubenv 2>/dev/null | tr '\\\\n' ' ') >> ${seen}"]\n`;
    writeFileSync(
      join(hooks, 'hooks.yaml'),
      `stages:\n${['before-install', 'after-install', 'post-install'].map(list).join('')}`,
    );
    const mountsBefore = ourMounts();
    await installed(disk, [...v1(), '--strict'], `cloud-init-paths: [${hooks}]`);
    expect(readFileSync(seen, 'utf8').split('\n')).toEqual([
      'before-install:',
      'after-install: oem/grubenv recovery/cOS state/cOS state/grub_oem_env',
      'post-install: oem/grubenv recovery/cOS state/cOS state/grub_oem_env',
      '',
    ]);
    expect(ourMounts()).toEqual(mountsBefore);
  });
});

describe('what is refused before the disk is touched', () => {
  test.each<[string, readonly string[], string, { code: string; message: string }]>([
    [
      'a table of another kind',
      ['--part-table', 'msdos'],
      '',
      { code: 'HF-UNSUPPORTED', message: 'msdos is not made (--part-table)' },
    ],
    [
      'a table that nobody knows',
      ['--part-table', 'apm'],
      '',
      { code: 'HF-USAGE', message: '--part-table is gpt, not "apm"' },
    ],
    [
      'firmware that nobody knows',
      ['--firmware', 'uefi'],
      '',
      { code: 'HF-USAGE', message: '--firmware is efi or bios' },
    ],
    [
      'BIOS without its GRUB',
      ['--firmware', 'bios'],
      '',
      { code: 'HF-NOT-BOOTABLE', message: "the image can't boot by BIOS" },
    ],
    ['a terminal that is none', ['--tty', 'a b'], '', { code: 'HF-USAGE', message: 'is no terminal' }],
    [
      'two ways to get partitions',
      ['--no-format', '-p', 'x'],
      '',
      { code: 'HF-USAGE', message: 'either kept (--no-format) or laid out' },
    ],
    ['a layout that isn’t there', ['-p', '/none.yaml'], '', { code: 'HF-USAGE', message: '/none.yaml does not exist' }],
    ['two ways to go', ['--reboot', '--poweroff'], '', { code: 'HF-USAGE', message: '--reboot and --poweroff' }],
    ['two systems', ['--iso', '/none.iso'], '', { code: 'HF-USAGE', message: 'two systems are named' }],
    [
      'a recovery system that isn’t there',
      ['--recovery-system', 'file:/none'],
      '',
      { code: 'HF-NO-SOURCE', message: '/none is no file' },
    ],
    ['a stage file that is broken', ['-c', '/etc/passwd'], '', { code: 'HF-STAGE', message: '' }],
    [
      'a partition that is too small',
      [],
      'install.partitions.state.size: 100',
      { code: 'HF-TARGET', message: 'the partition state is to have 100 MiB' },
    ],
    [
      'settings that are broken',
      [],
      'install: {firmware: x}',
      { code: 'HF-CONFIG', message: 'install.firmware must be efi or bios' },
    ],
    [
      'a channel',
      [],
      'install.recovery-system.uri: channel:recovery/cos',
      { code: 'HF-UNSUPPORTED', message: 'asks for a package of a luet channel' },
    ],
  ])('%s', async (_, args, settings, { code, message }) => {
    const disk = newDisk();
    const ran = await install(disk, [...v1(), ...args], settings);
    expect(ran.error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(ran.status).not.toBe(0);
    expect(statSync(disk.file).blocks).toBe(0);
  });

  test('no target at all', async () => {
    const errors: unknown[] = [];
    const reporter: Reporter = {
      events: () => {},
      result: () => {},
      error: (error) => errors.push(error),
      paint: PLAIN,
    };
    writeFileSync(join(config, 'config.yaml'), '');
    await runCli(['install', '--config-dir', config, ...v1()], () => reporter);
    expect(errors).toMatchObject([{ exitStatus: 47, message: 'at least a target device must be supplied' }]);
  });

  test('a disk of which a partition is swapped to or attached is in use', async () => {
    const disk = newDisk();
    await installed(disk, v1());
    await disk.withPartitions(['COS_OEM'], async () => {
      const ran = await install(disk, [...v1(), '--force']);
      expect(ran.error).toMatchObject({ code: 'HF-TARGET', message: expect.stringContaining('is attached to it') });
    });
  });
});
