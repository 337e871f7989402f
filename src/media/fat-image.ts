// A FAT file system in a file, as firmware reads it: made by mkfs.fat and filled by mtools, without a mount. Names go in
// sorted and everything has the medium's time, so the same files give the same bytes.

import { lutimesSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import type { ApplyContext } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { reproducibleEnvironment } from './source-time.ts';
import { showFileName, type WalkedFile, walkFiles } from './walk-files.ts';

const MIB = 1 << 20;
/** cOS rounds up to this. */
const STEP_BYTES = 4 * MIB;
/** The largest that a file system of this size gets. */
const CLUSTER_BYTES = 32 << 10;

export const FAT_TOOLS = ['mkfs.fat', 'mmd', 'mcopy'] as const;

export interface FatImageOptions {
  /** What goes into it; its files' times are set to `timeSeconds`. */
  directory: string;
  /** Must not exist. */
  file: string;
  label: string;
  /** Eight hexadecimal digits: `fatSerial`. */
  serial: string;
  timeSeconds: number;
  /** Default: what the content takes, rounded up to 4 MiB. */
  sizeBytes?: number | undefined;
}

/**
 * @throws HoldfastError HF-UNSUPPORTED for what FAT can't hold, HF-COMMAND with the tools' words.
 */
export async function makeFatImage(
  { undo, signal }: Pick<ApplyContext, 'undo' | 'signal'>,
  { directory, file, label, serial, timeSeconds, sizeBytes }: FatImageOptions,
): Promise<{ sizeBytes: number }> {
  // mtools reads what its user has set up for drives.
  const options = { env: { ...reproducibleEnvironment(timeSeconds), MTOOLSRC: '/dev/null' }, signal };
  const entries = [...walkFiles(directory)];
  for (const { path } of entries) lutimesSync(path, timeSeconds, timeSeconds);
  const size = sizeBytes ?? fatBytes(entries);
  undo.onFailure(`remove ${file}`, () => rmSync(file, { force: true }));
  writeFileSync(file, '', { flag: 'wx' });
  truncateSync(file, size);
  await runChecked(['mkfs.fat', '--invariant', '-i', serial, '-n', label, file], options);
  const names = (of: (entry: WalkedFile) => boolean) => entries.filter(of).map(({ name }) => showFileName(name));
  const directories = names(({ stats }) => stats.isDirectory());
  if (directories.length > 0)
    await runChecked(['mmd', '-i', file, ...directories.map((name) => `::/${name}`)], options);
  const files = names(({ stats }) => stats.isFile());
  for (const [parent, group] of groupByParent(files)) {
    const sources = group.map((name) => `${directory}/${name}`);
    await runChecked(['mcopy', '-Q', '-m', '-i', file, ...sources, `::/${parent}`], options);
  }
  return { sizeBytes: size };
}

/** @throws HoldfastError HF-UNSUPPORTED */
function fatBytes(entries: readonly WalkedFile[]): number {
  const odd = entries.find(({ stats }) => !stats.isFile() && !stats.isDirectory());
  if (odd !== undefined) {
    throw new HoldfastError('HF-UNSUPPORTED', `${showFileName(odd.name)}: FAT holds files and directories only`);
  }
  const clusters = entries.reduce((sum, { stats }) => sum + Math.ceil(Math.max(stats.size, 1) / CLUSTER_BYTES), 0);
  // The tables, and the root directory.
  const bytes = clusters * CLUSTER_BYTES * 1.02 + MIB;
  return Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;
}

function groupByParent(names: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const parent = dirname(name) === '.' ? '' : dirname(name);
    groups.set(parent, [...(groups.get(parent) ?? []), name]);
  }
  return groups;
}
