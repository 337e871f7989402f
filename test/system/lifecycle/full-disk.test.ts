// What is only nice to have on a disk that is full, on a tmpfs of a few KiB: chunks say so with the code that the upgrade
// knows how to go on after, and an index that can't be written costs a warning.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChunkSpool } from '../../../src/image/chunk-spool.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { OciImage } from '../../../src/image/oci-image.ts';
import type { LayerIndex } from '../../../src/image/tree-index.ts';
import { keepIndex } from '../../../src/lifecycle/build-slot.ts';
import { pristineIndexFile } from '../../../src/slots/names.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';

let state: string;
beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), 'holdfast-full-'));
  await mount('tmpfs', state, { type: 'tmpfs', options: ['size=64k'] });
  mkdirSync(join(state, 'cOS'));
});
afterAll(async () => {
  await unmount(state);
  rmSync(state, { recursive: true });
});

test('chunks that do not fit', () => {
  const spool = ChunkSpool.open(join(state, 'cOS/.fetch/chunks'));
  const bytes = Buffer.alloc(128 * 1024);
  expect(() => spool.add(digestOf(bytes), bytes)).toThrow(expect.objectContaining({ code: 'HF-NO-SPACE' }));
  expect(spool.has(digestOf(bytes))).toBe(false);
  spool.close();
  rmSync(join(state, 'cOS/.fetch'), { recursive: true });
});

test('an index that does not fit is left out with a warning, and so is the old one', async () => {
  const digest = digestOf('image');
  const path = join(state, pristineIndexFile(digest));
  writeFileSync(path, 'of before');
  const entries: LayerIndex['entries'] = Array.from({ length: 5000 }, (_, number) => ({
    header: {
      ...{ type: 'file', name: digestOf(`${number}`), linkName: '', mode: 0o644, uid: 0, gid: 0, sizeBytes: 0 },
      ...{ storedBytes: 0, mtime: 0, deviceMajor: 0, deviceMinor: 0, xattrs: new Map(), unapplied: [] },
    } as const,
  }));
  const diffId = digestOf('layer');
  const image = { kind: 'oci', digest, layers: [{ diffId }] } as unknown as OciImage;
  const warnings: string[] = [];
  const context = { undo: new UndoStack(), warn: (text: string) => warnings.push(text) };
  await keepIndex(context, { image, stateDirectory: state, layerIndexes: [{ diffId, entries }] }, digest);
  expect(warnings).toEqual([expect.stringMatching(/is not noted, so the next upgrade fetches .*ENOSPC/)]);
  expect([path, `${path}.new`].map((file) => existsSync(file))).toEqual([false, false]);
});
