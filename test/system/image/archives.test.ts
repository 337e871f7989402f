// The archives that skopeo writes, as podman does too, packed or not, hold the image that they were made from.
// Takes about two seconds.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { openImage } from '../../../src/image/image.ts';
import type { OciImage } from '../../../src/image/oci-image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { unpackLayers } from '../../../src/image/unpack.ts';
import { runChecked } from '../../../src/system/process.ts';
import { temporaryDirectory, writeLayers } from '../../unit/image/fixture.ts';
import { snapshot } from '../../unit/image/snapshot.ts';
import { dir, file, symlink, whiteout } from '../../unit/image/tarball.ts';

const SKOPEO = ['skopeo', '--insecure-policy', 'copy', '--quiet'] as const;

let directory: string;
let diffIds: readonly string[];
let tree: ReturnType<typeof snapshot>;
beforeAll(() => execFileSync('skopeo', ['--version']));
beforeEach(async () => {
  directory = temporaryDirectory();
  const system = [dir('.'), dir('usr'), file('usr/large', randomBytes(2 << 20)), symlink('bin', 'usr/bin')];
  const upper = [file('usr/small', 'x'), whiteout('.wh.bin')];
  await writeLayers(`${directory}/layout`, 'v1', [system, upper, [file('etc-release', 'v1')]], 'gzip');
  const image = await open(`oci-layout:${directory}/layout:v1`);
  ({ diffIds } = image.config);
  tree = await unpack(image, 'expected');
});

async function open(text: string): Promise<OciImage> {
  const image = await openImage(parseImageSource(text));
  if (image.kind !== 'oci') throw new Error('not an image of layers');
  return image;
}

async function unpack(image: OciImage, name: string) {
  mkdirSync(`${directory}/${name}`);
  await unpackLayers(image, image.layers, `${directory}/${name}`);
  return snapshot(`${directory}/${name}`);
}

test.each([
  ['oci-archive', 'v1', []],
  ['oci-archive', 'v1', ['gzip']],
  ['docker-archive', 'os/base:v1', []],
  ['docker-archive', 'os/base:v1', ['zstd', '--rm', '-q']],
] as const)('%s:…:%s by skopeo, then %j', async (kind, tag, pack) => {
  let path = `${directory}/image.tar`;
  await runChecked([...SKOPEO, `oci:${directory}/layout:v1`, `${kind}:${path}:${tag}`]);
  const [program, ...options] = pack;
  if (program !== undefined) {
    await runChecked([program, ...options, path]);
    path += program === 'gzip' ? '.gz' : '.zst';
  }
  for (const name of [`${kind}:${path}`, `${kind}:${path}:${tag}`]) {
    const image = await open(name);
    expect(image.config.diffIds).toEqual(diffIds);
    // The first time to a tree, the second time nothing but its names would be new.
    if (name.endsWith(tag)) expect(await unpack(image, 'found')).toEqual(tree);
  }
});
