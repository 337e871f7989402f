// `users`: in alphabetical order, so that numbers don't depend on the file; all of them in one change of the account
// files. Homes are made before the files are replaced: a user that is seen has everything.

import { attempt, type StepHandler, type StepValue } from './handler.ts';

export const users: StepHandler<'users'> = {
  key: 'users',
  describe: (value) =>
    sorted(value).map(([name, { groups = [], ssh_authorized_keys: keys = [], lock_passwd }]) => {
      const parts = [
        ...(groups.length > 0 ? [`groups ${groups.join(', ')}`] : []),
        ...(lock_passwd ? ['password locked'] : []),
        ...(keys.length > 0 ? [`${keys.length} SSH key ${keys.length === 1 ? 'entry' : 'entries'}`] : []),
      ];
      return `make sure that the user ${name} is there${parts.length > 0 ? ` (${parts.join('; ')})` : ''}`;
    }),
  async apply(value, context) {
    const [{ ensureUsers }, { ensureAuthorizedKeys, KeyFetcher }] = await Promise.all([
      import('../accounts/users.ts'),
      import('../accounts/authorizedkeys.ts'),
    ]);
    const ensured = await ensureUsers(sorted(value), context);
    const fetcher = new KeyFetcher(context);
    for (const [name, { ssh_authorized_keys: keys = [] }] of sorted(value)) {
      if (keys.length === 0 || !ensured.has(name)) continue;
      await attempt(context, () => ensureAuthorizedKeys(name, keys, fetcher, context));
    }
  },
};

function sorted(value: StepValue<'users'>) {
  return [...value].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
