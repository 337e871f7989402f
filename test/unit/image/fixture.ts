// Images for tests: temporary directories, layouts made from members, images that exist only in memory.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Layer } from '../../../src/image/blob.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { type LayerDescriptor, writeImage } from '../../../src/image/layout-writer.ts';
import type { Compression } from '../../../src/image/mediatypes.ts';
import { layerType } from '../../../src/image/mediatypes.ts';
import { type UnpackOptions, type UnpackResult, unpackLayers } from '../../../src/image/unpack.ts';
import { type Member, tarball } from './tarball.ts';

/** A directory that is gone when the test is over. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A layer that was never packed, and the stream that gives it in small pieces. */
export function memoryLayer(tar: Buffer): { layer: Layer; tar: Buffer } {
  const digest = digestOf(tar);
  return { layer: { mediaType: layerType('none'), digest, diffId: digest, sizeBytes: tar.length }, tar };
}

/** Unpacks layers given as members, or as whole tar streams, into a directory. */
export function unpackMembers(
  directory: string,
  layers: readonly (readonly Member[] | Buffer)[],
  options: UnpackOptions & { chunkBytes?: number } = {},
): Promise<UnpackResult> {
  const made = layers.map((layer) => memoryLayer(Buffer.isBuffer(layer) ? layer : tarball(layer)));
  const { chunkBytes = 65536 } = options;
  const readLayer = async function* (wanted: Layer) {
    const found = made.find(({ layer }) => layer === wanted);
    for (let at = 0; found !== undefined && at < found.tar.length; at += chunkBytes) {
      yield found.tar.subarray(at, at + chunkBytes);
    }
  };
  return unpackLayers(
    { readLayer },
    made.map(({ layer }) => layer),
    directory,
    options,
  );
}

/** Writes an image into a layout, each layer from its members. */
export async function writeLayers(
  layout: string,
  tag: string,
  layers: readonly (readonly Member[] | LayerDescriptor)[],
  compression: Compression = 'gzip',
  architecture: 'amd64' | 'arm64' = process.arch === 'arm64' ? 'arm64' : 'amd64',
): Promise<{ digest: string; layers: LayerDescriptor[] }> {
  mkdirSync(layout, { recursive: true });
  const files: string[] = [];
  try {
    return await writeImage(layout, {
      tag,
      architecture,
      layers: layers.map((layer) => {
        if (!isMembers(layer)) return { reuse: layer };
        const tar = `${layout}.${files.length}.tar`;
        writeFileSync(tar, tarball(layer));
        files.push(tar);
        return { tar, compression };
      }),
    });
  } finally {
    for (const path of files) rmSync(path);
  }
}

function isMembers(layer: readonly Member[] | LayerDescriptor): layer is readonly Member[] {
  return Array.isArray(layer);
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
