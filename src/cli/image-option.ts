// The ways to name an image on the command line: Holdfast's own and every spelling of the elemental generations.

import { type Image, openImage } from '../image/image.ts';
import { parseImageSource } from '../image/reference.ts';
import { formatRegistryName, parseRegistryName, type RegistryName } from '../image/registry/name.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Reporter } from './reporter.ts';

export interface ImageFlags {
  system?: string;
  'system.uri'?: string;
  dockerImage?: string;
  directory?: string;
  /** False with `--no-verify`. */
  verify?: boolean;
  insecureRegistry?: string[];
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

/**
 * Opens the image that flags and argument name.
 * @param context hears what was not verified, and interrupts.
 * @throws HoldfastError HF-UNSUPPORTED for an image whose signature would have to be verified; otherwise as
 *   {@link imageText} and openImage.
 */
export async function openNamedImage(
  argument: string | undefined,
  flags: ImageFlags,
  { reporter, signal }: { reporter: Pick<Reporter, 'events'>; signal: AbortSignal },
): Promise<Image> {
  const source = parseImageSource(imageText(argument, flags));
  if (source.kind === 'registry') {
    const { level, text } = consent(parseRegistryName(source.reference), flags.verify ?? true);
    reporter.events({ type: 'notice', level, text });
  }
  return openImage(source, { registry: { insecure: flags.insecureRegistry, signal } });
}

/** What is said about the trust in an image of a registry; an error where there is none to have. */
function consent(name: RegistryName, verify: boolean): { level: 'info' | 'warning'; text: string } {
  const { host, repository, tag, digest } = name;
  if (!verify) {
    const text = `${formatRegistryName(name)} is not verified: --no-verify trusts the registry and whoever may write to it`;
    return { level: 'warning', text };
  }
  // Who names the digest alone has decided on the content; a tag beside it would have to be signed too.
  if (digest !== undefined && tag === undefined) {
    return { level: 'info', text: `${formatRegistryName(name)} is pinned by its digest; no signature is looked for` };
  }
  throw new HoldfastError(
    'HF-UNSUPPORTED',
    `${formatRegistryName(name)} can't be verified: signatures of images in registries are not supported yet`,
    { hint: `pin the content: docker:${host}/${repository}@sha256:…, or take what the registry gives: --no-verify` },
  );
}
