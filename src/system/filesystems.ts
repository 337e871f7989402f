// What a filesystem says about itself (type, label, UUID) and how much room it has.

import { statfsSync } from 'node:fs';
import { HoldfastError } from './errors.ts';
import { run, runChecked } from './process.ts';

export interface FilesystemIdentity {
  /** `ext4`, `xfs`, `vfat`, `squashfs`, … */
  type?: string;
  label?: string;
  uuid?: string;
}

/** Reads a device's or image file's superblock itself, past any cache; empty when there is no known filesystem. */
export async function probeFilesystem(deviceOrFile: string): Promise<FilesystemIdentity> {
  const result = await run(['blkid', '--probe', '--output', 'export', deviceOrFile]);
  // blkid(8): 2 means that nothing was recognised.
  if (result.status === 2) return {};
  if (result.status !== 0) {
    throw new HoldfastError('HF-IO', `${deviceOrFile} could not be read: ${result.stderr.trim()}`);
  }
  return parseBlkidExport(result.stdout);
}

/** Parses `blkid -o export` for one device. */
export function parseBlkidExport(text: string): FilesystemIdentity {
  const identity: FilesystemIdentity = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    const value = line.slice(at + 1).replace(/\\(.)/g, '$1');
    if (line.startsWith('TYPE=')) identity.type = value;
    else if (line.startsWith('LABEL=')) identity.label = value;
    else if (line.startsWith('UUID=')) identity.uuid = value;
  }
  return identity;
}

/** Block devices that carry a filesystem label, by asking every device, not a cache. */
export async function devicesWithLabel(label: string): Promise<string[]> {
  const result = await run([
    'blkid',
    '--cache-file',
    '/dev/null',
    '--match-token',
    `LABEL=${label}`,
    '--output',
    'device',
  ]);
  return result.status === 0 ? result.stdout.split('\n').filter((line) => line !== '') : [];
}

/** Bytes that root may still write to the filesystem that holds `path`. */
export function freeBytes(path: string): number {
  const { bfree, bsize } = statfsSync(path);
  return bfree * bsize;
}

/** Flushes everything of the filesystem that holds `path` and reports write errors that happened before. */
export async function syncFilesystem(path: string): Promise<void> {
  await runChecked(['sync', '--file-system', path]);
}
