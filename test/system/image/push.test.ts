// What is stored in a real registry, Debian's docker-registry, is what other tools find there; its referrers, which it
// knows nothing of, are found by their tag. Takes about five seconds.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LabRegistry, startRegistry } from '../../../lab/registry/registry.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { openLayout } from '../../../src/image/layout.ts';
import { MANIFEST_TYPE } from '../../../src/image/mediatypes.ts';
import type { OciImage } from '../../../src/image/oci-image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { openRepository, type Repository } from '../../../src/image/repository.ts';
import { runChecked } from '../../../src/system/process.ts';
import { writeLayers } from '../../unit/image/fixture.ts';
import { dir, file } from '../../unit/image/tarball.ts';

let directory: string;
let registry: LabRegistry;
let image: OciImage;
let repository: Repository;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-push-'));
  registry = await startRegistry(`${directory}/registry`);
  // More than one part, and less than one.
  await writeLayers(
    `${directory}/layout`,
    'v1',
    [[dir('usr'), file('usr/large', randomBytes(9 << 20))], [file('small')]],
    'gzip',
  );
  image = await openLayout(`${directory}/layout`);
  repository = await openRepository(parseImageSource(`docker:${registry.host}/os/pushed`), {
    credentials: async () => undefined,
  });
});
afterAll(async () => {
  await registry?.close();
  rmSync(directory, { recursive: true, force: true });
});

test('an image that was stored is the one that skopeo copies back', async () => {
  const config: { digest: OciImage['digest']; size: number } = JSON.parse(image.manifest.bytes.toString()).config;
  const blobs = [...image.layers, { mediaType: '', digest: config.digest, sizeBytes: config.size }];
  for (const blob of blobs) await repository.putBlob(blob, image.repository.blob(blob));
  const before = registry.log().split('PATCH').length;
  expect(before).toBeGreaterThan(2);
  await repository.putManifest(image.manifest.bytes, image.manifest.mediaType, 'v1');
  // A second time nothing is sent.
  for (const blob of blobs) await repository.putBlob(blob, image.repository.blob(blob));
  expect(registry.log().split('PATCH').length).toBe(before);
  await runChecked([
    'skopeo',
    '--insecure-policy',
    'copy',
    '--quiet',
    '--src-tls-verify=false',
    `docker://${registry.host}/os/pushed:v1`,
    `oci:${directory}/back:v1`,
  ]);
  const back = await openLayout(`${directory}/back`);
  expect(back.digest).toBe(image.digest);
  for (const layer of back.layers) for await (const _ of back.readLayer(layer));
});

test('parts of a layer are those of the layer', async () => {
  const [layer] = image.layers;
  if (layer === undefined) throw new Error('no layer');
  const ranges = [
    { start: 5_000_000, end: 7_000_001 },
    { start: 0, end: 10 },
    { start: layer.sizeBytes - 1, end: layer.sizeBytes },
  ];
  const read = async (from: Repository) => {
    const parts = ranges.map(() => [] as Buffer[]);
    for await (const { start, data } of from.ranges(layer, ranges)) {
      parts[ranges.findIndex((range) => start >= range.start && start < range.end)]?.push(data);
    }
    return parts.map((pieces) => digestOf(Buffer.concat(pieces)));
  };
  expect(await read(repository)).toEqual(await read(image.repository));
});

test('an artifact with a subject is found again', async () => {
  const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), sizeBytes: 2 };
  await repository.putBlob(empty, Buffer.from('{}'));
  const descriptor = { mediaType: empty.mediaType, digest: empty.digest, size: 2 };
  const artifact = (note: string) =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MANIFEST_TYPE,
        artifactType: 'application/vnd.example.note',
        config: descriptor,
        layers: [descriptor],
        subject: { mediaType: image.manifest.mediaType, digest: image.digest, size: image.manifest.sizeBytes },
        annotations: { note },
      }),
    );
  const one = await repository.putManifest(artifact('one'), MANIFEST_TYPE);
  const two = await repository.putManifest(artifact('two'), MANIFEST_TYPE);
  const found = await repository.referrers(image.digest, 'application/vnd.example.note');
  expect(found.map(({ digest }) => digest)).toEqual([one.digest, two.digest]);
  expect((await repository.manifest(one.digest))?.bytes).toEqual(artifact('one'));
  expect(await repository.referrers(image.digest, 'application/other')).toEqual([]);
  expect(await repository.referrers(digestOf('other'))).toEqual([]);
});
