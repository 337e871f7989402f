// Loop devices over the partitions of a disk image that nothing else on this machine finds: the states of a crash test
// carry the labels of an installed system, and whatever looks for those (the product itself, its other tests) asks every
// device in /dev. They are attached while the image is still empty, and have their nodes in a directory of ours.

import { mkdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';

/** Numbers that `losetup --find` doesn't come to. */
const FIRST_NUMBER = 3000;
const MAJOR = 7;

export interface PartitionPlace {
  startBytes: number;
  sizeBytes: number;
}

export class HiddenLoops {
  readonly #directory: string;
  readonly #nodes: string[] = [];

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /**
   * Attaches a range of an image.
   * @param image with nothing at the range yet; its content may change while no file system of it is mounted.
   * @returns the device's node.
   */
  async attach(image: string, { startBytes, sizeBytes }: PartitionPlace): Promise<string> {
    for (let number = FIRST_NUMBER; number < FIRST_NUMBER + 1000; number++) {
      const device = `/dev/loop${number}`;
      if (statSync(`/sys/block/loop${number}/loop`, { throwIfNoEntry: false }) !== undefined) continue;
      if (statSync(device, { throwIfNoEntry: false }) === undefined) await this.#makeNode(device, number);
      const argv = [
        'losetup',
        '--offset',
        String(startBytes),
        '--sizelimit',
        String(sizeBytes),
        device,
        image,
      ] as const;
      try {
        await runChecked(argv);
      } catch (error) {
        // Another test was faster.
        if (statSync(`/sys/block/loop${number}/loop`, { throwIfNoEntry: false }) !== undefined) continue;
        throw error;
      }
      const node = join(this.#directory, basename(device));
      await this.#makeNode(node, number);
      this.#nodes.push(node);
      rmSync(device);
      return node;
    }
    throw new Error('all loop devices are taken');
  }

  async #makeNode(node: string, number: number): Promise<void> {
    await runChecked(['mknod', node, 'b', String(MAJOR), String(number)]);
  }

  /** Detaches them all; nothing of them may be mounted. */
  async close(): Promise<void> {
    for (const node of this.#nodes.splice(0)) {
      const device = `/dev/${basename(node)}`;
      // losetup knows devices by their names there.
      await this.#makeNode(device, Number(basename(node).slice('loop'.length)));
      await runChecked(['losetup', '--detach', device]);
      rmSync(device, { force: true });
      rmSync(node, { force: true });
    }
  }
}
