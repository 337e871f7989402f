// A disk as Linux mounts it: journals are replayed, which writes to the image, so it is looked at after GRUB's view.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HiddenLoops, type PartitionPlace } from './hidden-loops.ts';

export type LinuxPartition = 'oem' | 'recovery' | 'state' | 'persistent';

export class LinuxView {
  readonly #loops: HiddenLoops;
  readonly #devices: Record<LinuxPartition, string>;
  readonly #mountPoint: string;

  private constructor(loops: HiddenLoops, devices: Record<LinuxPartition, string>, mountPoint: string) {
    this.#loops = loops;
    this.#devices = devices;
    this.#mountPoint = mountPoint;
  }

  /** @param image empty, and as large as the disk. Its content may be replaced between two looks. */
  static async open(
    image: string,
    places: Readonly<Record<LinuxPartition, PartitionPlace>>,
    directory: string,
  ): Promise<LinuxView> {
    const loops = new HiddenLoops(join(directory, 'nodes'));
    let devices: Record<LinuxPartition, string>;
    try {
      devices = {
        oem: await loops.attach(image, places.oem),
        recovery: await loops.attach(image, places.recovery),
        state: await loops.attach(image, places.state),
        persistent: await loops.attach(image, places.persistent),
      };
    } catch (error) {
      await loops.close();
      throw error;
    }
    const mountPoint = join(directory, 'mounted');
    mkdirSync(mountPoint, { recursive: true });
    return new LinuxView(loops, devices, mountPoint);
  }

  /**
   * Mounts a partition as a boot does, for as long as `look` takes.
   * @returns why it can't be mounted, else what `look` returns.
   */
  look<T>(partition: LinuxPartition, look: (directory: string) => T): { refused: string } | { seen: T } {
    const refused = this.#mount(partition);
    if (refused !== undefined) return { refused };
    try {
      return { seen: look(this.#mountPoint) };
    } finally {
      this.#unmount();
    }
  }

  /**
   * The same for a disk that nothing happened to, and for a look that has to wait for something.
   * @throws Error when the partition can't be mounted.
   */
  async lookLong<T>(partition: LinuxPartition, look: (directory: string) => Promise<T>): Promise<T> {
    const refused = this.#mount(partition);
    if (refused !== undefined) throw new Error(`the ${partition} partition can't be mounted: ${refused}`);
    try {
      return await look(this.#mountPoint);
    } finally {
      this.#unmount();
    }
  }

  #mount(partition: LinuxPartition): string | undefined {
    // Several states of one disk may be mounted at a time, and XFS minds its UUID.
    const options = partition === 'state' ? ['-t', 'xfs', '-o', 'ro,nouuid'] : ['-t', 'ext4', '-o', 'ro'];
    const argv = [...options, this.#devices[partition], this.#mountPoint];
    const mounted = spawnSync('mount', argv, { encoding: 'utf8' });
    return mounted.status === 0 ? undefined : (mounted.stderr.trim().split('\n')[0] ?? '');
  }

  #unmount(): void {
    const unmounted = spawnSync('umount', [this.#mountPoint], { encoding: 'utf8' });
    if (unmounted.status !== 0) throw new Error(`${this.#mountPoint} stays mounted: ${unmounted.stderr}`);
  }

  close(): Promise<void> {
    return this.#loops.close();
  }
}
