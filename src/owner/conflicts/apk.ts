// What apk says when it can't select packages: blocks of "NAME (no such package):" or "NAME-VERSION:" with lines of what
// requires, conflicts with or breaks what.

import type { ConflictLink } from '../conflict.ts';

export function parseApkConflict(text: string): ConflictLink[] {
  const links: ConflictLink[] = [];
  let subject = '';
  let isMissing = false;
  let relation: string | undefined;
  for (const line of text.split('\n')) {
    const head = /^ {2}(\S+?)( \((?:no such package|virtual|missing)\))?:$/.exec(line);
    if (head !== null) {
      subject = head[1] ?? '';
      isMissing = head[2] !== undefined;
      relation = undefined;
      continue;
    }
    const entry = /^ {4}(?:(required by|satisfies|breaks|conflicts|masked in|cache):)? *(\S.*)$/.exec(line);
    // Further lines of the same relation are indented under the first.
    relation = entry?.[1] ?? (/^ {5,}\S/.test(line) ? relation : undefined);
    const words = (entry?.[2] ?? line).trim();
    if (subject === '' || relation === undefined) continue;
    for (const [, who = '', wants = ''] of words.matchAll(/(\S+?)\[([^\]]+)\]/g)) {
      if (who === 'world') continue;
      if (relation === 'required by' && isMissing)
        links.push({ ...splitApk(who), relation: 'needs', wants, found: 'nothing' });
      // The package that is there doesn't fulfil what is asked of it.
      if (relation === 'breaks') {
        const { version } = splitApk(subject);
        links.push({
          ...splitApk(who),
          relation: 'needs',
          wants,
          found: 'other-version',
          ...(version !== undefined && { foundVersion: version }),
        });
      }
      if (relation === 'conflicts') {
        links.push({ ...splitApk(subject), relation: 'conflicts with', wants: splitApk(who).name, found: 'unknown' });
      }
    }
  }
  return links;
}

/** Names that are asked for and that no repository has. */
export function missingForApk(text: string): string[] {
  const blocks = text.matchAll(/^ {2}(\S+) \(no such package\):\n {4}required by: *(.*)$/gm);
  return [...blocks].flatMap(([, name = '', by = '']) => (by.includes('world[') ? [name] : []));
}

/** `vim-9.1.0707-r0`. */
function splitApk(text: string): { name: string; version?: string } {
  const [, name, version] = /^(.+?)-(\d[^-]*-r\d+)$/.exec(text) ?? [];
  return name === undefined || version === undefined ? { name: text } : { name, version };
}
