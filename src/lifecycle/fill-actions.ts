// The part of a plan that fills a new slot: from nothing, from a pristine with more layers on top, or from a pristine by
// writing what differs.

import type { BuildSlotAction } from './build-slot.ts';
import { displayName } from './image-name.ts';
import { formatBytes } from './sizes.ts';
import type { UpgradeFacts } from './upgrade.ts';

type FillFacts = Pick<UpgradeFacts, 'base' | 'delta' | 'image' | 'measured'>;

/**
 * The actions that fill a new slot with an image. Pure.
 * @param options.where where the slot is built, as a part of a sentence.
 */
export function fillActions(facts: FillFacts, options: { sizeBytes: number; where?: string }): BuildSlotAction[] {
  const { base, delta, image, measured } = facts;
  const name = displayName(image.source);
  const known = base?.layers ?? 0;
  const unpack: BuildSlotAction = {
    kind: 'unpack',
    summary:
      delta === undefined && base !== undefined && base.layers === image.layers
        ? `See that all of ${name} is there`
        : `Unpack ${delta === undefined ? name : `the other layers of ${name}`} (${formatBytes(measured.compressedBytes)} to read)`,
    skipLayers: known,
    cost: { bytes: measured.contentBytes },
  };
  if (delta === undefined) return [startAction(facts, options), unpack];
  const { fetchBytes, fullBytes, writeBytes } = delta.cost;
  const apply: BuildSlotAction = {
    kind: 'apply-delta',
    summary: `Write what differs in ${name}: ${formatBytes(fetchBytes)} of ${formatBytes(fullBytes)} to fetch, at most ${formatBytes(writeBytes)} to write`,
    layers: delta.layers,
    cost: { bytes: writeBytes },
  };
  return [startAction(facts, options), apply, ...(delta.layers === image.layers ? [] : [unpack])];
}

function startAction(
  { base, delta, image }: FillFacts,
  { sizeBytes, where = '' }: { sizeBytes: number; where?: string },
): BuildSlotAction {
  if (base === undefined) {
    return {
      kind: 'create-transition',
      summary: `Create the new slot${where} (${formatBytes(sizeBytes)}, preallocated)`,
      sizeBytes,
      cost: { bytes: sizeBytes },
    };
  }
  const has = delta === undefined ? `, which has ${base.layers} of ${image.layers} layers` : '';
  return {
    kind: 'clone-transition',
    summary: `Start${where} from the unchanged copy of ${where === '' ? 'the' : 'an'} installed image${has}`,
    digest: base.digest,
    sizeBytes,
  };
}
