// The record of a machine whose COS_STATE is made anew: read before, written back after. What happened on a machine is worth more
// than the file system that it is on, which may be damaged; then that is said.

import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { RECORD_FILE } from '../record/record.ts';
import { createRing, MOST_RING_BYTES } from '../record/ring.ts';
import { errnoOf, messageOf } from '../system/errors.ts';
import { mountUntilEnd } from '../system/mounts.ts';
import { type ApplyContext, UndoStack } from '../system/plan.ts';

/** The bytes of the record on an unmounted partition; undefined where there is none or it can't be read. */
export async function takeRecord(
  { events }: Pick<ApplyContext, 'events'>,
  device: string,
  mountPoint: string,
): Promise<Uint8Array | undefined> {
  const undo = new UndoStack();
  try {
    await mountUntilEnd(undo, device, mountPoint, { options: ['ro'] });
    return readWithin(join(mountPoint, RECORD_FILE), MOST_RING_BYTES);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    const text = `what was recorded of this machine is lost with its state partition: ${messageOf(error)}`;
    events({ type: 'notice', level: 'info', text });
    return undefined;
  } finally {
    for (const text of await undo.unwind(true)) events({ type: 'notice', level: 'warning', text });
  }
}

/** Puts it onto the new file system; what can't be put there is a warning. */
export function putRecord(
  { warn }: Pick<ApplyContext, 'warn'>,
  stateDirectory: string,
  bytes: Uint8Array | undefined,
): void {
  if (bytes === undefined || bytes.length === 0) return;
  try {
    createRing(join(stateDirectory, RECORD_FILE), bytes);
  } catch (error) {
    warn(`what was recorded of this machine could not be kept: ${messageOf(error)}`);
  }
}

function readWithin(file: string, most: number): Uint8Array {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(most);
    let length = 0;
    for (;;) {
      const count = readSync(fd, buffer, length, most - length, length);
      length += count;
      if (count === 0 || length === most) return buffer.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}
