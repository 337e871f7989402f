// A small system to make disk images of, and the programs that look into the images: none of them mounts anything.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openImage } from '../../../src/image/image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { buildDisk } from '../../../src/media/disk-build.ts';
import type { BuildDiskRequest } from '../../../src/media/disk-plan.ts';
import { DEFAULT_LABELS } from '../../../src/slots/names.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';
import { BOOT_FILES, type Files, osRelease, TinyImages } from '../lifecycle/tiny-image.ts';

/** Where the builder's settings don't reach. */
export const TIME = 1_700_000_000;
export const BIOS_FILES: Files = {
  'usr/lib/holdfast/grub/i386-pc/core.img': 'c'.repeat(4096),
  'usr/lib/holdfast/grub/i386-pc/boot.img': `${'\u0001'.repeat(510)}`,
};

export class DiskRig {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-disk-'));
  readonly images = new TinyImages();

  async addSystem(tag = 'v1', files: Files = {}): Promise<void> {
    await this.images.add(tag, [
      { name: tag === 'v1' ? 'base' : tag, files: { ...BOOT_FILES, ...osRelease(1), ...files } },
    ]);
  }

  at(name: string): string {
    return join(this.directory, name);
  }

  /** Builds one with another temporary directory each time. */
  async build(output: string, wishes: Partial<Omit<BuildDiskRequest, 'image' | 'output'>> = {}) {
    const scratch = mkdtempSync(join(this.directory, 'scratch-'));
    const image = await openImage(parseImageSource(`oci-layout:${this.images.layout}:v1`), { undo: new UndoStack() });
    const request: BuildDiskRequest = {
      image,
      output: this.at(output),
      format: 'raw',
      expandable: false,
      cloudInit: [],
      labels: DEFAULT_LABELS,
      sizesMib: {},
      overlays: [],
      strictness: 'chroot',
      force: false,
      environment: { SOURCE_DATE_EPOCH: String(TIME), TMPDIR: scratch },
      ...wishes,
    };
    return buildDisk(request);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
    this.images.remove();
  }
}

export interface Row {
  name: string;
  start: number;
  size: number;
  type: string;
  uuid: string;
}

/** The table of a disk, by the names of its partitions; sizes in sectors. */
export async function tableOf(disk: string): Promise<Map<string, Row>> {
  const { partitiontable } = JSON.parse(await runChecked(['sfdisk', '--json', disk])) as {
    partitiontable: { partitions: Row[] };
  };
  return new Map(partitiontable.partitions.map((row) => [row.name, row]));
}

/** A file on an ext file system of a disk, read without mounting it. */
export async function catExt(disk: string, partition: string, path: string): Promise<string> {
  return runChecked(['debugfs', '-R', `cat ${path}`, `${disk}?offset=${await offsetOf(disk, partition)}`]);
}

/** What debugfs answers about an ext file system of a disk. */
export async function askExt(disk: string, partition: string, request: string): Promise<string> {
  return runChecked(['debugfs', '-R', request, `${disk}?offset=${await offsetOf(disk, partition)}`]);
}

/** A file as GRUB's own code reads it, by partition number: no journal is replayed. */
export async function catGrub(disk: string, number: number, path: string): Promise<string> {
  return runChecked(['grub-fstest', disk, 'cat', `(loop0,gpt${number})${path}`]);
}

export async function offsetOf(disk: string, partition: string): Promise<number> {
  return ((await tableOf(disk)).get(partition)?.start ?? 0) * 512;
}

export function emptyDirectory(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}
