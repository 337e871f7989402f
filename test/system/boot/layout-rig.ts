// A machine for the mount layout: a read-only image and volumes on loop devices, in a directory of its own. "Booting" unmounts
// everything and mounts it again.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type MountLayoutOptions, type MountLayoutResult, mountLayout } from '../../../src/boot/mount-layout.ts';
import { silent } from '../../../src/system/events.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { listMounts, mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';

const DIRECTORIES = ['etc/ssh', 'root', 'home', 'opt', 'srv', 'var/lib', 'usr/local', 'oem', 'tmp', 'run'];

export class LayoutRig {
  readonly work = mkdtempSync(join(tmpdir(), 'holdfast-layout-'));
  readonly sysroot = join(this.work, 'sysroot');
  readonly overlayDirectory = join(this.work, 'overlay');
  readonly runDirectory = join(this.work, 'run');
  readonly relabelDirectory = join(this.work, 'relabel');
  /** What the image is made from. */
  readonly tree = join(this.work, 'tree');
  readonly #undo = new UndoStack();

  constructor() {
    for (const path of DIRECTORIES) mkdirSync(join(this.tree, path), { recursive: true });
    mkdirSync(this.sysroot);
    mkdirSync(this.runDirectory);
    this.inTree('etc/ssh/sshd_config', 'image\n');
  }

  inTree(path: string, text: string): void {
    mkdirSync(dirname(join(this.tree, path)), { recursive: true });
    writeFileSync(join(this.tree, path), text);
  }

  /** Makes the image anew: another one for the layout, as after an upgrade. */
  async makeImage(): Promise<void> {
    await this.unmountAll();
    const file = join(this.work, 'root.img');
    rmSync(file, { force: true });
    await runChecked(['truncate', '--size=32M', file]);
    await runChecked(['mkfs.ext4', '-q', '-F', '-d', this.tree, file]);
  }

  /** Makes a volume with a label of its own, since the machine that runs this may have cOS's. */
  async makeVolume(
    label: string,
    type: 'ext4' | 'xfs' | 'btrfs' | 'vfat' = 'ext4',
    { readOnly = false } = {},
  ): Promise<string> {
    const file = join(this.work, `${label}-${Math.random().toString(36).slice(2)}.img`);
    const quiet = { ext4: ['-q', '-F', '-L'], xfs: ['-q', '-L'], btrfs: ['-q', '-L'], vfat: ['-n'] }[type];
    await runChecked(['truncate', `--size=${type === 'ext4' || type === 'vfat' ? 32 : 320}M`, file]);
    await runChecked([`mkfs.${type}`, ...quiet, label, file]);
    return (await attachLoop(this.#undo, file, { readOnly })).device;
  }

  async boot(
    layoutEnv: string,
    options: Partial<MountLayoutOptions> = {},
  ): Promise<Extract<MountLayoutResult, { outcome: 'ok' }>> {
    await this.unmountAll();
    await mount(join(this.work, 'root.img'), this.sysroot, { options: ['ro', 'loop'] });
    return this.layOut(layoutEnv, options);
  }

  /** The layout on what is mounted. */
  async layOut(
    layoutEnv: string,
    options: Partial<MountLayoutOptions> = {},
  ): Promise<Extract<MountLayoutResult, { outcome: 'ok' }>> {
    const { sysroot, overlayDirectory, runDirectory, relabelDirectory } = this;
    const places = { sysroot, overlayDirectory, runDirectory, relabelDirectory };
    const result = await mountLayout({
      ...places,
      layoutEnv,
      commandLine: '',
      deviceTimeoutMs: 0,
      events: silent,
      ...options,
    });
    if (result.outcome !== 'ok') throw new Error(result.reason);
    return result;
  }

  put(path: string, text: string): void {
    writeFileSync(join(this.sysroot, path), text);
  }

  get(path: string): string | undefined {
    const at = join(this.sysroot, path);
    return existsSync(at) ? readFileSync(at, 'utf8') : undefined;
  }

  record(): unknown {
    return JSON.parse(readFileSync(join(this.runDirectory, 'layout.json'), 'utf8'));
  }

  /** Mount points below the new root, as paths of it, in the order of mounting. */
  mountPoints(): string[] {
    const below = listMounts().filter(({ mountPoint }) => mountPoint.startsWith(`${this.sysroot}/`));
    return below.map(({ mountPoint }) => mountPoint.slice(this.sysroot.length));
  }

  async unmountAll(): Promise<void> {
    const below = listMounts().filter(({ mountPoint }) => mountPoint.startsWith(`${this.work}/`));
    for (const { mountPoint } of below.reverse()) await unmount(mountPoint);
  }

  /** @returns what couldn't be undone. */
  async close(): Promise<string[]> {
    await this.unmountAll();
    const problems = await this.#undo.unwind(false);
    rmSync(this.work, { recursive: true });
    return problems;
  }
}
