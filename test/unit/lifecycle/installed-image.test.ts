// Which image a local change is made to, and how it is opened: out of its unchanged copy, or from where it came.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FailedImage } from '../../../src/lifecycle/assessment-record.ts';
import { changedDeployment, openInstalledImage } from '../../../src/lifecycle/installed-image.ts';
import { pristineFile } from '../../../src/slots/names.ts';
import type { Deployment } from '../../../src/slots/state-file.ts';
import { UndoStack } from '../../../src/system/plan.ts';

const V1 = `sha256:${'1'.repeat(64)}`;
const V2 = `sha256:${'2'.repeat(64)}`;
const LAYERS = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`);

const active: Deployment = {
  source: 'docker:registry.example/os:v2',
  digest: V2,
  layers: LAYERS,
  uuid: 'uuid-2',
  date: '2026-11-20T10:00:00Z',
  fromAction: 'upgrade',
  verified: 'digests',
  imageVersion: '2',
};
const passive: Deployment = { ...active, source: 'docker:registry.example/os:v1', digest: V1, uuid: 'uuid-1' };
const failure = (digest: string): FailedImage => ({
  uuid: 'uuid-2',
  digest,
  source: 'x',
  failedAt: '',
  reason: '',
  checks: [],
});

test.each<[string, Parameters<typeof changedDeployment>, Deployment]>([
  ['the active system’s', [{ active, passive }, { slot: 'active' }, { failed: [] }], active],
  ['that of an upgrade that waits for its reboot', [{ active, passive }, { slot: 'active' }, { failed: [] }], active],
  [
    'the active system’s, also from a fallback that was chosen by hand',
    [{ active, passive }, { slot: 'passive' }, { failed: [] }],
    active,
  ],
  [
    'the fallback’s, when the active image has failed on this machine',
    [{ active, passive }, { slot: 'passive' }, { failed: [failure(V2)] }],
    passive,
  ],
  [
    'the active one’s, when another image has failed',
    [{ active, passive }, { slot: 'passive' }, { failed: [failure(V1)] }],
    active,
  ],
  ['the fallback’s, when there is no other', [{ passive }, { slot: 'passive' }, { failed: [] }], passive],
  ['from the recovery system the active one’s', [{ active, passive }, { slot: 'recovery' }, { failed: [] }], active],
])('a local change is made to an image: %s', (_, given, expected) => {
  expect(changedDeployment(...given)).toBe(expected);
});

test.each([[{}], [{ active: { ...active, source: 'unknown' } }]])(
  'what nobody knows can’t be built anew',
  (installed) => {
    expect(() => changedDeployment(installed, { slot: 'active' }, { failed: [] })).toThrowError(
      expect.objectContaining({ code: 'HF-STATE', hint: expect.stringContaining('holdfast upgrade IMAGE --force') }),
    );
  },
);

let state: string;
const told: string[] = [];
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'installed-image-'));
  mkdirSync(join(state, 'cOS'));
  told.length = 0;
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

const open = (deployment: Deployment) =>
  openInstalledImage(deployment, state, {
    registry: {
      exchange: async (url) => {
        throw new Error(`asked for ${url}`);
      },
    },
    undo: new UndoStack(),
    signal: new AbortController().signal,
    notice: (text) => told.push(text),
  });

test('with its unchanged copy it is known by its record, and nothing of it can be read elsewhere', async () => {
  writeFileSync(join(state, pristineFile(V2)), '');
  const image = await open(active);
  expect(image).toMatchObject({
    kind: 'oci',
    digest: V2,
    source: active.source,
    layers: LAYERS.map((diffId) => ({ diffId })),
  });
  if (image.kind !== 'oci') throw new Error('not an image');
  expect(image.config.labels).toEqual({ 'org.opencontainers.image.version': '2' });
  expect(told).toEqual([]);
  const [layer] = image.layers;
  if (layer === undefined) throw new Error('no layer');
  await expect(image.repository.document(layer, 'it')).rejects.toThrow(
    'only the unchanged copy on this machine is there',
  );
  await expect(image.repository.manifest(V2)).rejects.toMatchObject({ code: 'HF-NO-SOURCE' });
});

test('without one it is asked for by its digest where it came from, and a failure says what to do', async () => {
  await expect(open(active)).rejects.toMatchObject({
    code: 'HF-NO-SOURCE',
    message: expect.stringMatching(/^the installed image can’t be read again: /),
    hint: expect.stringContaining('holdfast upgrade IMAGE --force'),
  });
  expect(told).toEqual([
    'no unchanged copy of the installed image is kept, so it is read again: docker:registry.example/os:v2',
  ]);
});

test('a tree without digest is read where it is, if it is still there', async () => {
  mkdirSync(join(state, 'tree/etc'), { recursive: true });
  const { digest: _, ...rest } = active;
  expect(await open({ ...rest, layers: [], source: `dir:${join(state, 'tree')}` })).toMatchObject({ kind: 'tree' });
  await expect(open({ ...rest, layers: [], source: 'dir:/nowhere' })).rejects.toMatchObject({ code: 'HF-NO-SOURCE' });
});
