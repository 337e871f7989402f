// Takes overlays away: a COW with its sidecar and all that belongs to it. It holds password files and keys in clear, so it
// can be overwritten first. Files in use are never touched.

import { lstatSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsyncPath } from '../system/durable.ts';
import { ByteFile, breathe, STEP_BYTES, type Work } from './byte-file.ts';
import { requireUnused } from './in-use.ts';
import type { Member } from './names.ts';
import { listSetFiles } from './overlay-set.ts';

/** What to drop of a set: what belongs to these bases, or all of it. */
export type DropChoice = { digits: readonly (string | undefined)[] } | 'all';

const HOLDS_DATA: ReadonlySet<Member['kind']> = new Set(['cow', 'aside', 'unfinished']);

export interface DropItem {
  file: string;
  kind: Member['kind'];
  sizeBytes: number;
}

/** The files that would go, data before what describes it. */
export function planDrop(set: string, choice: DropChoice): DropItem[] {
  const chosen = listSetFiles(set).filter(({ member }) => {
    if (choice === 'all') return true;
    return member.kind !== 'conflicts' && choice.digits.includes(member.digits);
  });
  const isData = ({ member }: { member: Member }) => HOLDS_DATA.has(member.kind);
  return chosen
    .sort((a, b) => Number(isData(b)) - Number(isData(a)))
    .map(({ file, member }) => ({ file, kind: member.kind, sizeBytes: lstatSync(file).size }));
}

/**
 * Removes files of a set.
 * @param options.erase overwrite the data first. Disks that keep old blocks (flash) may have them all the same.
 * @throws HoldfastError HF-LOCKED when one is in use; nothing was removed then.
 */
export async function dropFiles(
  items: readonly DropItem[],
  { erase, ...work }: Work & { erase: boolean },
): Promise<void> {
  for (const { file, kind } of items) if (HOLDS_DATA.has(kind)) await requireUnused(file);
  const total = items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let done = 0;
  for (const { file, kind, sizeBytes } of items) {
    const isFile = lstatSync(file).isFile();
    if (erase && isFile && HOLDS_DATA.has(kind)) {
      await overwrite(file, sizeBytes, { ...work, progress: (at) => work.progress?.(done + at, total) });
    }
    rmSync(file, { recursive: true, force: true });
    done += sizeBytes;
  }
  const [first] = items;
  if (first !== undefined) fsyncPath(dirname(first.file));
}

async function overwrite(path: string, sizeBytes: number, work: Work): Promise<void> {
  const file = new ByteFile(path, 'write');
  try {
    const zeros = Buffer.alloc(STEP_BYTES);
    for (let at = 0; at < sizeBytes; at += zeros.length) {
      file.write(zeros.subarray(0, Math.min(zeros.length, sizeBytes - at)), at);
      await breathe(work, at, sizeBytes);
    }
    file.sync();
  } finally {
    file.close();
  }
}
