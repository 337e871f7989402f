// Two trees compared by tools that aren't ours: find and sha256sum list each, and the lists are compared here. What a plan
// and a ledger say is held against it.

import { gunzipSync } from 'node:zlib';

/**
 * A shell function `manifest DIRECTORY`: prints, in one line that a console carries, everything of a tree but directory
 * times. File names may have any byte but zero.
 */
export const MANIFEST_FUNCTION = `manifest() {
    ( cd "$1" && find . -xdev -path ./lost+found -prune -o -printf '%y %m %U %G %s %T@ %p\\0%l\\0' ) | gzip -1 | base64 -w 0
    printf :
    ( cd "$1" && find . -xdev -path ./lost+found -prune -o -type f -print0 | xargs -0 sha256sum -z ) | gzip -1 | base64 -w 0
    echo
}
`;

/** One entry of a tree. */
export interface ManifestEntry {
  type: string;
  mode: string;
  owner: string;
  size: number;
  /** As find prints it, to the nanosecond. */
  time: string;
  link: string;
  sha256: string;
}

/** By path with a leading slash. */
export type Manifest = ReadonlyMap<string, ManifestEntry>;

/** Reads what the shell function printed. */
export function parseManifest(line: string): Manifest {
  const [listed = [], hashed = []] = line
    .trim()
    .split(':')
    .map((part) => unpack(part).split('\0'));
  const entries = new Map<string, ManifestEntry>();
  for (let at = 0; at + 1 < listed.length; at += 2) {
    const [head = '', link = ''] = listed.slice(at, at + 2);
    const found = /^(\S) (\S+) (\S+) (\S+) (\S+) (\S+) \.(.*)$/s.exec(head);
    if (found === null) continue;
    const [, type = '', mode = '', uid = '', gid = '', size = '', time = '', path = ''] = found;
    if (path === '') continue;
    entries.set(nameOf(path), { type, mode, owner: `${uid}:${gid}`, size: Number(size), time, link, sha256: '' });
  }
  for (const record of hashed) {
    const found = /^([0-9a-f]{64}) [ *]\.(.*)$/s.exec(record);
    const entry = entries.get(nameOf(found?.[2] ?? ''));
    if (entry !== undefined) entry.sha256 = found?.[1] ?? '';
  }
  return entries;
}

/** A name as a text: what is no UTF-8 keeps a character for each byte. */
function nameOf(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : latin1;
}

/** Text that the guest packed for its console. */
export function unpack(packed: string): string {
  return gunzipSync(Buffer.from(packed, 'base64')).toString('latin1');
}

export type Field = 'type' | 'content' | 'link' | 'mode' | 'owner' | 'time';

export interface Difference {
  change: 'added' | 'removed' | 'changed';
  /** Of a change: in what. */
  fields: readonly Field[];
}

/** What differs from one tree to another, by path. */
export function compareManifests(before: Manifest, after: Manifest): Map<string, Difference> {
  const differences = new Map<string, Difference>();
  for (const [path, old] of before) {
    const now = after.get(path);
    if (now === undefined) differences.set(path, { change: 'removed', fields: [] });
    else {
      const fields = changedFields(old, now);
      if (fields.length > 0) differences.set(path, { change: 'changed', fields });
    }
  }
  for (const path of after.keys()) if (!before.has(path)) differences.set(path, { change: 'added', fields: [] });
  return differences;
}

function changedFields(old: ManifestEntry, now: ManifestEntry): Field[] {
  if (old.type !== now.type) return ['type'];
  const fields: Field[] = [];
  if (old.type === 'f' && old.sha256 !== now.sha256) fields.push('content');
  if (old.type === 'l' && old.link !== now.link) fields.push('link');
  // A link's mode means nothing.
  if (old.type !== 'l' && old.mode !== now.mode) fields.push('mode');
  if (old.owner !== now.owner) fields.push('owner');
  if (old.type !== 'd' && old.time !== now.time) fields.push('time');
  return fields;
}
