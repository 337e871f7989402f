// The ways to name an image on the command line: Holdfast's own and every spelling of the elemental generations.

import { type Image, openImage } from '../image/image.ts';
import { parseImageSource } from '../image/reference.ts';
import { HoldfastError } from '../system/errors.ts';

export interface ImageFlags {
  system?: string;
  'system.uri'?: string;
  dockerImage?: string;
  directory?: string;
}

/**
 * The one image that flags and argument name.
 * @throws HoldfastError HF-USAGE when several are named, HF-NO-SOURCE when none is.
 */
export function imageText(argument: string | undefined, flags: ImageFlags): string {
  const named = [
    argument,
    flags.system,
    flags['system.uri'],
    flags.dockerImage === undefined ? undefined : `docker:${flags.dockerImage}`,
    flags.directory === undefined ? undefined : `dir:${flags.directory}`,
  ].filter((text) => text !== undefined);
  const [text, second] = named;
  if (second !== undefined) {
    throw new HoldfastError('HF-USAGE', `two images are named: ${named.join(' and ')}`, { hint: 'name one of them' });
  }
  if (text === undefined) {
    throw new HoldfastError('HF-NO-SOURCE', 'no image is named', {
      hint: 'for example: --system oci-layout:/mnt/images:v2',
    });
  }
  return text;
}

export function openNamedImage(argument: string | undefined, flags: ImageFlags): Promise<Image> {
  return openImage(parseImageSource(imageText(argument, flags)));
}
