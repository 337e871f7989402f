// Entities in a plan: of which file which line, and nothing of what is in it.

import { describeEntity } from './entity.ts';

/** One line per entry. */
export function describeEntries(entries: readonly { path?: string; entity?: string }[], verb: string): string[] {
  return entries.map(({ path, entity = '' }) => {
    const place = path ? ` in ${path}` : '';
    return `${verb} the entry ${describeEntity(entity) ?? '(known when templates are expanded)'}${place}`;
  });
}
