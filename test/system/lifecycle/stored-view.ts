// An overlay set on a disk of its own, and what a machine wrote through it: without device-mapper, a view is a flat image
// that is mounted, changed, and turned back into a COW.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { makeView } from '../../../src/lifecycle/carry-trees.ts';
import { writeBinding } from '../../../src/overlay/binding.ts';
import { createCowFromDifference } from '../../../src/overlay/difference.ts';
import { readFingerprint, sizeOfBase } from '../../../src/overlay/fingerprint.ts';
import { writeFlatImage } from '../../../src/overlay/flat-image.ts';
import { cowFile, sidecarFile } from '../../../src/overlay/names.ts';
import { fullCoverBytes } from '../../../src/overlay/sizes.ts';
import { SLOT_FILES, type SlotName } from '../../../src/slots/names.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';
import type { DiskImage } from './disk-image.ts';

const NAME = 'persist.img';

export class OverlayDisk {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-keep-'));
  readonly file = join(this.directory, 'keep.img');
  readonly #undo = new UndoStack();
  #device = '';

  /** A disk with an empty ext4 file system, attached and not mounted. */
  static async create(sizeMib = 4096): Promise<OverlayDisk> {
    const disk = new OverlayDisk();
    writeFileSync(disk.file, '');
    truncateSync(disk.file, sizeMib * 2 ** 20);
    await runChecked(['mkfs.ext4', '-q', '-F', disk.file]);
    disk.#device = (await attachLoop(disk.#undo, disk.file)).device;
    return disk;
  }

  /** Where it is attached. */
  get device(): string {
    return this.#device;
  }

  /** The argument's value. */
  get place(): string {
    return `${this.#device}:/${NAME}`;
  }

  async withMounted<T>(work: (set: string) => Promise<T> | T): Promise<T> {
    const at = join(this.directory, 'mounted');
    mkdirSync(at, { recursive: true });
    await mount(this.#device, at);
    try {
      return await work(join(at, NAME));
    } finally {
      await unmount(at);
    }
  }

  /** Lets the machine's menu ask for the overlay. */
  async enable(disk: DiskImage): Promise<void> {
    const variables = { extra_active_cmdline: `rd.live.overlay=${this.place}` };
    await disk.withMounted('COS_STATE', (state) => writeGrubEnvironment(join(state, 'grub_oem_env'), variables), {
      writable: true,
    });
  }

  /** Does something in the view of a slot, as its machine would while it runs. */
  async change(disk: DiskImage, slot: SlotName, work: (root: string) => Promise<void> | void): Promise<void> {
    await this.#open(disk, slot, async ({ base, set, flat, at }) => {
      await mount(flat, at, { options: ['loop'] });
      try {
        await work(at);
      } finally {
        await unmount(at);
      }
      const fingerprint = readFingerprint(base);
      const cow = cowFile(set, fingerprint);
      const baseSizeBytes = sizeOfBase(base);
      rmSync(`${cow}.new`, { force: true });
      const sizeFor = () => fullCoverBytes(baseSizeBytes);
      await createCowFromDifference({ base, modified: flat, to: `${cow}.new`, sizeFor });
      renameSync(`${cow}.new`, cow);
      // A running system leaves its sidecar alone.
      if (existsSync(sidecarFile(cow))) return;
      const created = '2026-11-20T10:00:00.000Z';
      writeBinding(sidecarFile(cow), { fingerprint, baseSizeBytes, created, state: 'ready', filesystem: 'ext4' });
    });
  }

  /** Looks at the view of a slot. */
  look<T>(disk: DiskImage, slot: SlotName, work: (root: string) => Promise<T> | T): Promise<T> {
    return this.#open(disk, slot, async ({ flat, at }) => {
      await runChecked(['e2fsck', '-fn', flat]);
      await mount(flat, at, { options: ['loop', 'ro'] });
      try {
        return await work(at);
      } finally {
        await unmount(at);
      }
    });
  }

  async #open<T>(
    disk: DiskImage,
    slot: SlotName,
    work: (places: { base: string; set: string; flat: string; at: string }) => Promise<T>,
  ): Promise<T> {
    const at = join(this.directory, 'view');
    mkdirSync(at, { recursive: true });
    const look = (state: string) =>
      this.withMounted(async (set) => {
        // Beside the base, where a copy is a clone.
        const flat = join(state, 'flat-image-of-a-test');
        const base = join(state, SLOT_FILES[slot]);
        const cow = cowFile(set, readFingerprint(base));
        try {
          if (existsSync(cow)) await writeFlatImage({ base, cow, to: flat });
          else await makeView(this.#undo, base, flat);
          return await work({ base, set, flat, at });
        } finally {
          rmSync(flat, { force: true });
        }
      });
    return await disk.withMounted('COS_STATE', look, { writable: true });
  }

  /** The name of the COW for a slot's base. */
  cowOf(disk: DiskImage, slot: SlotName): Promise<string> {
    return disk.withMounted('COS_STATE', (state) => cowFile(NAME, readFingerprint(join(state, SLOT_FILES[slot]))));
  }

  /** What the set consists of: inode, size and time of change of each file, which nobody can write to without. */
  files(): Promise<Record<string, string>> {
    return this.withMounted(async (set) => {
      const found = await runChecked(['find', dirname(set), '-type', 'f', '-printf', '%P %i %s %C@\\n']);
      const lines = found
        .trim()
        .split('\n')
        .filter((line) => line !== '');
      return Object.fromEntries(lines.map((line) => [line.split(' ')[0] ?? '', line] as const).sort());
    });
  }

  async remove(): Promise<void> {
    await this.#undo.unwind(false);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
