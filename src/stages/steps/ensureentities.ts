// `ensure_entities`: lines of passwd, shadow, group and gshadow, written as they are asked for. Numbers and ages that a
// line has and the entity doesn't name stay.

import { describeEntries } from '../accounts/describeentries.ts';
import type { StepHandler } from './handler.ts';

export const ensureEntities: StepHandler<'ensure_entities'> = {
  key: 'ensure_entities',
  describe: (value) => describeEntries(value, 'write'),
  async apply(value, context) {
    const [{ applyEntities }, { ensureEntity }, { daysSinceEpoch }] = await Promise.all([
      import('../accounts/entities.ts'),
      import('../accounts/ensureentity.ts'),
      import('../accounts/fields.ts'),
    ]);
    const today = daysSinceEpoch(Date.now());
    await applyEntities(value, context, (database, entity, warn) => ensureEntity(database, entity, today, warn));
  },
};
