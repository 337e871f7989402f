// From a manifest and a configuration to the layers of an image, wherever the two came from.

import { HoldfastError } from '../system/errors.ts';
import type { Layer } from './blob.ts';
import type { ImageConfig, Manifest } from './manifest.ts';
import type { Platform } from './selection.ts';

/**
 * @param source the image's name, for messages.
 * @returns lowest first.
 * @throws HoldfastError HF-IMAGE when the image is for another platform, or its two documents contradict each other.
 */
export function layersOf(manifest: Manifest, config: ImageConfig, source: string, wanted: Platform): Layer[] {
  if (config.os !== 'linux' || config.architecture !== wanted.architecture) {
    throw new HoldfastError(
      'HF-IMAGE',
      `${source} is for ${config.os}/${config.architecture}, not for linux/${wanted.architecture}`,
      { hint: 'name an image for this architecture, or say which architecture the target has' },
    );
  }
  if (config.diffIds.length !== manifest.layers.length) {
    throw new HoldfastError(
      'HF-IMAGE',
      `${source} has ${manifest.layers.length} layers, but its configuration lists ${config.diffIds.length}`,
      { hint: 'the image is damaged; build it again' },
    );
  }
  return config.diffIds.flatMap((diffId, index) => {
    const layer = manifest.layers[index];
    return layer === undefined ? [] : [{ ...layer, diffId }];
  });
}
