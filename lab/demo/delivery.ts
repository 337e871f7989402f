// A disk that brings images to a machine without a registry: an OCI layout on ext4 with the label DELIVERY.

import { renameSync, rmSync } from 'node:fs';
import { runChecked } from '../../src/system/process.ts';

/** What a guest mounts: `mount -o ro LABEL=DELIVERY /run/delivery`. */
export const DELIVERY_LABEL = 'DELIVERY';

/**
 * Writes a disk image with a copy of a directory.
 * @param layout the directory; what is in it is at the top of the disk.
 * @param file the disk image, replaced when it exists.
 * @throws HoldfastError HF-TOOL-MISSING without mkfs.ext4, HF-COMMAND when it doesn't fit.
 */
export async function makeDelivery(layout: string, file: string): Promise<void> {
  // Room for the filesystem's own tables, and for block ends.
  const sizeMiB = Math.ceil((await treeBytes(layout)) / 2 ** 20 / 0.9) + 32;
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    rmSync(temporary, { force: true });
    await runChecked([
      ...(['mkfs.ext4', '-q', '-L', DELIVERY_LABEL, '-m', '0', '-O', '^has_journal', '-d', layout] as const),
      ...[temporary, `${sizeMiB}M`],
    ]);
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
}

async function treeBytes(directory: string): Promise<number> {
  return Number((await runChecked(['du', '--summarize', '--block-size=1', directory])).split('\t')[0]);
}
