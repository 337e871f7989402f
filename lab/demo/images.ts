// The demo system as container images in one OCI layout: v1 is a root file system that `holdfast init` has made
// bootable, v2 shares its layer and adds a small one. Made again when the Debian base, the demo's own files or the
// executable have changed, else taken from the cache as they are.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type LayerDescriptor, writeImage } from '../../src/image/layout-writer.ts';
import { HoldfastError } from '../../src/system/errors.ts';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory, cached, keyOf, pruneCache } from '../cache.ts';
import { lockCache } from '../cache-lock.ts';
import { ensureExecutable } from '../executable.ts';
import { withWorkTree } from '../work-tree.ts';
import { type BuildOptions, baseKey, ensureBaseTar } from './base.ts';
import { type DemoFiles, version1Files, version2Files, writeDemoFiles } from './content.ts';
import { packTree, unpackTree } from './layer.ts';

/** Part of the key: raise it when the way of building changes. */
const RECIPE = '1';

export interface DemoImage {
  /** Of the manifest. */
  digest: string;
  layers: LayerDescriptor[];
}

export interface DemoImages {
  /** An OCI layout directory; not to be written to (see {@link deriveImage}). */
  layout: string;
  tags: { v1: DemoImage; v2: DemoImage };
  /** What this call spent, in milliseconds; 0 for what was in the cache. */
  timings: { base: number; executable: number; images: number };
}

/**
 * Returns the demo images, making what isn't in the cache.
 * @throws HoldfastError HF-NOT-ROOT without root, HF-TOOL-MISSING, HF-COMMAND when a part can't be built.
 */
export async function ensureDemoImages(options: BuildOptions): Promise<DemoImages> {
  if (process.getuid?.() !== 0) {
    throw new HoldfastError('HF-NOT-ROOT', 'the demo images are root file systems and can only be built as root');
  }
  return await lockCache(options, async () => {
    const clock = stopwatch();
    const base = await ensureBaseTar(options);
    const timings = { base: base.made ? clock() : 0, executable: 0, images: 0 };
    clock();
    const executable = await ensureExecutable(options.log);
    timings.executable = clock();
    const key = keyOf(
      RECIPE,
      baseKey(),
      await sha256Of(executable),
      JSON.stringify([version1Files(), version2Files()]),
    );
    const made = await cached(`demo-${key}`, async (layout) => {
      options.log('building the demo images');
      await withWorkTree(join(cacheDirectory(), 'work'), async (work) => {
        await buildImages(layout, { ...options, work, base: base.path, executable });
      });
      timings.images = clock();
    });
    if (made.made) await pruneCache(cacheDirectory(), /^demo-[0-9a-f]{16}$/, 3);
    return { layout: made.path, tags: readTags(made.path), timings };
  });
}

interface BuildContext extends BuildOptions {
  work: string;
  base: string;
  executable: string;
}

async function buildImages(layout: string, { work, base, executable, log, signal }: BuildContext): Promise<void> {
  const tree = join(work, 'root');
  mkdirSync(tree, { mode: 0o755 });
  log('  unpacking the base');
  await unpackTree(base, tree, signal);
  // Everything in a layer is at most as new as the base, whenever the layer is built.
  const newestTime = Math.floor(statSync(join(tree, 'var/lib/dpkg/status')).mtimeMs / 1000);
  writeDemoFiles(tree, version1Files(), { timeSeconds: newestTime, whiteouts: false });
  copyFileSync(executable, join(tree, 'usr/bin/holdfast'));
  chmodSync(join(tree, 'usr/bin/holdfast'), 0o755);
  log('  holdfast init');
  await runChecked([executable, 'init', '--root', tree], {
    signal,
    graceMs: 60_000,
    // Of the many actions, those that take time or say something unexpected.
    onLine: (line) => {
      if (!/^ *\[[^\]]*\] (?:Make|Write|Link) /.test(line)) log(`    ${line.trim()}`);
    },
  });
  log('  packing version 1');
  const layerTar = join(work, 'v1.tar');
  await packTree(tree, layerTar, { newestTime, signal });
  const v1 = await writeImage(layout, {
    tag: 'v1',
    architecture: 'amd64',
    labels: labels(1),
    layers: [{ tar: layerTar, compression: 'zstd' }],
  });
  rmSync(layerTar);
  log('  packing version 2');
  const v2 = await addLayer(layout, {
    tag: 'v2',
    over: v1.layers,
    files: version2Files(),
    labels: labels(2),
    work,
    newestTime,
  });
  writeTags(layout, { v1, v2 });
}

function labels(version: number): Record<string, string> {
  return { 'org.opencontainers.image.title': 'holdfast-demo', 'org.opencontainers.image.version': String(version) };
}

/**
 * Makes another image for a test: one of the demo images with files changed or removed, in a layout of its own whose
 * blobs are hard links.
 * @param options.layout the new layout's directory; it may exist, on the filesystem of the cache.
 * @throws HoldfastError as `writeImage`.
 */
export async function deriveImage(
  demo: DemoImages,
  options: { from: 'v1' | 'v2'; layout: string; tag: string; files: DemoFiles },
): Promise<DemoImage> {
  const blobs = join(options.layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  for (const { digest } of demo.tags[options.from].layers) {
    const name = digest.replace('sha256:', '');
    if (!existsSync(join(blobs, name))) linkSync(join(demo.layout, 'blobs/sha256', name), join(blobs, name));
  }
  return await withWorkTree(join(cacheDirectory(), 'derive'), (work) =>
    addLayer(options.layout, {
      tag: options.tag,
      over: demo.tags[options.from].layers,
      files: options.files,
      labels: { 'org.opencontainers.image.title': 'holdfast-demo' },
      work,
      newestTime: 1_700_000_000,
    }),
  );
}

/** Files of version 1 that make an image without a kernel, for {@link deriveImage}. */
export async function kernelFiles(demo: DemoImages): Promise<DemoFiles> {
  const [layer] = demo.tags.v1.layers;
  if (layer === undefined) throw new HoldfastError('HF-IMAGE', 'version 1 of the demo has no layer');
  const blob = join(demo.layout, 'blobs/sha256', layer.digest.replace('sha256:', ''));
  const names = await runChecked(['tar', '--zstd', '--list', '--file', blob, '--wildcards', './boot/vmlinu*']);
  return Object.fromEntries(
    names
      .split('\n')
      .filter((name) => name !== '')
      .map((name) => [name.replace(/^\.\//, ''), 'removed'] as const),
  );
}

interface AddLayerOptions {
  tag: string;
  over: readonly LayerDescriptor[];
  files: DemoFiles;
  labels: Record<string, string>;
  work: string;
  newestTime: number;
}

async function addLayer(layout: string, options: AddLayerOptions): Promise<DemoImage> {
  const tree = join(options.work, options.tag);
  mkdirSync(tree, { mode: 0o755 });
  writeDemoFiles(tree, options.files, { timeSeconds: options.newestTime, whiteouts: true });
  const tar = join(options.work, `${options.tag}.tar`);
  await packTree(tree, tar, { newestTime: options.newestTime });
  return await writeImage(layout, {
    tag: options.tag,
    architecture: 'amd64',
    labels: options.labels,
    layers: [...options.over.map((reuse) => ({ reuse })), { tar, compression: 'zstd' }],
  });
}

/** What the images are, beside them: OCI layouts may hold more files. */
function tagsFile(layout: string): string {
  return join(layout, 'holdfast-demo.json');
}

function writeTags(layout: string, tags: DemoImages['tags']): void {
  writeFileSync(tagsFile(layout), JSON.stringify(tags));
}

function readTags(layout: string): DemoImages['tags'] {
  return JSON.parse(readFileSync(tagsFile(layout), 'utf8'));
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** Milliseconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const passed = now - last;
    last = now;
    return passed;
  };
}
