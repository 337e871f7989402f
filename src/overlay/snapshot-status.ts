// What the kernel says of the running view: `dmsetup status` of the snapshot that is the root. An overflow raises no
// event of device-mapper, so whoever wants to know in time has to ask.

import { OVERLAY_DEVICE } from '../boot/attached-overlay.ts';
import { HoldfastError } from '../system/errors.ts';
import { run } from '../system/process.ts';

export type SnapshotStatus =
  | { state: 'ok'; allocatedBytes: number; totalBytes: number; metadataBytes: number }
  /** `overflow`: reads go on and writes fail; `invalid`: everything fails. Both last until the device is made anew. */
  | { state: 'overflow' | 'invalid' | 'merge-failed' };

/** Reads one line of `dmsetup status`; undefined when it is of no snapshot. */
export function parseSnapshotStatus(line: string): SnapshotStatus | undefined {
  const words = /^\s*\d+ \d+ snapshot (.+?)\s*$/.exec(line)?.[1];
  if (words === undefined) return undefined;
  const [, allocated, total, metadata] = /^(\d+)\/(\d+) (\d+)$/.exec(words) ?? [];
  if (allocated !== undefined) {
    return {
      state: 'ok',
      allocatedBytes: Number(allocated) * 512,
      totalBytes: Number(total) * 512,
      metadataBytes: Number(metadata) * 512,
    };
  }
  const state = STATES.get(words);
  return state && { state };
}

const STATES: ReadonlyMap<string, 'overflow' | 'invalid' | 'merge-failed'> = new Map([
  ['Overflow', 'overflow'],
  ['Invalid', 'invalid'],
  ['Merge failed', 'merge-failed'],
]);

/**
 * Asks the kernel about a snapshot device.
 * @returns undefined where there is no such device.
 * @throws HoldfastError HF-COMMAND when it is something else than a snapshot.
 */
export async function readSnapshotStatus(device = OVERLAY_DEVICE): Promise<SnapshotStatus | undefined> {
  const result = await run(['dmsetup', 'status', device]);
  if (result.status !== 0) return undefined;
  const status = parseSnapshotStatus(result.stdout);
  if (status !== undefined) return status;
  throw new HoldfastError('HF-COMMAND', `${device} is no snapshot: ${result.stdout.trim()}`);
}
