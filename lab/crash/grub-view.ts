// A disk as GRUB reads it: GRUB's own filesystem code on this machine (grub-fstest), which doesn't replay journals.

import { spawnSync } from 'node:child_process';

/** By role; the numbers that `install` gives them. */
export const GRUB_PARTITIONS = { efi: 'gpt1', oem: 'gpt2', recovery: 'gpt3', state: 'gpt4' } as const;
export type GrubPartition = keyof typeof GRUB_PARTITIONS;

export class GrubView {
  readonly #image: string;

  constructor(image: string) {
    this.#image = image;
  }

  /** A file's content, or what of it a range has; undefined when GRUB can't read it. */
  read(partition: GrubPartition, path: string, range?: { offset: number; size: number }): Buffer | undefined {
    const part = range === undefined ? [] : [`--skip=${range.offset}`, `--length=${range.size}`];
    const device = `(loop0,${GRUB_PARTITIONS[partition]})`;
    const result = spawnSync('grub-fstest', [this.#image, ...part, 'cat', `${device}${path}`], {
      maxBuffer: 256 << 20,
      env: { ...process.env, LC_ALL: 'C' },
    });
    // It ends with 0 after most errors; what it complains about is an error all the same.
    if (result.status !== 0 || result.stderr.length > 0) return undefined;
    return result.stdout;
  }
}
