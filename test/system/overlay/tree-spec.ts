// Small trees for tests of a rebase: written from a description, with every attribute, under names that may be any bytes.

import { execFileSync } from 'node:child_process';
import { chmodSync, lchownSync, linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { setXattrs } from '../../../src/image/xattrs.ts';
import { comparePaths } from '../../../src/overlay/rebase/tree-order.ts';

export type NodeSpec = (
  | { file: string }
  | { link: string }
  | { directory: true }
  | { fifo: true }
  | { device: readonly [number, number] }
  /** Another name of what has this path. */
  | { hardLink: string }
) & { mode?: number; uid?: number; gid?: number; mtime?: number; xattrs?: Readonly<Record<string, string>> };

/** By path, bytes as latin1. Directories above are made as needed. */
export type TreeSpec = Readonly<Record<string, NodeSpec>>;

export const TIME = 1_600_000_000;

/** Writes a tree into an empty or new directory. */
export async function writeTree(directory: string, spec: TreeSpec): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const at = (path: string) => Buffer.from(`${directory}/${path}`, 'latin1');
  const all = new Map<string, NodeSpec>();
  for (const [path, node] of Object.entries(spec)) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth += 1) {
      const parent = parts.slice(0, depth).join('/');
      if (!all.has(parent)) all.set(parent, spec[parent] ?? { directory: true });
    }
    all.set(path, node);
  }
  const paths = [...all.keys()].sort(comparePaths);
  for (const path of paths) {
    const node = all.get(path);
    if (node === undefined || 'hardLink' in node) continue;
    if ('file' in node) writeFileSync(at(path), node.file, 'latin1');
    else if ('directory' in node) mkdirSync(at(path));
    else if ('link' in node) symlinkSync(Buffer.from(node.link, 'latin1'), at(path));
    else if ('fifo' in node) execFileSync('mkfifo', [`${directory}/${path}`]);
    else execFileSync('mknod', [`${directory}/${path}`, 'c', ...node.device.map(String)]);
    lchownSync(at(path), node.uid ?? 0, node.gid ?? 0);
    if (!('link' in node)) chmodSync(at(path), node.mode ?? ('directory' in node ? 0o755 : 0o644));
  }
  for (const path of paths) {
    const node = all.get(path);
    if (node !== undefined && 'hardLink' in node) linkSync(at(node.hardLink), at(path));
  }
  const xattrs = [...all].flatMap(([path, node]) =>
    node.xattrs === undefined
      ? []
      : [[path, new Map(Object.entries(node.xattrs).map(([name, hex]) => [name, Buffer.from(hex, 'hex')]))] as const],
  );
  await setXattrs(directory, new Map(xattrs));
  for (const path of paths.toReversed()) {
    const time = all.get(path)?.mtime ?? TIME;
    lutimesSync(at(path), time, time);
  }
}
