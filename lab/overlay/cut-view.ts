// What a boot would find on a disk after a power cut, looked at on the host: the disk's own file system is mounted, which
// replays its journal, the COW is read, and the view is checked and mounted as an image.

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readCow } from '../../src/overlay/cow-read.ts';
import { sizeOfBase } from '../../src/overlay/fingerprint.ts';
import { writeFlatImage } from '../../src/overlay/flat-image.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { run } from '../../src/system/process.ts';
import { wrongFiles } from './inside/rounds.ts';
import { type BaseKind, type CutDisk, KINDS, seedOf } from './power-cuts.ts';

/** e2fsck: nothing to do, or all mended. */
const CLEAN = [0, 1];

/** Looks at both views of a disk. @returns what is wrong, each with the base's kind. */
export async function judgeCut(
  disk: CutDisk,
  { scratch, seed, keep }: { scratch: string; seed: number; keep?: (kind: BaseKind, cow: string) => Promise<void> },
): Promise<string[]> {
  const directory = join(scratch, 'disk');
  mkdirSync(directory, { recursive: true });
  await mount(disk.image, directory, { options: ['loop'] });
  try {
    const findings: string[] = [];
    for (const kind of KINDS) {
      const wrong = await judgeView({ directory, scratch, kind, synced: disk.synced[kind], seed: seedOf(seed, kind) });
      findings.push(...wrong.map((text) => `${disk.name}, ${kind}, round ${disk.synced[kind]}: ${text}`));
      await keep?.(kind, join(directory, `${kind}.cow`));
    }
    return findings;
  } finally {
    await unmount(directory);
  }
}

interface View {
  directory: string;
  scratch: string;
  kind: BaseKind;
  synced: number;
  seed: number;
}

async function judgeView({ directory, scratch, kind, synced, seed }: View): Promise<string[]> {
  const [base, cow] = [join(directory, `${kind}.base`), join(directory, `${kind}.cow`)];
  const content = await readCow(cow, { baseBytes: sizeOfBase(base) });
  if ('problem' in content) return [`the COW: ${content.problem.message}`];
  if (!content.valid) return ['the COW is marked invalid'];
  if (content.blank) return synced === 0 ? [] : ['the COW is blank'];
  const to = join(scratch, 'view.img');
  await writeFlatImage({ base, cow, to });
  try {
    // The journal may have been in the making: the boot begins such a COW anew, or checks all of it.
    const preened = await run(['e2fsck', synced === 0 ? '-fp' : '-p', to]);
    if (!CLEAN.includes(preened.status ?? -1)) return [`e2fsck -p: ${preened.stdout}${preened.stderr}`];
    const checked = await run(['e2fsck', '-fn', to]);
    if (checked.status !== 0) return [`e2fsck -fn: ${checked.stdout}${checked.stderr}`];
    const mountPoint = join(scratch, 'view');
    mkdirSync(mountPoint, { recursive: true });
    await mount(to, mountPoint, { options: ['loop'] });
    try {
      return wrongFiles(join(mountPoint, 'rounds'), synced, seed);
    } finally {
      await unmount(mountPoint);
    }
  } finally {
    rmSync(to, { force: true });
  }
}
