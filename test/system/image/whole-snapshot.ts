// Everything that can be told of a tree: types, owners, modes, times to the microsecond, contents, holes, links, hard
// links, devices and extended attributes.

import { lstatSync } from 'node:fs';
import { run } from '../../../src/system/process.ts';
import { type Entry, snapshot } from '../../unit/image/snapshot.ts';

export interface WholeEntry extends Entry {
  mtimeMicroseconds: string;
  /** Whether a file has blocks for all of its bytes. */
  isSparse: boolean;
  xattrs: string[];
}

export async function wholeSnapshot(directory: string): Promise<Record<string, WholeEntry>> {
  const xattrs = new Map<string, string[]>();
  const dump = await run(['getfattr', '-P', '-h', '-R', '-d', '-m', '-', '-e', 'hex', '.'], { cwd: directory });
  let path = '';
  // Names with odd bytes come escaped, the same way each time.
  for (const line of dump.stdout.split('\n')) {
    if (line.startsWith('# file: ')) path = line.slice('# file: '.length).replace(/^\.\//, '');
    else if (line !== '' && !line.startsWith('security.selinux'))
      xattrs.set(path, [...(xattrs.get(path) ?? []), line].sort());
  }
  const entries = Object.entries(snapshot(directory)).map(([name, entry]): [string, WholeEntry] => {
    const stats = lstatSync(Buffer.from(`${directory}/${name}`, 'latin1'), { bigint: true });
    return [
      name,
      {
        ...entry,
        mtimeMicroseconds: String(stats.mtimeNs / 1000n),
        isSparse: entry.type === 'file' && stats.blocks * 512n < stats.size,
        xattrs: xattrs.get(name === '.' ? '.' : Buffer.from(name, 'latin1').toString('utf8')) ?? [],
      },
    ];
  });
  return Object.fromEntries(entries);
}
