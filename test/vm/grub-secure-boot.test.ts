// One disk on three machines: with Secure Boot on, with a BIOS, and with Secure Boot again after somebody changed one
// byte of the active kernel. Debian's signed files come with the image. About a minute, one full boot.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheDirectory } from '../../lab/cache.ts';
import { deriveImage, ensureDemoImages } from '../../lab/demo/images.ts';
import { installOn } from '../../lab/demo/installed.ts';
import { type BootOptions, Machine } from '../../lab/machine/machine.ts';
import { signedLoaderFiles } from '../../lab/packages/signed-loader.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';
import { DiskImage, settledTraces } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
let directory: string;
let layout: string;
let disk: string;
let machine: Machine | undefined;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-secure-boot-'));
  disk = join(directory, 'disk.img');
  // Its layers are hard links to those in the cache.
  layout = mkdtempSync(join(cacheDirectory(), 'signed-image-'));
});
afterAll(async () => {
  await machine?.powerCut();
  for (const path of [directory, layout]) rmSync(path, { recursive: true, force: true });
});

const start = async (name: string, options: Pick<BootOptions, 'firmware' | 'bootMenu'>) => {
  machine = await Machine.boot({
    disks: [{ file: disk, serial: 'system' }],
    logFile: join(directory, `${name}.log`),
    network: 'none',
    ...options,
  });
  return machine;
};

/** A file of the ESP, read without mounting it: it is the first partition. */
const onEsp = (path: string) => runChecked(['mtype', '-i', `${disk}@@1M`, `::/${path}`]);

/** Changes one byte in the middle of the kernel that the active slot boots. */
async function changeKernel(): Promise<void> {
  await DiskImage.at(disk).withPartitions(['COS_STATE'], async (devices) => {
    const state = join(directory, 'state');
    await runChecked(['mkdir', '-p', state]);
    await mount(devices['COS_STATE'] ?? '', state);
    try {
      const slot = join(state, 'cOS/active.img');
      const link = await runChecked(['debugfs', '-R', 'stat /boot/vmlinuz', slot]);
      const kernel = `/boot/${/Fast link dest: "([^"]+)"/.exec(link)?.[1]}`;
      const copy = join(directory, 'kernel');
      await runChecked(['debugfs', '-R', `dump ${kernel} ${copy}`, slot]);
      const bytes = readFileSync(copy);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      writeFileSync(copy, bytes);
      await runChecked(['debugfs', '-w', '-R', `rm ${kernel}`, slot]);
      await runChecked(['debugfs', '-w', '-R', `write ${copy} ${kernel}`, slot]);
    } finally {
      await unmount(state);
    }
  });
}

describe('an image with a signed boot loader', () => {
  test('is installed with shim in front of GRUB', async () => {
    const signal = new AbortController().signal;
    const demo = await ensureDemoImages({ log, signal });
    const files = await signedLoaderFiles({ log, signal });
    await deriveImage(demo, { from: 'v1', layout, tag: 'signed', files });
    const said = await installOn(disk, `oci-layout:${layout}:signed`, { log });
    expect(said).toContain('boot the machine from this disk (UEFI with or without Secure Boot, or BIOS)');
    const config = await onEsp('EFI/BOOT/grub.cfg');
    expect(config).toContain('search --no-floppy --label');
    expect(await onEsp('EFI/debian/grub.cfg')).toBe(config);
    const listed = await runChecked(['mdir', '-b', '-i', `${disk}@@1M`, '::/EFI/BOOT']);
    expect(listed.trim().split('\n').sort()).toEqual(
      ['BOOTX64.EFI', 'grub.cfg', 'grubx64.efi', 'mmx64.efi'].map((name) => `::/EFI/BOOT/${name}`),
    );
    expect(await settledTraces()).toEqual(before);
  });

  test('boots with Secure Boot on, and no unit fails', async () => {
    const guest = await start('secure', { firmware: 'secure-boot' });
    await guest.login();
    expect(await guest.runChecked('dmesg')).toMatch(/secureboot: Secure boot enabled/);
    const variable = '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
    expect((await guest.runChecked(`od -An -tu1 ${variable}`)).trim().split(/\s+/).at(-1)).toBe('1');
    expect(await guest.runChecked('cat /sys/kernel/security/lockdown')).toContain('[integrity]');
    expect(await guest.runChecked('systemctl --failed --no-legend --plain')).toBe('');
    await guest.powerOff();
  });

  test('is started by BIOS as well, with the same words', async () => {
    const guest = await start('bios', { firmware: 'bios' });
    const [, words] = await guest.waitFor(/Kernel command line: ([^\r\n]*)\r?\n/);
    expect(words).toContain('cos-img/filename=/cOS/active.img');
    await guest.waitFor(/Mounted sysroot\.mount/);
    await guest.powerCut();
  });

  test('is not started with a changed kernel: the passive system is', async () => {
    await changeKernel();
    const guest = await start('changed', { firmware: 'secure-boot', bootMenu: 'keep' });
    await guest.waitFor(/bad shim signature/);
    const [, words] = await guest.waitFor(/Kernel command line: ([^\r\n]*)\r?\n/);
    expect(words).toContain('cos-img/filename=/cOS/passive.img');
    await guest.powerCut();
  });
});
