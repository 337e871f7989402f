// The ways to name an image on the command line: Holdfast's own and every spelling of the elemental generations.

import { type Image, openImage } from '../image/image.ts';
import { parseImageSource } from '../image/reference.ts';
import { formatRegistryName, parseRegistryName, type RegistryName } from '../image/registry/name.ts';
import type { Settings } from '../lifecycle/settings.ts';
import { configuredImage, type ImageSetting } from '../lifecycle/settings-image.ts';
import { HoldfastError } from '../system/errors.ts';
import type { UndoStack } from '../system/plan.ts';
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
 * The one image that flags and argument name; undefined when they name none.
 * @throws HoldfastError HF-USAGE when several are named.
 */
export function namedImage(argument: string | undefined, flags: ImageFlags): string | undefined {
  const named = [
    argument,
    flags.system,
    flags['system.uri'],
    flags.dockerImage === undefined ? undefined : `docker:${flags.dockerImage}`,
    flags.directory === undefined ? undefined : `dir:${flags.directory}`,
  ].filter((text) => text !== undefined);
  if (named.length > 1) {
    throw new HoldfastError('HF-USAGE', `two images are named: ${named.join(' and ')}`, { hint: 'name one of them' });
  }
  return named[0];
}

export interface OpenNamedImageOptions {
  /** What counts where the command line says nothing. */
  settings?: Settings | undefined;
  /** The setting that names the image. */
  setting?: ImageSetting | undefined;
  /** The image when nothing names one, in the words of `--system`, and why it is that one. */
  otherwise?: { text: string; why: string } | undefined;
}

/**
 * Opens the image that argument, flags or settings name, in this order.
 * @param context hears where the image's name came from and what was not verified, and interrupts.
 * @throws HoldfastError HF-NO-SOURCE when nothing names one, HF-UNSUPPORTED for an image whose signature would have to be
 *   verified; otherwise as {@link namedImage}, configuredImage and openImage.
 */
export async function openNamedImage(
  argument: string | undefined,
  flags: ImageFlags,
  context: ImageContext,
  { settings, setting, otherwise }: OpenNamedImageOptions = {},
): Promise<Image> {
  let text = namedImage(argument, flags);
  if (text === undefined && settings !== undefined && setting !== undefined) {
    const configured = configuredImage(settings, setting);
    text = configured?.value;
    if (configured !== undefined) say(context, 'info', `image ${configured.value} from ${configured.origin.text}`);
  }
  if (text === undefined && otherwise !== undefined) {
    text = otherwise.text;
    say(context, 'info', `image ${text}: ${otherwise.why}`);
  }
  if (text === undefined) {
    throw new HoldfastError('HF-NO-SOURCE', 'no image is named', {
      hint: 'for example: --system oci-layout:/mnt/images:v2',
    });
  }
  return openImageText(text, flags, context, settings);
}

/** Opens an image by its name, within what flags and settings allow. */
export async function openImageText(
  text: string,
  flags: ImageFlags,
  context: ImageContext,
  settings?: Settings,
): Promise<Image> {
  const source = parseImageSource(text);
  if (source.kind === 'registry') {
    const { level, text: words } = consent(parseRegistryName(source.reference), trustOf(flags, settings));
    say(context, level, words);
    const tls = settings?.get('tls-verify');
    if (tls?.value === false) {
      say(
        context,
        'warning',
        `${tls.origin.text}: tls-verify has no effect, TLS is always verified; name a registry without it: --insecure-registry HOST`,
      );
    }
  }
  const { signal, undo } = context;
  return openImage(source, { registry: { insecure: flags.insecureRegistry, signal }, undo });
}

/** Where notices go, and what interrupts. */
interface ImageContext {
  reporter: Pick<Reporter, 'events'>;
  signal: AbortSignal;
  /** Gives back what reading an image took. */
  undo?: UndoStack;
}

function say({ reporter }: ImageContext, level: 'info' | 'warning', text: string): void {
  reporter.events({ type: 'notice', level, text });
}

/** Whether signatures are wanted, and who said that they aren't. */
function trustOf(flags: ImageFlags, settings: Settings | undefined): { verify: boolean; who: string } {
  if (flags.verify === false) return { verify: false, who: '--no-verify' };
  const setting = settings?.get('verify');
  return setting?.value === false
    ? { verify: false, who: `no-verify (${setting.origin.text})` }
    : { verify: true, who: '' };
}

/** What is said about the trust in an image of a registry; an error where there is none to have. */
function consent(
  name: RegistryName,
  { verify, who }: { verify: boolean; who: string },
): { level: 'info' | 'warning'; text: string } {
  const { host, repository, tag, digest } = name;
  if (!verify) {
    const text = `${formatRegistryName(name)} is not verified: ${who} trusts the registry and whoever may write to it`;
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
