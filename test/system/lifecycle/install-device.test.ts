// Installing on a block device, here a loop device over a whole file: what else has a hold of it is found, and a new
// system is on it afterwards.

import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openImage } from '../../../src/image/image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { install } from '../../../src/lifecycle/apply-install.ts';
import { openDisk, readPartitions } from '../../../src/slots/disk.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { DiskImage } from './disk-image.ts';
import { BOOT_FILES, osRelease, TinyImages } from './tiny-image.ts';

let images: TinyImages;
let disk: DiskImage;
let device: string;
let undo: UndoStack;

beforeAll(async () => {
  images = new TinyImages();
  await images.add('v1', [{ name: 'base', files: { ...BOOT_FILES, ...osRelease(1) } }]);
});
afterAll(() => images?.remove());

beforeEach(async () => {
  disk = DiskImage.create(4096);
  undo = new UndoStack();
  ({ device } = await attachLoop(undo, disk.file));
});
afterEach(async () => {
  await run(['partx', '--delete', device]);
  expect(await undo.unwind(false)).toEqual([]);
  disk.remove();
});

const installOnDevice = async (force = false) => {
  const image = await openImage(parseImageSource(`oci-layout:${images.layout}:v1`));
  return install(
    { image, target: device, strictness: 'chroot', force, cloudInit: [], bootEntry: false },
    { command: 'test', now: '2026-11-20T10:00:00.000Z' },
  );
};

test('the whole of it', async () => {
  const result = await installOnDevice();
  expect(result).toMatchObject({ outcome: expect.stringMatching(/^ok/), prettyName: 'Tiny 1' });
  const labels = (await readPartitions(await openDisk(device))).map(({ label }) => label);
  // The last one is for GRUB for BIOS: whether the image brings it isn't known when the table is written.
  expect(labels).toEqual(['COS_GRUB', 'COS_OEM', 'COS_RECOVERY', 'COS_STATE', 'COS_PERSISTENT', undefined]);
  await expect(installOnDevice()).rejects.toMatchObject({ code: 'HF-ALREADY-INSTALLED' });
});

describe('in use, whatever --force says', () => {
  test('swapped to', async () => {
    await runChecked(['mkswap', device]);
    await runChecked(['swapon', device]);
    undo.always('swapoff', async () => {
      await runChecked(['swapoff', device]);
    });
    await expect(installOnDevice(true)).rejects.toMatchObject({
      code: 'HF-TARGET',
      message: `${device} is in use: ${device} is swap space in use`,
    });
  });

  test('mounted', async () => {
    await runChecked(['mkfs.ext4', '-q', '-F', device]);
    const at = `${disk.directory}/mounted`;
    execFileSync('mkdir', [at]);
    await runChecked(['mount', device, at]);
    undo.always('umount', async () => {
      await runChecked(['umount', at]);
    });
    await expect(installOnDevice(true)).rejects.toThrow(`${device} is mounted at ${at}`);
  });

  test('attached to another device', async () => {
    const { device: upper } = await attachLoop(undo, device, { offsetBytes: 1 << 20 });
    await expect(installOnDevice(true)).rejects.toThrow(`${device} is in use: ${upper} is attached to it`);
  });
});
