// What is done about packages that don't fit into a new system. The default refuses before anything was touched; the owner
// may hold them at what was installed last, drop the request, or leave them out this time.

import { HoldfastError } from '../system/errors.ts';
import { type Conflict, chainLines, describeConflict } from './conflict.ts';

/** The status of an action that was refused over a package; that of packages of an overlay that can't be had. */
export const PACKAGE_EXIT_STATUS = 4;

const HINT =
  'nothing was touched; --packages hold keeps the versions installed last, --packages drop gives the packages up, --packages defer leaves them out this time';

/**
 * The refusal, with the chain of each package.
 * @param places where packages are asked for, by their names.
 */
export function refusePackages(
  conflicts: readonly Conflict[],
  places: ReadonlyMap<string, string> = new Map(),
): HoldfastError {
  const [first, ...others] = conflicts;
  const what = first === undefined ? 'a package can’t be installed' : describeConflict(first);
  const place = places.get(first?.request ?? '');
  const asked = place === undefined ? '' : ` (asked for at ${place})`;
  const more = others.length === 0 ? '' : `, and ${others.map(({ request }) => request).join(', ')}`;
  return new HoldfastError('HF-DEPLOY', `packages don't fit into the new system: ${what}${asked}${more}`, {
    exitStatus: PACKAGE_EXIT_STATUS,
    outputTail: conflicts.flatMap(detailsOf).join('\n'),
    hint: HINT,
  });
}

/** The chain link by link, and what the package manager said itself. */
function detailsOf(conflict: Conflict): string[] {
  const chain = conflict.chain.length > 1 ? chainLines(conflict) : [];
  return [...chain, ...conflict.outputTail.split('\n')];
}
