// A disk with version 1 installed, version 2 upgraded to where a test asks for it, and everything attached as it is on
// live media: the partitions are found by label. Each test file makes one and copies it for its cases.

import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureExecutable } from '../../../lab/executable.ts';
import { openImage } from '../../../src/image/image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { install } from '../../../src/lifecycle/apply-install.ts';
import { upgrade } from '../../../src/lifecycle/apply-upgrade.ts';
import type { Strictness } from '../../../src/lifecycle/hooks.ts';
import type { SessionOptions } from '../../../src/lifecycle/session.ts';
import type { SlotName } from '../../../src/slots/names.ts';
import { type RunResult, run, runChecked } from '../../../src/system/process.ts';
import { DiskImage, slotText } from './disk-image.ts';
import { BOOT_FILES, type Files, osRelease, TinyImages } from './tiny-image.ts';

export const NOW = '2026-11-20T10:00:00.000Z';
export const LATER = '2026-11-21T10:00:00.000Z';
/** The partitions that a machine's own kernel would show. */
export const ALL_LABELS = ['COS_GRUB', 'COS_OEM', 'COS_RECOVERY', 'COS_STATE', 'COS_PERSISTENT'];

export class InstalledDisk {
  readonly images = new TinyImages();
  readonly #disks: DiskImage[] = [];

  /** Makes images v1 and v2, and a disk with v1 in all slots. */
  static async create(
    options: { v1?: Files; v2?: Files; sizeMib?: number; stateFilesystem?: 'ext4' } = {},
  ): Promise<InstalledDisk> {
    const installed = new InstalledDisk();
    const base = { name: 'base', files: { ...BOOT_FILES, ...osRelease(1), ...options.v1 } };
    await installed.images.add('v1', [base]);
    await installed.images.add('v2', [base, { name: 'second', files: { ...osRelease(2), ...options.v2 } }]);
    const disk = DiskImage.create(options.sizeMib ?? 4096);
    installed.#disks.push(disk);
    await install(
      {
        image: await installed.open('v1'),
        target: disk.file,
        strictness: 'chroot',
        force: false,
        cloudInit: [],
        bootEntry: false,
        ...(options.stateFilesystem && {
          partitioning: { kind: 'new', wishes: { filesystems: { state: options.stateFilesystem } } },
        }),
      },
      { command: 'test', now: NOW },
    );
    return installed;
  }

  get original(): DiskImage {
    const [disk] = this.#disks;
    if (disk === undefined) throw new Error('there is no disk');
    return disk;
  }

  open(tag: string) {
    return openImage(parseImageSource(`oci-layout:${this.images.layout}:${tag}`));
  }

  /** Another disk with the same content. */
  async copy(from: DiskImage = this.original): Promise<DiskImage> {
    const disk = DiskImage.create(1);
    this.#disks.push(disk);
    await runChecked(['cp', '--sparse=always', from.file, disk.file]);
    return disk;
  }

  /** Upgrades a disk from the outside: passive stays. */
  async upgrade(disk: DiskImage, tag: string, options: Partial<SessionOptions> & { strictness?: Strictness } = {}) {
    const image = await this.open(tag);
    const { strictness = 'chroot', ...rest } = options;
    return disk.withPartitions(ALL_LABELS, () =>
      upgrade({ image, strictness, force: false }, { command: 'test', now: NOW, ...rest }),
    );
  }

  remove(): void {
    for (const disk of this.#disks) disk.remove();
    this.images.remove();
  }
}

/** The systems in a mounted STATE by the names that they have for themselves. */
export async function systemsIn(state: string, slots: readonly SlotName[] = ['active', 'passive']): Promise<string[]> {
  const names: string[] = [];
  for (const slot of slots) {
    const text = await slotText(state, slot, '/etc/os-release');
    names.push(/PRETTY_NAME="(.*)"/.exec(text)?.[1] ?? 'nothing');
  }
  return names;
}

/** Mount points that a slot needs for the tools of this machine. */
export const TOOL_DIRECTORIES: Files = Object.fromEntries(
  ['sbin', 'lib', 'lib64', 'usr', 'oem'].map((name) => [`${name}/.keep`, '']),
);

/** The executable and the images, for commands that run in a slot. */
export async function prepareDelivery(installed: InstalledDisk): Promise<string> {
  const delivery = join(installed.images.directory, 'delivery');
  mkdirSync(delivery);
  copyFileSync(await ensureExecutable(() => {}), join(delivery, 'holdfast'));
  chmodSync(join(delivery, 'holdfast'), 0o755);
  await runChecked(['cp', '-a', installed.images.layout, join(delivery, 'layout')]);
  return delivery;
}

/** Runs holdfast on a machine that was booted from a slot of the disk. */
export function holdfastInSlot(
  delivery: string,
  disk: DiskImage,
  slot: SlotName,
  args: readonly string[],
): Promise<RunResult> {
  return run(['sh', 'lab/crash/in-slot.sh', disk.file, slot, '/run/delivery/holdfast', ...args], {
    env: { ...process.env, IN_SLOT_DELIVERY: delivery },
    timeoutMs: 120_000,
  });
}
