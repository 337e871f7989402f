// The images of this bench: the demo system as one layer packed by gzip, as most builders make it and every tool reads it,
// and the same after an update of one package. Flattened, so that no layer is the same in both.

import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoImages } from '../../lab/demo/images.ts';
import { packTree, unpackTree } from '../../lab/demo/layer.ts';
import { writeImage } from '../../src/image/layout-writer.ts';
import { HoldfastError } from '../../src/system/errors.ts';
import { runChecked } from '../../src/system/process.ts';

/** Programs of some megabytes that are updated several times a year, and that no hook runs. */
export const UPDATED_PACKAGE = 'openssh-client';

export interface FlatImages {
  /** An OCI layout with the tags v1 and v2, and v2-unpacked, for tools that pack what isn't packed yet. */
  layout: string;
  /** Trees as the images have them. */
  trees: { v1: string; v2: string };
  digests: { v1: string; v2: string };
  /** Of the packed layer and of its tar stream. */
  packedBytes: number;
  tarBytes: number;
  /** Of the files that the update brought. */
  updatedBytes: number;
}

/**
 * Makes both images. The update rewrites every page of every file of the package, as a new build does, and what dpkg
 * remembers of it.
 */
export async function makeFlatImages(demo: DemoImages, work: string, log: (line: string) => void): Promise<FlatImages> {
  const [layer] = demo.tags.v1.layers;
  if (layer === undefined) throw new HoldfastError('HF-IMAGE', 'the demo image has no layer');
  const trees = { v1: join(work, 'tree-v1'), v2: join(work, 'tree-v2') };
  const tar = join(work, 'flat.tar');
  const layout = join(work, 'flat');
  for (const directory of [trees.v1, trees.v2, layout]) mkdirSync(directory, { recursive: true });
  log('making the images');
  const blob = join(demo.layout, 'blobs/sha256', layer.digest.replace('sha256:', ''));
  await runChecked(['zstd', '-q', '-d', '-f', '-o', tar, blob]);
  for (const tree of [trees.v1, trees.v2]) await unpackTree(tar, tree);
  const newestTime = Math.floor(statSync(join(trees.v1, 'var/lib/dpkg/status')).mtimeMs / 1000) + 86_400;
  const updatedBytes = updatePackage(trees.v2);
  const digests = { v1: '', v2: '' };
  let [packedBytes, tarBytes] = [0, 0];
  for (const tag of ['v1', 'v2'] as const) {
    await packTree(trees[tag], tar, { newestTime });
    tarBytes = statSync(tar).size;
    const labels = { 'org.opencontainers.image.version': tag };
    const made = await writeImage(layout, {
      tag,
      architecture: 'amd64',
      labels,
      layers: [{ tar, compression: 'gzip' }],
    });
    digests[tag] = made.digest;
    if (tag === 'v2') {
      const layers = [{ tar, compression: 'none' as const }];
      await writeImage(layout, { tag: 'v2-unpacked', architecture: 'amd64', labels, layers });
    }
    packedBytes = made.layers[0]?.size ?? 0;
  }
  rmSync(tar);
  return { layout, trees, digests, packedBytes, tarBytes, updatedBytes };
}

function updatePackage(tree: string): number {
  const info = join(tree, 'var/lib/dpkg/info', UPDATED_PACKAGE);
  let bytes = 0;
  const files = readFileSync(`${info}.list`, 'utf8')
    .split('\n')
    .filter((path) => path !== '' && statSync(join(tree, path), { throwIfNoEntry: false })?.isFile() === true);
  for (const path of files) {
    // Another content that packs as well.
    const content = readFileSync(join(tree, path)).map((byte) => byte ^ 1);
    replace(join(tree, path), content);
    bytes += content.length;
  }
  const sums = readFileSync(`${info}.md5sums`, 'utf8').replace(/^[0-9a-f]/gm, (digit) => (digit === '0' ? '1' : '0'));
  replace(`${info}.md5sums`, Buffer.from(sums));
  const status = join(tree, 'var/lib/dpkg/status');
  const before = readFileSync(status, 'utf8');
  const after = before.replace(/^(Package: openssh-client\n(?:.+\n)*?Version: .*)$/m, '$1+update1');
  if (after === before) throw new HoldfastError('HF-IMAGE', 'the demo system does not have openssh-client');
  replace(status, Buffer.from(after));
  return bytes + sums.length + after.length;
}

/** As dpkg does: a new file under the old name. */
function replace(path: string, content: Uint8Array): void {
  const { mode } = statSync(path);
  writeFileSync(`${path}.dpkg-new`, content, { mode });
  renameSync(`${path}.dpkg-new`, path);
}
