// Who made a path of the new system what it is: by the ledger that was written with it, else by what hooks said they changed.

import type { TreePath } from '../ledger/compare-trees.ts';
import { readLedger } from '../ledger/ledger-file.ts';
import type { PlanMaterial } from '../lifecycle/planned-material.ts';
import { messageOf } from '../system/errors.ts';

/** A step of a stage file, a program that a hook has left running, or the making of the slot itself. */
export type Maker =
  | { by: 'step'; file: string; line: number; name?: string | undefined; package?: string | undefined }
  | { by: 'hook'; stage: string }
  | { by: 'holdfast' };

/** A function that knows the maker of each path. */
export function makers({
  hooks,
  next,
  stateDirectory,
  warn,
}: Pick<PlanMaterial, 'hooks' | 'next' | 'stateDirectory' | 'warn'>): (path: TreePath) => Maker | undefined {
  const byPath = new Map<TreePath, Maker>();
  for (const { steps } of hooks) {
    for (const { changedFiles, file, line, name } of steps) {
      const maker: Maker = { by: 'step', file, line, name };
      for (const path of changedFiles) byPath.set(Buffer.from(path.replace(/^\//, '')).toString('latin1'), maker);
    }
  }
  try {
    for (const { path, cause, package: owner } of readLedger(stateDirectory, next.deployment.uuid)?.entries ?? []) {
      if (cause.by === 'unknown') continue;
      if (cause.by !== 'step') byPath.set(path, cause);
      else {
        const { file, line, name } = cause.step;
        byPath.set(path, { by: 'step', file, line, name, package: owner?.name });
      }
    }
  } catch (error) {
    warn(messageOf(error));
  }
  return (path) => byPath.get(path);
}
