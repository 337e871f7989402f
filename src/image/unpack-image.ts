// Puts the content of any image into a directory.

import type { Progress } from '../system/events.ts';
import type { Image } from './image.ts';
import { copyTree } from './tree.ts';
import { type UnpackLimits, type UnpackOptions, type UnpackResult, unpackLayers } from './unpack.ts';

export interface UnpackImageOptions {
  /** How many of the lowest layers the directory already holds; default 0. Trees have no layers. */
  skipLayers?: number;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  limits?: Partial<UnpackLimits>;
  /** As of {@link unpackLayers}; trees are measured before, and never need it. */
  makeRoom?: (() => Promise<void>) | undefined;
  /** As of {@link unpackLayers}; trees have no layers to see. */
  observe?: UnpackOptions['observe'];
}

export interface UnpackedImage extends Pick<UnpackResult, 'files' | 'warnings' | 'implied'> {
  /** What was unpacked, counted as `measureImage` does; undefined for trees. */
  counted?: UnpackResult['counted'] | undefined;
  /** Whether anything has extended attributes; of trees that isn't known. */
  hasXattrs: boolean | undefined;
}

/**
 * Unpacks an image into a directory; after an error the directory is incomplete.
 * @returns how many files were written, and what was left out.
 * @throws HoldfastError as unpackLayers and copyTree do.
 */
export async function unpackImage(
  image: Image,
  targetDirectory: string,
  { skipLayers = 0, ...options }: UnpackImageOptions = {},
): Promise<UnpackedImage> {
  if (image.kind === 'tree') {
    const copied = await copyTree(image, targetDirectory, options);
    return { ...copied, implied: new Set(), hasXattrs: undefined };
  }
  return unpackLayers(image, image.layers.slice(skipLayers), targetDirectory, options);
}
