// An image in an OCI image layout, a directory of this machine: chosen by tag, digest or platform among those in it.

import type { Digest } from './digest.ts';
import { LayoutRepository } from './layout-repository.ts';
import { type OciImage, openOciImage } from './oci-image.ts';
import { formatImageSource } from './reference.ts';
import type { FetchedManifest } from './repository.ts';
import { machinePlatform, type Platform, selectImage, type Wanted } from './selection.ts';

/** Without an architecture, the image for this machine is meant. */
export interface OpenLayoutOptions extends Partial<Platform> {
  tag?: string | undefined;
  digest?: Digest | undefined;
}

/**
 * Opens an image in a layout: reads index, manifest and configuration, no layer yet.
 * @throws HoldfastError HF-NO-SOURCE when the directory is no layout, HF-IMAGE for a damaged or ambiguous one,
 *   HF-DIGEST for wrong bytes, HF-UNSUPPORTED for layers that can't be unpacked.
 */
export async function openLayout(path: string, options: OpenLayoutOptions = {}): Promise<OciImage> {
  const repository = new LayoutRepository(path);
  const { directory } = repository;
  const { tag } = options;
  const wanted: Wanted = { ...machinePlatform(), ...options };
  const image = await openOciImage(repository, await findNamed(repository, wanted), {
    origin: 'layout',
    wanted,
    sourceOf: (digest) =>
      formatImageSource({ kind: 'oci-layout', path: directory, ...(tag !== undefined && { tag }), digest }),
  });
  // Before anything is written somewhere: a missing blob shouldn't show up half-way.
  for (const layer of image.layers) repository.blobFile(layer, 'a layer');
  return image;
}

async function findNamed(repository: LayoutRepository, wanted: Wanted): Promise<FetchedManifest> {
  try {
    return await repository.fetch(selectImage(repository.entries(), wanted, repository.directory), 'the image');
  } catch (error) {
    // An image inside a nested index can be named by its digest alone.
    const byDigest = wanted.digest !== undefined && wanted.tag === undefined;
    const found = byDigest ? await repository.manifest(wanted.digest ?? '') : undefined;
    if (found === undefined) throw error;
    return found;
  }
}
