// Whether a COW is attached: a loop device over the same file, found by device and inode, whatever its names are. Two
// views over one COW, or a tool that writes to one in use, would destroy it.

import { HoldfastError } from '../system/errors.ts';
import { runChecked } from '../system/process.ts';

/** The loop device over a file, or undefined. */
export async function loopOf(file: string): Promise<string | undefined> {
  const text = await runChecked(['losetup', '--noheadings', '--raw', '--output', 'NAME', '--associated', file]);
  return /^\/dev\/\S+$/m.exec(text)?.[0];
}

/** @throws HoldfastError HF-LOCKED when a COW is attached. */
export async function requireUnused(file: string): Promise<void> {
  const loop = await loopOf(file);
  if (loop === undefined) return;
  throw new HoldfastError('HF-LOCKED', `${file} is in use (${loop})`, {
    hint: 'boot without it first: rd.cos.rootoverlay=0 on the kernel command line',
  });
}
