// Makes a slot's ledger: what differs between the slot and its image, with the causes that were noted while hooks ran in it and
// the packages that the paths belong to.

import type { TreePath } from '../image/targettree.ts';
import { addDigests, readObjects } from '../overlay/rebase/read-object.ts';
import { differences, type TreeObject } from '../overlay/rebase/tree-object.ts';
import { comparePaths } from '../overlay/rebase/tree-order.ts';
import { messageOf } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import type { Attribution } from './attribution.ts';
import { compareTrees, type TreeDifference } from './compare-trees.ts';
import type { Ledger, LedgerEntry, LedgerOrigin, PackageName } from './entry.ts';
import { packagesOf } from './package-owners.ts';
import { pathTextOf } from './path-name.ts';
import { Reach } from './reach.ts';
import { withoutSecret } from './shown-object.ts';

/** More than any set of packages brings; what is beyond it is counted. */
const MAX_ENTRIES = 150_000;

export interface LedgerRequest {
  origin: LedgerOrigin;
  /** Directory of the slot, mounted. */
  slot: string;
  /** Directory of the pristine that it was made from; absent where none is kept. */
  pristine?: string | undefined;
  attribution: Attribution;
  signal?: AbortSignal | undefined;
  /** Something that is left out of the ledger. */
  warn: (text: string) => void;
}

/** @throws HoldfastError HF-IO, HF-INTERRUPTED, HF-TOOL-MISSING. */
export async function buildLedger(request: LedgerRequest): Promise<Ledger> {
  const { origin, slot, pristine, attribution, signal, warn } = request;
  const found =
    pristine === undefined
      ? await sinceFirstLook(slot, attribution)
      : await sincePristine(pristine, slot, { attribution, signal, warn });
  const kept = found.slice(0, MAX_ENTRIES);
  const owners = await ownersOf(kept, request);
  await readDigests(kept, owners, request);
  const entries = kept.map(({ path, kind, before, after, fields }): LedgerEntry => {
    const owner = owners.get(path);
    const name = pathTextOf(path);
    return {
      path,
      kind,
      fields,
      ...(before !== undefined && { before: withoutSecret(name, before) }),
      ...(after !== undefined && { after: withoutSecret(name, after) }),
      ...attribution.of(path),
      ...(owner !== undefined && { package: owner }),
    };
  });
  const basis = pristine === undefined ? 'before-hooks' : 'pristine';
  return { origin, basis, entries, omitted: found.length - kept.length };
}

async function sincePristine(
  pristine: string,
  slot: string,
  { attribution, signal, warn }: Pick<LedgerRequest, 'attribution' | 'signal' | 'warn'>,
): Promise<readonly TreeDifference[]> {
  // Everything that happened to the slot was seen, unless the watch had to give up.
  const { changed } = attribution;
  const only = changed === undefined ? {} : { only: changed };
  const { differences: found, warnings } = await compareTrees(pristine, slot, { related: true, signal, ...only });
  for (const text of warnings) warn(text);
  return found;
}

/** Of what a package brought, size and time say enough; reading it all would take longer than everything else. */
async function readDigests(
  found: readonly TreeDifference[],
  owners: ReadonlyMap<TreePath, PackageName>,
  { slot, pristine, signal }: LedgerRequest,
): Promise<void> {
  const wanted = found.filter(({ path, kind }) => kind === 'changed' || !owners.has(path));
  const objects = (side: 'before' | 'after') =>
    wanted.flatMap((one) => (one[side] === undefined ? [] : [[one.path, one[side]] as const]));
  await addDigests(slot, objects('after'), signal);
  if (pristine !== undefined) await addDigests(pristine, objects('before'), signal);
}

/** What no unchanged copy can be asked about: content counts as changed where nothing else says why a path was touched. */
async function sinceFirstLook(slot: string, attribution: Attribution): Promise<TreeDifference[]> {
  const paths = [...attribution.before.keys()].sort(comparePaths);
  const reach = new Reach(slot);
  const now = await readObjects(
    slot,
    paths.filter((path) => reach.has(path)),
    { attributes: false },
  );
  return paths.flatMap((path): TreeDifference[] => {
    const [before, after] = [attribution.before.get(path), now.get(path)];
    if (before === undefined) return after === undefined ? [] : [{ path, kind: 'added', after, fields: [] }];
    if (after === undefined) return [{ path, kind: 'removed', before, fields: [] }];
    const mtimeNs = isSameTime(before.mtimeNs, after.mtimeNs) ? before.mtimeNs : after.mtimeNs;
    const fields = differences(before, { ...after, xattrs: before.xattrs, flags: before.flags, mtimeNs });
    if (fields.length === 0 && (before.type !== 'file' || !isTouched(before, after))) return [];
    return [{ path, kind: 'changed', before, after, fields: fields.length === 0 ? ['content'] : fields }];
  });
}

/** A first look keeps times as numbers, which are a little less exact. */
function isSameTime(one: bigint, other: bigint): boolean {
  const difference = one - other;
  return difference > -2000n && difference < 2000n;
}

function isTouched(before: TreeObject, after: TreeObject): boolean {
  return before.inode !== after.inode || !isSameTime(before.ctimeNs, after.ctimeNs);
}

/** That a list of packages can't be read is no reason to have no ledger. */
async function ownersOf(
  found: readonly TreeDifference[],
  { slot, pristine, signal, warn }: LedgerRequest,
): Promise<Map<TreePath, PackageName>> {
  const owners = new Map<TreePath, PackageName>();
  const sides = [
    [pristine, found.filter(({ kind }) => kind === 'removed')],
    [slot, found.filter(({ kind }) => kind !== 'removed')],
  ] as const;
  for (const [directory, some] of sides) {
    if (directory === undefined || some.length === 0) continue;
    try {
      const wanted = new Set(some.map(({ path }) => path));
      for (const [path, owner] of await packagesOf(new Root(directory), wanted, signal)) owners.set(path, owner);
    } catch (error) {
      warn(`which packages the changed files belong to is not noted: ${messageOf(error)}`);
    }
  }
  return owners;
}
