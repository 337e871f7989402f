// The ways to name an image on the command line: Holdfast's own and every spelling of the elemental generations.

import { type Image, openImage } from '../image/image.ts';
import type { Provenance } from '../image/provenance.ts';
import { type ImageSource, parseImageSource } from '../image/reference.ts';
import type { Settings } from '../lifecycle/settings.ts';
import { configuredImage, type ImageSetting } from '../lifecycle/settings-image.ts';
import { HoldfastError } from '../system/errors.ts';
import type { UndoStack } from '../system/plan.ts';
import type { OpenVerifiedOptions } from '../trust/open-verified.ts';
import type { Reporter } from './reporter.ts';
import { loadPolicy, notaryFiles, type TrustFlags, trustEnvironment, trustWishes } from './trust-option.ts';

export interface ImageFlags extends TrustFlags {
  system?: string;
  'system.uri'?: string;
  dockerImage?: string;
  directory?: string;
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
 * @throws HoldfastError HF-NO-SOURCE when nothing names one; otherwise as {@link namedImage}, configuredImage and
 *   {@link openImageText}.
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
    say(context, 'info', `image ${otherwise.text}: ${otherwise.why}`);
    // What this machine runs already is not asked for signatures again.
    const { signal, undo } = context;
    return openImage(parseImageSource(otherwise.text), { registry: { signal }, undo });
  }
  if (text === undefined) {
    throw new HoldfastError('HF-NO-SOURCE', 'no image is named', {
      hint: 'for example: --system oci-layout:/mnt/images:v2',
    });
  }
  return openImageText(text, flags, context, settings);
}

/**
 * Verifies an image and opens it, by its name and within what flags, settings and policy allow.
 * @throws TrustError when it is refused; otherwise as openVerified.
 */
export async function openImageText(
  text: string,
  flags: ImageFlags,
  context: ImageContext,
  settings?: Settings,
): Promise<Image> {
  const source = parseImageSource(text);
  const { openVerified } = await import('../trust/open-verified.ts');
  return openVerified(source, await verifiedOptions(source, flags, context, settings));
}

/**
 * What the policy says of a file from a medium that no image can be opened from: an ISO, or a recovery system's file.
 * @param name for messages.
 * @throws TrustError when a signature is wanted.
 */
export async function judgeMediumFile(
  name: string,
  flags: TrustFlags,
  context: ImageContext,
  settings: Settings,
): Promise<Provenance> {
  const { judgeWithoutDigest } = await import('../trust/open-verified.ts');
  return judgeWithoutDigest(name, 'a file', {
    policy: await loadPolicy(flags),
    wishes: trustWishes(flags, settings),
    environment: trustEnvironment(),
    notice: ({ level, text }) => say(context, level, text),
  });
}

/** How an image is verified and opened, for {@link openImageText} and `holdfast verify`. */
export async function verifiedOptions(
  source: ImageSource,
  flags: ImageFlags,
  context: ImageContext,
  settings?: Settings,
): Promise<OpenVerifiedOptions> {
  const { signal, undo } = context;
  const tls = source.kind === 'registry' ? settings?.get('tls-verify') : undefined;
  if (tls?.value === false) {
    say(
      context,
      'warning',
      `${tls.origin.text}: tls-verify has no effect, TLS is always verified; name a registry without it: --insecure-registry HOST`,
    );
  }
  const { machineVerifiers } = await import('../trust/verifiers.ts');
  return {
    policy: await loadPolicy(flags),
    wishes: trustWishes(flags, settings),
    environment: trustEnvironment(),
    verifiers: machineVerifiers({
      now: new Date(),
      stateDirectory: flags.trustState ?? TRUST_STATE,
      http: notaryFiles(flags, settings),
      signal,
    }),
    notice: ({ level, text }) => say(context, level, text),
    registry: { insecure: flags.insecureRegistry, signal, notice: (text) => say(context, 'info', text) },
    undo,
  };
}

/** Where what is trusted is remembered: on the partition that all systems of a machine share. */
export const TRUST_STATE = '/oem/holdfast/trust';

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
