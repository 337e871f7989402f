// What one slot knows of a path: what the image and the slot have there, and who made the difference. Trees are looked at where
// they are mounted; nothing is written.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseEntryName } from '../image/entrypath.ts';
import { readIndexFile } from '../image/index-file.ts';
import type { TreePath } from '../image/targettree.ts';
import type { LedgerEntry, PackageName } from '../ledger/entry.ts';
import { entriesOf, explainDifference } from '../ledger/explain.ts';
import { packagesOf } from '../ledger/package-owners.ts';
import { pathTextOf, treePathFrom } from '../ledger/path-name.ts';
import type { PathFacts } from '../ledger/why.ts';
import { addDigests, readObjects } from '../overlay/rebase/read-object.ts';
import { differences, type TreeObject } from '../overlay/rebase/tree-object.ts';
import { pristineIndexFile } from '../slots/names.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import type { SlotView } from './slot-view.ts';

export async function objectAt(directory: string, path: TreePath): Promise<TreeObject | undefined> {
  const objects = await readObjects(directory, [path]);
  await addDigests(directory, objects);
  return objects.get(path);
}

/** What a slot knows of a path. */
export async function factsOfSlot(
  view: SlotView,
  path: TreePath,
  { warn }: { warn: (text: string) => void },
): Promise<Omit<PathFacts, 'path' | 'place'>> {
  const { name, directory, pristine, ledger, deployment, stateDirectory } = view;
  const inSlot = await objectAt(directory, path);
  const entry = entriesOf(ledger).get(path);
  const inImage = pristine === undefined ? noted(ledger, entry, inSlot) : await objectAt(pristine, path);
  const difference = differenceOf(path, inImage, inSlot, pristine !== undefined, entry);
  // A ledger without an entry of it says that the slot has what the image has.
  const isKnown = pristine !== undefined || entry !== undefined || ledger?.omitted === 0;
  const owner = await packageOf(path, inSlot === undefined ? pristine : directory, warn);
  const digest = ledger?.origin.digest ?? deployment?.digest;
  const layer = inImage === undefined ? undefined : await layerOf(path, stateDirectory, digest, warn);
  const source = ledger?.origin.source ?? deployment?.source;
  return {
    real: pathTextOf(path),
    slot: name,
    inImage,
    inSlot,
    ...(!isKnown && { imageUnknown: true as const }),
    ...(pristine === undefined && { imageIsNotKept: true as const }),
    ...(source !== undefined && { image: { source, ...(digest !== undefined && { digest }) } }),
    ...(layer !== undefined && { layer }),
    ...((owner ?? entry?.package) !== undefined && { package: owner ?? entry?.package }),
    ...(inSlot?.type === 'symlink' && { leadsTo: await endOf(directory, path, warn) }),
    ...(difference !== undefined && { difference }),
    ...(ledger !== undefined && { origin: ledger.origin }),
  };
}

/** What the image has, as a ledger knows it. */
function noted(
  ledger: SlotView['ledger'],
  entry: LedgerEntry | undefined,
  inSlot: TreeObject | undefined,
): TreeObject | undefined {
  if (entry !== undefined) return entry.before;
  return ledger?.omitted === 0 ? inSlot : undefined;
}

function differenceOf(
  path: TreePath,
  before: TreeObject | undefined,
  after: TreeObject | undefined,
  hasPristine: boolean,
  entry: LedgerEntry | undefined,
): PathFacts['difference'] {
  if (!hasPristine) {
    if (entry === undefined) return undefined;
    const { kind, fields } = entry;
    const objects = { ...(entry.before && { before: entry.before }), ...(after && { after }) };
    return explainDifference({ path, kind, fields, ...objects }, entry);
  }
  if (before === undefined) return after && explainDifference({ path, kind: 'added', after, fields: [] }, entry);
  if (after === undefined) return explainDifference({ path, kind: 'removed', before, fields: [] }, entry);
  const fields = differences(before, after);
  if (fields.length === 0) return undefined;
  return explainDifference({ path, kind: 'changed', before, after, fields }, entry);
}

/** Where a link leads to in the end; undefined where it leads in a circle. */
export async function endOf(
  directory: string,
  path: TreePath,
  warn: (text: string) => void,
): Promise<PathFacts['leadsTo']> {
  const root = new Root(directory);
  let end: string;
  try {
    end = root.inside(root.resolve(pathTextOf(path)));
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-IO') return undefined;
    throw error;
  }
  const owner = await packageOf(treePathFrom(end), directory, warn);
  return { path: end, ...(owner !== undefined && { package: owner }) };
}

export async function packageOf(
  path: TreePath,
  directory: string | undefined,
  warn: (text: string) => void,
): Promise<PackageName | undefined> {
  if (directory === undefined) return undefined;
  try {
    return (await packagesOf(new Root(directory), new Set([path]))).get(path);
  } catch (error) {
    warn(`which package it belongs to is not known: ${messageOf(error)}`);
    return undefined;
  }
}

/** The uppermost layer that has the path, from the index of the pristine. */
async function layerOf(
  path: TreePath,
  stateDirectory: string,
  digest: string | undefined,
  warn: (text: string) => void,
): Promise<PathFacts['layer']> {
  const file = digest === undefined ? undefined : join(stateDirectory, pristineIndexFile(digest));
  if (file === undefined || digest === undefined || !existsSync(file)) return undefined;
  try {
    const layers = (await readIndexFile(file, digest))?.layers ?? [];
    const at = layers.findLastIndex(({ entries }) =>
      entries.some(({ header }) => {
        const name = parseEntryName(header.name);
        return name.kind === 'entry' && name.parts.join('/') === path;
      }),
    );
    const layer = layers[at];
    return layer && { number: at + 1, of: layers.length, digest: layer.diffId };
  } catch (error) {
    warn(`which layer it is from is not known: ${messageOf(error)}`);
    return undefined;
  }
}
