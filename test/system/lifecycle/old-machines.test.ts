// Machines as cOS left them: COS_STATE on ext4, which can't share blocks between files, with systems that find their root
// by the partition's label (from 0.10 on) or by that of the image file (before). Run from their own slots.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { probeFilesystem } from '../../../src/system/filesystems.ts';
import { runChecked } from '../../../src/system/process.ts';
import type { DiskImage } from './disk-image.ts';
import { holdfastInSlot, InstalledDisk, prepareDelivery, systemsIn, TOOL_DIRECTORIES } from './installed-disk.ts';

const V2 = 'oci-layout:/run/delivery/layout:v2';

describe.each([
  { name: 'the partition’s label', kernelcmd: 'root=LABEL=COS_STATE cos-img/filename=$img', shares: true },
  { name: 'the image file’s label', kernelcmd: 'root=LABEL=$label cos-img/filename=$img', shares: false },
])('an ext4 state, root by $name', ({ kernelcmd, shares }) => {
  let installed: InstalledDisk;
  let delivery: string;
  let disk: DiskImage;

  beforeAll(async () => {
    const bootargs = `set kernel=/boot/vmlinuz\nset initramfs=/boot/initrd\nset kernelcmd="${kernelcmd}"\n`;
    installed = await InstalledDisk.create({
      stateFilesystem: 'ext4',
      v1: { ...TOOL_DIRECTORIES, 'etc/cos/bootargs.cfg': bootargs },
    });
    delivery = await prepareDelivery(installed);
    disk = await installed.copy();
  }, 300_000);
  afterAll(() => installed?.remove());

  const inSlot = async (slot: 'active' | 'passive', ...args: string[]) => {
    const { status, stdout, stderr } = await holdfastInSlot(delivery, disk, slot, args);
    expect(status, stdout + stderr).toBe(0);
    return stdout;
  };
  const slots = () =>
    disk.withMounted('COS_STATE', async (state) => {
      const [active, passive] = ['active', 'passive'].map((name) => join(state, `cOS/${name}.img`));
      if (active === undefined || passive === undefined) throw new Error('there are two');
      return {
        systems: await systemsIn(state),
        labels: [(await probeFilesystem(active)).label, (await probeFilesystem(passive)).label],
        pristines: (await runChecked(['ls', join(state, 'cOS')])).includes('pristine'),
        shared: statSync(join(state, 'cOS/running.img'), { throwIfNoEntry: false })?.ino === statSync(passive).ino,
      };
    });

  test('an upgrade keeps the running system as passive, with a label of its own where that is what it boots by', async () => {
    expect(await inSlot('active', 'upgrade', V2)).toContain('Upgrade completed\n');
    expect(await slots()).toEqual({
      systems: ['Tiny 2', 'Tiny 1'],
      // Nothing depends on a label where the file is shared, and a file in use is never relabelled.
      labels: ['COS_ACTIVE', shares ? 'COS_ACTIVE' : 'COS_PASSIVE'],
      pristines: false,
      shared: shares,
    });
  });

  test('a rollback exchanges them, and a second one undoes it', async () => {
    expect(await inSlot('active', 'rollback')).toContain('Rollback completed\n');
    const back = await slots();
    expect(back.systems).toEqual(['Tiny 1', 'Tiny 2']);
    if (!shares) expect(back.labels).toEqual(['COS_ACTIVE', 'COS_PASSIVE']);
    expect(await inSlot('active', 'rollback')).toContain('Rollback completed\n');
    expect((await slots()).systems).toEqual(['Tiny 2', 'Tiny 1']);
  });

  test('from passive it is repaired: active becomes what runs', async () => {
    expect(await inSlot('passive', 'rollback')).toContain('Rollback completed\n');
    expect((await slots()).systems).toEqual(['Tiny 1', 'Tiny 1']);
    if (!shares) expect((await slots()).labels[0]).toBe('COS_ACTIVE');
  });
});
