// The block devices of a bench: a disk that is installed on, and a file system with the images. The kernel's counters of
// each say what was read and written.

import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { makeDelivery } from '../../lab/demo/delivery.ts';
import { attachLoop } from '../../src/system/loopdevices.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import type { UndoStack } from '../../src/system/plan.ts';
import { run } from '../../src/system/process.ts';

const DISK_BYTES = 12 * 1024 ** 3;
const SECTOR_BYTES = 512;

export interface Counters {
  readBytes: number;
  writtenBytes: number;
}

/** What went over a block device since it was made (block/stat in the kernel's documentation). */
export function countersOf(device: string): Counters {
  const fields = readFileSync(`/sys/block/${basename(device)}/stat`, 'utf8')
    .trim()
    .split(/\s+/)
    .map(Number);
  return { readBytes: (fields[2] ?? 0) * SECTOR_BYTES, writtenBytes: (fields[6] ?? 0) * SECTOR_BYTES };
}

/** An empty disk as a block device; its file is replaced. */
export class BenchDisk {
  readonly device: string;
  private constructor(device: string) {
    this.device = device;
  }

  static async create(undo: UndoStack, file: string): Promise<BenchDisk> {
    rmSync(file, { force: true });
    writeFileSync(file, '');
    truncateSync(file, DISK_BYTES);
    undo.always(`remove ${file}`, () => rmSync(file, { force: true }));
    const { device } = await attachLoop(undo, file);
    // The kernel knows the partitions as soon as they are there; detaching the device alone would leave them.
    undo.always(`forget the partitions of ${device}`, async () => {
      await run(['partx', '--delete', device]);
    });
    return new BenchDisk(device);
  }
}

export interface Delivery {
  device: string;
  directory: string;
}

/** The images on a file system of their own, as somebody brings them. */
export async function mountDelivery(undo: UndoStack, layout: string, work: string): Promise<Delivery> {
  const file = join(work, 'delivery.img');
  const directory = join(work, 'delivery');
  await makeDelivery(layout, file);
  const { device } = await attachLoop(undo, file, { readOnly: true });
  mkdirSync(directory, { recursive: true });
  await mount(device, directory, { options: ['ro'] });
  undo.always(`unmount ${directory}`, () => unmount(directory));
  return { device, directory };
}
