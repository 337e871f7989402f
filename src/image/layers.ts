// What two images have in common: their leading layers, by the digests of what is in them.

import type { OciImage } from './oci-image.ts';

/**
 * How many leading layers of the image an installed system already has.
 * @param installed diffIds of the installed image, lowest layer first.
 */
export function commonPrefix(installed: readonly string[], image: Pick<OciImage, 'layers'>): number {
  const different = image.layers.findIndex(({ diffId }, index) => diffId !== installed[index]);
  return different === -1 ? image.layers.length : different;
}
