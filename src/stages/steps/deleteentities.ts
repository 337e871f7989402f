// `delete_entities`: takes lines out of passwd, shadow, group and gshadow by their name. What isn't there needs nothing.

import { describeEntries } from '../accounts/describeentries.ts';
import type { StepHandler } from './handler.ts';

export const deleteEntities: StepHandler<'delete_entities'> = {
  key: 'delete_entities',
  describe: (value) => describeEntries(value, 'take out'),
  async apply(value, context) {
    const [{ applyEntities }, { deleteEntity }] = await Promise.all([
      import('../accounts/entities.ts'),
      import('../accounts/ensureentity.ts'),
    ]);
    await applyEntities(value, context, deleteEntity);
  },
};
