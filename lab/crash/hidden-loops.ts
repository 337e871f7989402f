// Loop devices over the partitions of a disk image that nothing else on this machine finds: the states of a crash test
// carry the labels of an installed system, and whatever looks for those (the product itself, its other tests) asks every
// device in /dev. They are attached while the image is still empty, and have their nodes in a directory of ours.

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { commandFailed, run, runChecked } from '../../src/system/process.ts';

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
      // Whoever makes the node has the number; others pass on to the next one.
      if (isAttached(number) || !(await makeNode(device, number))) continue;
      try {
        const range = ['--offset', String(startBytes), '--sizelimit', String(sizeBytes)];
        const result = await run(['losetup', ...range, device, image]);
        if (result.status !== 0) {
          // Another was faster between the look and the node.
          if (isAttached(number)) continue;
          throw commandFailed(result);
        }
        const node = join(this.#directory, basename(device));
        await makeNode(node, number);
        this.#nodes.push(node);
        return node;
      } finally {
        rmSync(device, { force: true });
      }
    }
    throw new Error('all loop devices are taken');
  }

  /** Detaches them all; nothing of them may be mounted. */
  async close(): Promise<void> {
    for (const node of this.#nodes.splice(0)) {
      const number = Number(basename(node).slice('loop'.length));
      const device = `/dev/${basename(node)}`;
      await detach(device, number);
      rmSync(node, { force: true });
    }
  }
}

/** Detaches what killed processes have left attached to files below a directory; their mounts have to be gone. */
export async function detachStale(directory: string, isStale: (file: string) => boolean): Promise<void> {
  for (let number = FIRST_NUMBER; number < FIRST_NUMBER + 1000; number++) {
    if (!isAttached(number)) continue;
    const file = readFileSync(`/sys/block/loop${number}/loop/backing_file`, 'utf8').trim();
    if (file.startsWith(`${directory}/`) && isStale(file.slice(directory.length + 1))) {
      await detach(`/dev/loop${number}`, number);
    }
  }
}

async function detach(device: string, number: number): Promise<void> {
  // losetup knows devices by their names there.
  await makeNode(device, number);
  await runChecked(['losetup', '--detach', device]);
  // The kernel lets go of the file a moment later.
  for (let wait = 0; wait < 100 && isAttached(number); wait++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  rmSync(device, { force: true });
}

function isAttached(number: number): boolean {
  return existsSync(`/sys/block/loop${number}/loop`);
}

/** Makes a device's node; false when there is one. */
async function makeNode(node: string, number: number): Promise<boolean> {
  return (await run(['mknod', node, 'b', String(MAJOR), String(number)])).status === 0;
}
