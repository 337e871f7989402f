// `authorized_keys`: keys for users who are there already, as lines or as addresses to fetch them from.

import { describeEntry } from '../accounts/keysource.ts';
import { attempt, type StepHandler } from './handler.ts';

export const authorizedKeys: StepHandler<'authorized_keys'> = {
  key: 'authorized_keys',
  describe: (value) =>
    [...value].map(
      ([name, entries]) => `add ${entries.map(describeEntry).join(', ')} to the authorized_keys of ${name}`,
    ),
  async apply(value, context) {
    const { ensureAuthorizedKeys, KeyFetcher } = await import('../accounts/authorizedkeys.ts');
    const fetcher = new KeyFetcher(context);
    for (const [name, entries] of value) {
      if (entries.length === 0) continue;
      await attempt(context, () => ensureAuthorizedKeys(name, entries, fetcher, context));
    }
  },
};
