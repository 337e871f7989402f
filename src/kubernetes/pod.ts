// The pod that this process was started in, as it is seen from the node: its root, what the runtime mounts into that, and the
// file for its last word. Kubernetes shows the first 4096 bytes of /dev/termination-log as the message of the container.

import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, messageOf } from '../system/errors.ts';
import { type Mount, parseMountInfo } from '../system/mounts.ts';
import { Root } from '../system/root.ts';

const TERMINATION_LOG = '/dev/termination-log';
const MAX_MESSAGE_BYTES = 4096;
/** Where a pod's own root is mounted once more, without anything that is mounted in it. */
export const BARE_ROOT = '/run/holdfast-image';
const NOT_COPIED = /^\/(?:dev|host|mnt|proc|run|sys|tmp)(?:\/|$)/;

/** A pod by its process that waits for this one. */
export class Pod {
  readonly root: Root;
  readonly #process: string;

  /** @param process `/proc/PID` of the process that was started in the pod. */
  constructor(process: string) {
    this.#process = process;
    this.root = new Root(`${process}/root`);
  }

  /** Its root without what is mounted in it: the image's own tree, apart from {@link mountPoints}. */
  get imageDirectory(): string {
    return join(this.root.directory, BARE_ROOT);
  }

  /** Places in the image's tree that the runtime mounts something on, relative to it; those that are empty everywhere are left out. */
  mountPoints(): string[] {
    return placesOf(parseMountInfo(readFileSync(`${this.#process}/mountinfo`, 'utf8')));
  }

  /** Whether its last word is written. */
  get hasMessage(): boolean {
    const file = join(this.root.directory, TERMINATION_LOG);
    return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
  }

  /** @returns why nobody will read the message; undefined when it is written. */
  writeMessage(text: string): string | undefined {
    const file = join(this.root.directory, TERMINATION_LOG);
    // Only Kubernetes reads it, and it makes it.
    if (!existsSync(file) || !lstatSync(file).isFile()) return undefined;
    try {
      // It is mounted by itself, so it can't be replaced.
      writeFileSync(file, boundMessage(text));
      return undefined;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return `the message for the controller could not be written: ${messageOf(error)}`;
    }
  }
}

/** Mount points outside of what every system leaves empty, as paths relative to the root. Pure. */
export function placesOf(mounts: readonly Pick<Mount, 'mountPoint'>[]): string[] {
  const points = mounts.map(({ mountPoint }) => mountPoint);
  const places = points.filter((point) => point !== '/' && point.startsWith('/') && !NOT_COPIED.test(point));
  return [...new Set(places.map((point) => point.slice(1)))].sort();
}

/** A message that fits, without a broken character at its end. Pure. */
export function boundMessage(text: string): string {
  const whole = Buffer.from(text, 'utf8');
  if (whole.length <= MAX_MESSAGE_BYTES) return text;
  const end = '…';
  let cut = MAX_MESSAGE_BYTES - Buffer.byteLength(end);
  // Bytes 10xxxxxx continue a character.
  while (cut > 0 && ((whole[cut] ?? 0) & 0xc0) === 0x80) cut -= 1;
  return `${whole.subarray(0, cut).toString('utf8')}${end}`;
}
