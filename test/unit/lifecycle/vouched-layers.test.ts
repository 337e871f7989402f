// A layer that only the manifest vouches for is never taken for the one that its digest names: not by the record of
// the slot, not by a copy that is kept, and state.yaml doesn't claim that it was checked.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../../src/image/digest.ts';
import type { OciImage } from '../../../src/image/oci-image.ts';
import { type ChunkSource, countVouched } from '../../../src/image/tree-index.ts';
import {
  type BuildSlotState,
  buildSlotPerformers,
  describeVerification,
  newDeployment,
} from '../../../src/lifecycle/build-slot.ts';
import { findBase } from '../../../src/lifecycle/inspect-upgrade.ts';
import { pristineFile, pristineIndexFile } from '../../../src/slots/names.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { temporaryDirectory } from '../image/fixture.ts';

const layers = ['lower', 'upper'].map((name) => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar',
  digest: digestOf(`packed ${name}`),
  diffId: digestOf(name),
  sizeBytes: 1,
}));
const digest = digestOf('image');
const image = {
  kind: 'oci',
  source: 'docker:host/os:v2',
  digest,
  layers,
  config: { labels: {} },
  origin: 'registry',
} as unknown as OciImage;
const built = {
  uuid: 'u',
  menuEntry: 'OS',
  wantedMenuEntry: undefined,
  prettyName: 'OS',
  rootByImageLabel: false,
  version: { id: undefined, version: undefined },
};
const options = { now: '2026-11-20T10:00:00.000Z', fromAction: 'upgrade' } as const;

test('those are counted that come from a source and prove nothing', () => {
  const source: ChunkSource = {
    name: 'fake',
    has: () => false,
    cost: () => ({ fetchBytes: 0, requests: 0 }),
    async *fetch() {},
  };
  const kept = { diffId: digestOf('lower'), entries: [] };
  const proven = { ...kept, source, prove: async () => {} };
  const vouched = { ...kept, source };
  expect(countVouched([kept, proven])).toBe(0);
  expect(countVouched([kept, vouched, proven, vouched])).toBe(2);
});

test.each([
  [0, layers.map(({ diffId }) => diffId), 'digests of all layers; no signature (registry)'],
  [1, [], 'digests of 1 of 2 layers, of the others those of their tables of contents; no signature (registry)'],
  [2, [], 'digests of 0 of 2 layers, of the others those of their tables of contents; no signature (registry)'],
])('the record with %i of them', (vouchedLayers, recorded, verified) => {
  expect(newDeployment({ image, built, vouchedLayers }, options)).toMatchObject({ digest, layers: recorded, verified });
  expect(describeVerification(image, vouchedLayers)).toBe(verified);
});

test('no copy is kept, one that is there stays what it is, and nothing starts from the new record', async () => {
  const stateDirectory = temporaryDirectory();
  mkdirSync(join(stateDirectory, 'cOS'));
  for (const name of [pristineFile(digest), pristineIndexFile(digest)])
    writeFileSync(join(stateDirectory, name), 'old');
  writeFileSync(join(stateDirectory, 'cOS/transition.img'), 'new');
  const said: string[] = [];
  const context = {
    undo: new UndoStack(),
    events: (event: { type: string; text?: string }) => said.push(event.text ?? event.type),
    signal: new AbortController().signal,
    progress: () => {},
    warn: (text: string) => said.push(text),
  };
  const state = { image, stateDirectory, workDirectory: '', owner: {}, vouchedLayers: 1 } as unknown as BuildSlotState;
  const action = { kind: 'keep-pristine', summary: '', digest } as const;
  await buildSlotPerformers['keep-pristine'](action, context, state);
  expect(said).toEqual([expect.stringContaining('its layers were not compared with their digests')]);
  expect(readdirSync(join(stateDirectory, 'cOS')).sort()).toHaveLength(3);
  const record = newDeployment({ image, built, vouchedLayers: 1 }, options);
  // Another image with the same layers; this one's own copy came from elsewhere and may be started from.
  const next = { ...image, digest: digestOf('the next image') } as unknown as OciImage;
  expect(findBase({ active: record }, next, stateDirectory)).toBeUndefined();
  const trusted = newDeployment({ image, built }, options);
  expect(findBase({ active: trusted }, next, stateDirectory)).toMatchObject({ digest, layers: 2 });
});
