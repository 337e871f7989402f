// Whether a disk's system was installed with these very stage files. With `force` in them and the medium still in, each
// start would erase what the last one has installed; this is what ends that.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { customFileName } from '../../lifecycle/refresh-boot-loader.ts';
import { openDisk, readPartitions } from '../../slots/disk.ts';
import type { Labels } from '../../slots/names.ts';
import { HoldfastError } from '../../system/errors.ts';
import { attachLoop } from '../../system/loopdevices.ts';
import { mountUntilEnd } from '../../system/mounts.ts';
import { UndoStack } from '../../system/plan.ts';

/**
 * Compares them with what an install has left in COS_OEM. A disk that can't be looked into was not.
 * @param given.count how many files the install had, these first.
 */
export async function wasInstalledWith(
  path: string,
  labels: Labels,
  { texts, count }: { texts: readonly string[]; count: number },
): Promise<boolean> {
  const disk = await openDisk(path);
  const oem = (await readPartitions(disk)).find(({ label }) => label === labels.partitions.oem);
  if (oem === undefined) return false;
  const undo = new UndoStack();
  const mountPoint = `/run/holdfast/installed-before-${process.pid}`;
  try {
    const { startBytes, sizeBytes } = oem;
    const { device } = await attachLoop(undo, path, { offsetBytes: startBytes, sizeBytes, readOnly: true });
    await mountUntilEnd(undo, device, mountPoint, { options: ['ro', 'noload'] });
    return texts.every((text, index) => {
      const file = join(mountPoint, customFileName(index, count));
      return existsSync(file) && readFileSync(file, 'utf8') === text;
    });
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-MOUNT') return false;
    throw error;
  } finally {
    await undo.unwind(true);
  }
}
