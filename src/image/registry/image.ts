// An image in a registry, with the same face as one in a layout: opening reads what describes it, its layers are read from
// the network each time, and checked each time.

import { type OciImage, openOciImage } from '../oci-image.ts';
import { formatImageSource } from '../reference.ts';
import type { Platform } from '../selection.ts';
import { formatRegistryName, parseRegistryName } from './name.ts';
import { openRegistryRepository } from './open.ts';
import type { RegistryOptions } from './session.ts';

/**
 * Opens an image in a registry: reads index, manifest and configuration, no layer yet.
 * @param reference `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`; with a digest the tag is only a name for people.
 * @throws HoldfastError HF-USAGE for what is no name, HF-NO-SOURCE when it isn't there, HF-NETWORK, HF-DIGEST for wrong
 *   bytes, HF-IMAGE and HF-UNSUPPORTED for what can't be unpacked on this machine.
 */
export async function openRegistryImage(
  reference: string,
  wanted: Platform,
  options: RegistryOptions = {},
): Promise<OciImage> {
  const name = parseRegistryName(reference);
  const repository = await openRegistryRepository(name, options);
  const named = await repository.existingManifest(name.digest ?? name.tag ?? 'latest');
  return openOciImage(repository, named, {
    origin: 'registry',
    wanted,
    sourceOf: (digest) => formatImageSource({ kind: 'registry', reference: formatRegistryName({ ...name, digest }) }),
  });
}
