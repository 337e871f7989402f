// `directories`: each with exactly the mode and owner that is written, whether it is there already or not; missing
// parents are plain 0755 directories of root. What lies inside is left alone.

import { HoldfastError } from '../../system/errors.ts';
import { placeDirectory } from '../placement.ts';
import { ownerOf } from './files.ts';
import { attempt, type StepContext, type StepHandler, type StepValue } from './handler.ts';

/** Where no permissions are given; yip uses 0000. */
const DEFAULT_MODE = 0o755;
const PARENTS = { mode: 0o755, uid: 0, gid: 0 };

export const directories: StepHandler<'directories'> = {
  key: 'directories',
  describe: (value) => value.map(({ path = '' }) => `make the directory ${path}`),
  async apply(value, context) {
    for (const entry of value) await attempt(context, () => applyDirectory(entry, context));
  },
};

function applyDirectory(entry: StepValue<'directories'>[number], context: StepContext): void {
  if (!entry.path) throw new HoldfastError('HF-CONFIG', 'a directory without a path', { hint: 'add "path: /…"' });
  const placement = { ...ownerOf(entry, context), mode: entry.permissions ?? DEFAULT_MODE };
  // Whoever isn't root can't make root's.
  const parents = process.getuid?.() === 0 ? PARENTS : { ...placement, mode: PARENTS.mode };
  placeDirectory(context.root, entry.path, placement, parents).forEach(context.changed);
}
