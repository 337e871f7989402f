// PAX extended headers: records `LENGTH KEY=VALUE\n` (POSIX.1, pax). Values stay bytes, since extended attributes
// such as security.capability are binary; libraries that decode them as UTF-8 break them.

import { parseAcl } from './acl.ts';
import { type ExactTime, exactTimeOf } from './exact-time.ts';
import { malformedTar } from './tarheader.ts';

/** What a PAX header says about the next entry. Absent: nothing was said. */
export interface PaxOverrides {
  /** Bytes as latin1. */
  path?: string;
  linkPath?: string;
  sizeBytes?: number;
  uid?: number;
  gid?: number;
  /** Seconds since 1970 with fraction. */
  mtime?: number;
  exactMtime?: ExactTime;
  /** Extended attributes by name, from `SCHILY.xattr.NAME`. */
  xattrs: Map<string, Buffer>;
  /** Sparse file: name, size and map (formats 0.0, 0.1 and 1.0). */
  sparse: SparseOverrides;
  /** Keys that carry something which isn't applied (ACLs of names without numbers, libarchive's own attributes). */
  unapplied: string[];
}

export interface SparseOverrides {
  version?: string;
  name?: string;
  realSizeBytes?: number;
  /** Offsets and lengths in turn, as decimal texts. */
  map: string[];
}

/** Keys that say nothing about a file system's content, or what tar's own header says in numbers. */
const SILENT_KEYS =
  /^(?:atime|ctime|comment|charset|hdrcharset|uname|gname|LIBARCHIVE\.creationtime|SCHILY\.(?:dev|ino|nlink|fflags|filetype|realsize))$/;

/** Every record of a PAX header, in order; keys and values as bytes (keys as latin1). */
export function* paxRecords(data: Buffer): Generator<[key: string, value: Buffer]> {
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const digits = space === -1 ? '' : data.toString('latin1', at, space);
    if (!/^[1-9][0-9]{0,8}$/.test(digits)) throw malformedTar('an extended header has a record without length');
    const end = at + Number(digits);
    const equals = data.indexOf(0x3d, space);
    if (end > data.length || data[end - 1] !== 0x0a || equals === -1 || equals >= end) {
      throw malformedTar('an extended header has a broken record');
    }
    const key = data.toString('latin1', space + 1, equals);
    if (key === '' || key.includes('\0')) throw malformedTar('an extended header has a record without name');
    yield [key, data.subarray(equals + 1, end - 1)];
    at = end;
  }
}

/** @throws HoldfastError HF-IMAGE for anything that isn't a well-formed PAX header. */
export function parsePax(data: Buffer): PaxOverrides {
  const pax: PaxOverrides = { xattrs: new Map(), sparse: { map: [] }, unapplied: [] };
  for (const [key, bytes] of paxRecords(data)) {
    // An empty value takes back what was said before; tar headers follow their own fields then. Attributes differ:
    // an empty value is a value.
    const value = bytes.toString('latin1');
    if (key.startsWith('SCHILY.xattr.')) {
      // A copy: the buffer that it is part of would live as long as the attribute.
      pax.xattrs.set(key.slice('SCHILY.xattr.'.length), Buffer.from(bytes));
    } else if (key === 'SCHILY.acl.access' || key === 'SCHILY.acl.default') {
      addAcl(pax, key, bytes);
    } else if (key === 'path') {
      setOrDelete(pax, 'path', value === '' ? undefined : pathOf(value));
    } else if (key === 'linkpath') {
      setOrDelete(pax, 'linkPath', value === '' ? undefined : pathOf(value));
    } else if (key === 'size') {
      setOrDelete(pax, 'sizeBytes', value === '' ? undefined : wholeNumber(value, key));
    } else if (key === 'uid' || key === 'gid') {
      setOrDelete(pax, key, value === '' ? undefined : wholeNumber(value, key));
    } else if (key === 'mtime') {
      setOrDelete(pax, 'mtime', value === '' ? undefined : timeOf(value));
      setOrDelete(pax, 'exactMtime', exactTimeOf(value));
    } else if (key.startsWith('GNU.sparse.')) {
      addSparse(pax.sparse, key.slice('GNU.sparse.'.length), value);
    } else if (!SILENT_KEYS.test(key)) {
      pax.unapplied.push(key);
    }
  }
  return pax;
}

/** Whether a PAX header for all following entries says anything that would change them. */
export function changesEntries(pax: PaxOverrides): boolean {
  const { xattrs, sparse, unapplied, ...fields } = pax;
  const saysSparse = sparse.version !== undefined || sparse.name !== undefined || sparse.map.length > 0;
  return xattrs.size > 0 || saysSparse || sparse.realSizeBytes !== undefined || Object.keys(fields).length > 0;
}

/** A list in words becomes the attribute that the kernel knows, unless the header has that one too. */
function addAcl(pax: PaxOverrides, key: string, text: Buffer): void {
  const isAccess = key === 'SCHILY.acl.access';
  const name = isAccess ? 'system.posix_acl_access' : 'system.posix_acl_default';
  const acl = parseAcl(text.toString('utf8'));
  if ('problem' in acl) pax.unapplied.push(key);
  // The mode says the same.
  else if (isAccess && acl.isMode) return;
  else if (!pax.xattrs.has(name)) pax.xattrs.set(name, acl.value);
}

function addSparse(sparse: SparseOverrides, key: string, value: string): void {
  if (key === 'major') sparse.version = `${value}.${sparse.version?.split('.')[1] ?? '0'}`;
  else if (key === 'minor') sparse.version = `${sparse.version?.split('.')[0] ?? '0'}.${value}`;
  else if (key === 'name') sparse.name = pathOf(value);
  else if (key === 'size' || key === 'realsize') sparse.realSizeBytes = wholeNumber(value, key);
  else if (key === 'offset' || key === 'numbytes') sparse.map.push(value);
  else if (key === 'map') sparse.map = value.split(',');
  else if (key !== 'numblocks') throw malformedTar(`an extended header has the unknown key GNU.sparse.${key}`);
}

function setOrDelete<K extends 'path' | 'linkPath' | 'sizeBytes' | 'uid' | 'gid' | 'mtime' | 'exactMtime'>(
  pax: PaxOverrides,
  key: K,
  value: PaxOverrides[K] | undefined,
): void {
  if (value === undefined) delete pax[key];
  else pax[key] = value;
}

function pathOf(value: string): string {
  if (value.includes('\0')) throw malformedTar('a name contains a NUL');
  return value;
}

/** A decimal number that fits a size or an id. */
export function wholeNumber(value: string, what: string): number {
  const result = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(result)) throw malformedTar(`${what} is no number: ${JSON.stringify(value.slice(0, 40))}`);
  return result;
}

function timeOf(value: string): number {
  if (!/^-?[0-9]{1,12}(\.[0-9]*)?$/.test(value)) {
    throw malformedTar(`mtime is no time: ${JSON.stringify(value.slice(0, 40))}`);
  }
  return Number(value);
}
