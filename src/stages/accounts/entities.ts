// The entries of `ensure_entities` and `delete_entities`: each text is expanded, read and carried out on its own file, so
// that one that is broken doesn't stop the others.

import type { StepValues } from '../../cloudconfig/stepkeys.ts';
import { HoldfastError } from '../../system/errors.ts';
import type { StepContext } from '../steps/handler.ts';
import { expandText } from '../templates.ts';
import type { AccountDatabase } from './database.ts';
import { editAccounts } from './edit.ts';
import { FILE_OF_KIND } from './ensureentity.ts';
import { type Entity, type EntityKind, parseEntity } from './entity.ts';

export type EntityEntry = NonNullable<StepValues['ensure_entities']>[number];

/** Environment variables of the entities library that name other default files. */
const OVERRIDES: Readonly<Record<EntityKind, string>> = {
  user: 'ENTITY_DEFAULT_PASSWD',
  shadow: 'ENTITY_DEFAULT_SHADOW',
  group: 'ENTITY_DEFAULT_GROUPS',
  gshadow: 'ENTITY_DEFAULT_GSHADOW',
};

/** Applies entries in order. */
export async function applyEntities(
  entries: readonly EntityEntry[],
  context: StepContext,
  change: (database: AccountDatabase, entity: Entity, warn: (text: string) => void) => void,
): Promise<void> {
  const { root, signal, warn, fail, edited } = context;
  for (const entry of entries) {
    try {
      const { entity, warnings } = parseEntity(await expandText(entry.entity ?? '', 'an entity', context));
      warnings.forEach(warn);
      const path = entry.path || defaultPath(entity.kind, context);
      if (path !== undefined && !path.startsWith('/')) {
        throw new HoldfastError('HF-CONFIG', `the path of an entity must be absolute, not ${path}`);
      }
      const paths = path === undefined ? {} : { [FILE_OF_KIND[entity.kind]]: path };
      const { result, written } = await editAccounts(root, { signal, paths }, (database) => {
        const found: string[] = [];
        change(database, entity, (text) => found.push(text));
        return found;
      });
      result.forEach(warn);
      written.forEach(edited);
    } catch (error) {
      fail(error);
    }
  }
}

/** undefined: the file in /etc. The caller's environment says nothing about a system that isn't running. */
function defaultPath(kind: EntityKind, { root, env }: StepContext): string | undefined {
  const name = OVERRIDES[kind];
  return env?.[name] || (root.isHost ? process.env[name] : undefined) || undefined;
}
