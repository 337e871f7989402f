// Which images were unpacked over which directories of a root, so that a stage which runs at every boot unpacks an image
// once. The record lives apart from what it speaks of, so it is believed only where the directory is still the same one
// and still has the names that the image brought.

import { z } from 'zod';
import type { Root } from '../../system/root.ts';

const FILE = '/var/lib/holdfast/unpacked-images.json';

/** Enough to see that somebody has emptied a directory. */
const MAX_NAMES = 64;

const entrySchema = z.object({
  /** What the stage asked for: source and platform. */
  request: z.string(),
  digest: z.string(),
  names: z.array(z.string()),
});
const recordSchema = z.object({
  directories: z.record(z.string(), z.object({ identity: z.string(), images: z.array(entrySchema) })),
});
type UnpackedRecord = z.infer<typeof recordSchema>;
export type UnpackedEntry = z.infer<typeof entrySchema>;

/** What is known to be in a directory of the root, as one stage asked for it. */
export function findUnpacked(root: Root, target: string, request: string): UnpackedEntry | undefined {
  const path = keyOf(root, target);
  const record = read(root);
  const directory = Object.hasOwn(record.directories, path) ? record.directories[path] : undefined;
  if (directory === undefined || directory.identity !== identityOf(root, target)) return undefined;
  const entry = directory.images.find((image) => image.request === request);
  return entry?.names.every((name) => root.lstat(`${path}/${name}`) !== undefined) ? entry : undefined;
}

/**
 * Notes that an image was unpacked over a directory. What came after it there may be covered by it now, so that is
 * forgotten and unpacked again by whoever asks for it.
 */
export function noteUnpacked(root: Root, target: string, entry: UnpackedEntry): void {
  const path = keyOf(root, target);
  const identity = identityOf(root, target);
  const { directories } = read(root);
  const known = Object.hasOwn(directories, path) ? directories[path] : undefined;
  const before = known?.identity === identity ? known.images : [];
  const at = before.findIndex(({ request }) => request === entry.request);
  const kept = at < 0 ? before : before.slice(0, at);
  const images = [...kept, { ...entry, names: entry.names.slice(0, MAX_NAMES) }];
  // A directory that is gone needs no memory.
  const others = Object.entries(directories).filter(([other]) => other !== path && root.exists(other));
  const record: UnpackedRecord = { directories: { ...Object.fromEntries(others), [path]: { identity, images } } };
  root.writeFile(FILE, `${JSON.stringify(record, undefined, 2)}\n`);
}

/** The directory's own path in the root, links resolved. */
function keyOf(root: Root, target: string): string {
  return root.inside(root.resolve(target));
}

/** Tells a directory from another one that has its name after it was removed or something was mounted over it. */
function identityOf(root: Root, target: string): string {
  const stats = root.stat(target);
  return stats === undefined ? '' : `${stats.ino} ${Math.round(stats.birthtimeMs)}`;
}

/** A record that can't be understood counts as none: the images are unpacked again. */
function read(root: Root): UnpackedRecord {
  try {
    return recordSchema.parse(JSON.parse(root.readTextIfThere(FILE) ?? '{"directories": {}}'));
  } catch {
    return { directories: {} };
  }
}
