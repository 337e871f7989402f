// `directories`: each with exactly the mode and owner that is written, whether it is there already or not; missing
// parents are plain 0755 directories of root. What lies inside is left alone.

import { HoldfastError } from '../../system/errors.ts';
import { placeDirectory } from '../placement.ts';
import { ownerOf } from './files.ts';
import type { StepHandler } from './handler.ts';

/** Where no permissions are given; yip uses 0000. */
const DEFAULT_MODE = 0o755;
const PARENTS = { mode: 0o755, uid: 0, gid: 0 };

export const directories: StepHandler<'directories'> = {
  key: 'directories',
  describe: (value) => value.map(({ path = '' }) => `make the directory ${path}`),
  apply(value, context) {
    for (const entry of value) {
      try {
        if (!entry.path) throw new HoldfastError('HF-CONFIG', 'a directory without a path', { hint: 'add "path: /…"' });
        const placement = { ...ownerOf(entry, context), mode: entry.permissions ?? DEFAULT_MODE };
        const parents = process.getuid?.() === 0 ? PARENTS : { ...placement, mode: PARENTS.mode };
        for (const path of placeDirectory(context.root, entry.path, placement, parents)) {
          context.changed(path);
        }
      } catch (error) {
        context.fail(error);
      }
    }
  },
};
