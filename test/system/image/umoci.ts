// The other side of the comparison: umoci(1) unpacks the same image, getfattr(1) tells what Node can't.

import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync } from 'node:fs';
import { openLayout } from '../../../src/image/layout.ts';
import { unpackLayers } from '../../../src/image/unpack.ts';
import { type Entry, snapshot } from '../../unit/image/snapshot.ts';

export type FullEntry = Entry & { xattrs?: string; mtime?: bigint };

/**
 * A tree with its extended attributes.
 * @param unit of the modification times: Node sets them to the microsecond, the executable to the nanosecond.
 */
export function fullSnapshot(
  directory: string,
  unit: 'microseconds' | 'nanoseconds' = 'microseconds',
): Record<string, FullEntry> {
  const tree: Record<string, FullEntry> = snapshot(directory);
  for (const [path, entry] of Object.entries(tree)) {
    const { mtimeNs } = lstatSync(Buffer.from(`${directory}/${path}`, 'latin1'), { bigint: true });
    entry.mtime = unit === 'nanoseconds' ? mtimeNs : mtimeNs / 1000n;
  }
  const dump = execFileSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: directory,
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'ignore'],
  }).toString('latin1');
  for (const block of dump.split('\n\n')) {
    const [head, ...lines] = block.split('\n').filter((line) => line !== '');
    const path = head
      ?.replace(/^# file: (\.\/)?/, '')
      .replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const entry = tree[path ?? ''];
    const kept = lines.filter((line) => !line.startsWith('security.selinux='));
    if (entry !== undefined && kept.length > 0) entry.xattrs = kept.sort().join('\n');
  }
  return tree;
}

/** What umoci makes of an image. */
export function umociTree(layout: string, tag: string, directory: string): Record<string, FullEntry> {
  mkdirSync(directory);
  execFileSync('umoci', ['raw', 'unpack', '--image', `${layout}:${tag}`, `${directory}/root`], { stdio: 'pipe' });
  return fullSnapshot(`${directory}/root`);
}

/** What Holdfast makes of it; `after` layers are unpacked in a second call, as an upgrade does. */
export async function ourTree(
  layout: string,
  tag: string,
  directory: string,
  after?: number,
): Promise<Record<string, FullEntry>> {
  mkdirSync(directory);
  const image = await openLayout(layout, { tag });
  await unpackLayers(image, image.layers.slice(0, after), directory);
  if (after !== undefined) await unpackLayers(image, image.layers.slice(after), directory);
  return fullSnapshot(directory);
}
