// The disk of the overlay bench: a Debian system three times in one ext4, as plain files, as an image on a loop device, and
// as the base of an overlay with a COW file that can't overflow.

import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBaseTar } from '../../lab/demo/base.ts';
import type { Place, Work } from '../../lab/overlay/inside/cost-experiments.ts';
import { DISK_DIRECTORY, makeDisk, type SnapshotGuest } from '../../lab/overlay/snapshot-guest.ts';
import { removeTree } from '../../lab/work-tree.ts';
import { runChecked } from '../../src/system/process.ts';

const BASE_MIB = 1536;
const DISK_MIB = 8192;
const COW_SECTORS_PER_CHUNK = 8;

export const WORK: Omit<Work, 'packages'> = { oldFile: 'measured-old', sequentialMib: 128, randomBlocks: 400 };

export const PLACES = ['plain', 'loop', 'overlay'] as const;
export type PlaceName = (typeof PLACES)[number];

/** Makes the disk; about half a minute. */
export async function makeBenchDisk(work: string, file: string, log: (line: string) => void): Promise<void> {
  const base = await ensureBaseTar({ log });
  const tree = join(work, 'tree');
  const content = join(work, 'content');
  mkdirSync(tree, { mode: 0o755 });
  await runChecked(['tar', '-xf', base.path, '-C', tree, '--numeric-owner', '--xattrs', '--xattrs-include=*']);
  fillFile(join(tree, WORK.oldFile), WORK.randomBlocks * 4);
  mkdirSync(content);
  const image = join(content, 'base.img');
  // As slot files are made, and with the journal that an overlay has in its view.
  await runChecked(['mkfs.ext4', '-q', '-b', '4096', '-m', '0', '-J', 'size=4', '-d', tree, image, `${BASE_MIB}M`]);
  await runChecked(['cp', '--sparse=always', image, join(content, 'loop.img')]);
  renameSync(tree, join(content, 'plain'));
  await makeDisk(file, { sizeMib: DISK_MIB, content });
  await removeTree(content);
}

function fillFile(file: string, blocks: number): void {
  const fd = openSync(file, 'w');
  const block = Buffer.alloc(4096, 'old\n');
  try {
    for (let n = 0; n < blocks; n++) writeSync(fd, block);
  } finally {
    closeSync(fd);
  }
}

/** Makes a place ready and says where it is. The COW file is another one each time: an overlay is measured when it is new. */
export async function preparePlace(guest: SnapshotGuest, name: PlaceName, run: number): Promise<Place> {
  const at = (file: string) => `${DISK_DIRECTORY}/${file}`;
  if (name === 'plain') return { kind: 'directory', directory: at('plain') };
  if (name === 'loop') return { kind: 'loop', image: at('loop.img') };
  const cow = at(`cow-${run}`);
  const chunks = (BASE_MIB << 20) / 4096;
  const metadata = Math.floor(chunks / 256) + 2;
  await guest.shell(`rm -f ${at('cow-*')}; fallocate -l ${(chunks + metadata) * 4096} ${cow}`);
  return { kind: 'overlay', base: at('base.img'), cow, chunkSectors: COW_SECTORS_PER_CHUNK };
}
