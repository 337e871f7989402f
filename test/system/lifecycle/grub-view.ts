// What GRUB sees on a disk: its own filesystem code run on this machine (grub-fstest), which reads COS_STATE without
// replaying its journal, as at boot.

import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';

/** COS_STATE is the fourth partition. */
const STATE = '(loop0,gpt4)';

/** Copies a file of COS_STATE. */
export function grubCopy(image: string, path: string, to: string, options: { lengthBytes?: number } = {}): void {
  const length = options.lengthBytes === undefined ? [] : [`--length=${options.lengthBytes}`];
  const fd = openSync(to, 'w');
  try {
    execFileSync('grub-fstest', [image, ...length, 'cat', `${STATE}/${path}`], { stdio: ['ignore', fd, 'inherit'] });
  } finally {
    closeSync(fd);
  }
}

/** UUID and label of the ext4 filesystem in a file, from its superblock. */
export function grubSlot(image: string, path: string): { uuid: string; label: string } {
  const copy = `${image}.superblock`;
  grubCopy(image, path, copy, { lengthBytes: 2048 });
  const superblock = readFileSync(copy).subarray(1024);
  rmSync(copy);
  const hex = superblock.subarray(0x68, 0x78).toString('hex');
  return {
    uuid: [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-'),
    label: superblock.subarray(0x78, 0x88).toString('latin1').replace(/\0+$/, ''),
  };
}
