// The names in a layer, judged before anything is done with them. Names are bytes as latin1. A name that climbs is
// refused rather than bent: no tool that builds images writes one.

import { HoldfastError } from '../system/errors.ts';

/** What an entry's name means. Parts are the path inside the tree, empty for the tree itself. */
export type EntryName =
  | { kind: 'entry'; parts: string[] }
  /** `.wh.NAME`: what lower layers have at `parts` is gone. */
  | { kind: 'whiteout'; parts: string[] }
  /** `.wh..wh..opq`: what lower layers have inside the directory at `parts` is gone. */
  | { kind: 'opaque'; parts: string[] }
  /** `.wh..wh.…`: what aufs kept for itself; docker skips it too. */
  | { kind: 'ignored' };

const WHITEOUT = '.wh.';
const AUFS = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';

/** Linux: a name has 255 bytes, a path 4095. The target's own path takes a part of that. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4000;

/**
 * Splits and classifies the name of an entry.
 * @throws HoldfastError HF-IMAGE for names that no file can have or that climb.
 */
export function parseEntryName(name: string): EntryName {
  const parts = splitPath(name, 'an entry');
  const last = parts.at(-1);
  if (parts.slice(0, -1).some((part) => part.startsWith(WHITEOUT))) throw refused(name, 'lies inside a whiteout');
  if (!last?.startsWith(WHITEOUT)) return { kind: 'entry', parts };
  const parents = parts.slice(0, -1);
  if (last === OPAQUE) return { kind: 'opaque', parts: parents };
  if (last.startsWith(AUFS)) return { kind: 'ignored' };
  const hidden = last.slice(WHITEOUT.length);
  if (hidden === '' || hidden === '.' || hidden === '..') throw refused(name, 'is a whiteout of nothing');
  return { kind: 'whiteout', parts: [...parents, hidden] };
}

/**
 * Splits the target of a hard link, which names a file of the tree as entries do.
 * @throws HoldfastError as {@link parseEntryName}.
 */
export function parseLinkTarget(name: string): string[] {
  const parts = splitPath(name, 'a hard link');
  if (parts.length === 0) throw refused(name, 'is a hard link to the tree itself');
  return parts;
}

/** Bytes as readable text, for messages. */
export function showName(name: string): string {
  return JSON.stringify(Buffer.from(name.slice(0, 200), 'latin1').toString('utf8'));
}

function splitPath(name: string, what: string): string[] {
  if (name === '') throw refused(name, `is the name of ${what}`);
  if (name.includes('\0')) throw refused(name, 'contains a NUL');
  if (name.length > MAX_PATH_BYTES) throw refused(name, `is longer than ${MAX_PATH_BYTES} bytes`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refused(name, 'climbs out of its directory');
  if (parts.some((part) => part.length > MAX_NAME_BYTES))
    throw refused(name, `has a part above ${MAX_NAME_BYTES} bytes`);
  return parts;
}

/** The error for an entry that isn't unpacked; the whole image is refused with it. */
export function refused(name: string, why: string): HoldfastError {
  return new HoldfastError('HF-IMAGE', `the layer is refused: ${showName(name)} ${why}`, {
    hint: 'the image was built by a broken tool or was made to do harm; rebuild it',
  });
}
