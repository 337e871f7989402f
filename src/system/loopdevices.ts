// Loop devices: files as block devices. Partitions of a disk image are attached by offset and size, since not every
// kernel reads partition tables of loop devices.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { UndoStack } from './plan.ts';
import { run, runChecked } from './process.ts';

export interface LoopOptions {
  offsetBytes?: number;
  sizeBytes?: number;
  readOnly?: boolean;
}

/** Attaches a file to a free loop device and registers its detaching. Returns the device and a function to detach now. */
export async function attachLoop(
  undo: UndoStack,
  file: string,
  { offsetBytes, sizeBytes, readOnly }: LoopOptions = {},
): Promise<{ device: string; detach: () => Promise<void> }> {
  const argv: [string, ...string[]] = ['losetup', '--find', '--show'];
  if (offsetBytes !== undefined) argv.push('--offset', String(offsetBytes));
  if (sizeBytes !== undefined) argv.push('--sizelimit', String(sizeBytes));
  if (readOnly) argv.push('--read-only');
  await makeMissingNode();
  const device = (await runChecked([...argv, file])).trim();
  return { device, detach: undo.always(`detach ${device}`, () => detachLoop(device)) };
}

/** The kernel may offer a loop device that has no node (containers, a removed node): losetup only says ENOENT then. */
async function makeMissingNode(): Promise<void> {
  const { stdout } = await run(['losetup', '--find']);
  const name = /^\/dev\/(loop\d+)\n$/.exec(stdout)?.[1];
  if (name === undefined || existsSync(`/dev/${name}`)) return;
  const numbers = readOr(`/sys/block/${name}/dev`)?.trim().split(':') ?? [];
  if (numbers.length === 2) await run(['mknod', '--mode=0660', `/dev/${name}`, 'b', ...numbers]);
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Detaches a loop device and waits until the kernel has let go of its file. */
export async function detachLoop(device: string): Promise<void> {
  if (backingFileOf(device) === undefined) return;
  const result = await run(['losetup', '--detach', device]);
  // Another process may have detached it between the look and the call.
  if (result.status !== 0 && backingFileOf(device) !== undefined) await runChecked(['losetup', '--detach', device]);
  for (let attempt = 0; attempt < 50 && backingFileOf(device) !== undefined; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The file behind a loop device as the kernel names it, or undefined when nothing is attached. */
export function backingFileOf(device: string): string | undefined {
  return readOr(`/sys/block/${device.replace(/^\/dev\//, '')}/loop/backing_file`)?.replace(/\n$/, '');
}

/** All attached loop devices with their files. A file that was replaced meanwhile ends in ` (deleted)`. */
export function listLoops(): { device: string; file: string }[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .flatMap((name) => {
      const file = backingFileOf(`/dev/${name}`);
      return file === undefined ? [] : [{ device: `/dev/${name}`, file }];
    });
}
