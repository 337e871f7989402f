// The image that is installed, as something that a new slot can be built from: out of its pristine, so that no network is
// needed and no layer is read, or, where none was kept, from where it came, by the digest that it had.

import { type Digest, isDigest } from '../image/digest.ts';
import { type Image, openImage } from '../image/image.ts';
import { type OciImage, withRepository } from '../image/oci-image.ts';
import { formatImageSource, parseImageSource } from '../image/reference.ts';
import type { RegistryOptions } from '../image/registry/session.ts';
import type { Repository } from '../image/repository.ts';
import { machinePlatform } from '../image/selection.ts';
import type { BootedSystem } from '../slots/booted.ts';
import type { Deployment, InstallationState } from '../slots/state-file.ts';
import { hasPristine } from '../slots/swap.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { UndoStack } from '../system/plan.ts';
import type { AssessmentFacts } from './assessment.ts';
import { displayName } from './image-name.ts';
import { VERSION_LABEL } from './version-rule.ts';

/**
 * Whose image a local change is made to: the active system's, which is what boots next. Only a machine that fell back
 * from an image which failed on it goes on with the one that works. Pure.
 * @throws HoldfastError HF-STATE when it isn't known what is installed.
 */
export function changedDeployment(
  installed: InstallationState,
  booted: Pick<BootedSystem, 'slot'>,
  { failed }: Pick<AssessmentFacts, 'failed'>,
): Deployment {
  const { active, passive } = installed;
  const isFailed = active?.digest !== undefined && failed.some(({ digest }) => digest === active.digest);
  const found = booted.slot === 'passive' && (isFailed || active === undefined) ? passive : (active ?? passive);
  if (found === undefined || found.source === 'unknown' || found.source === '') {
    throw new HoldfastError('HF-STATE', 'it is not known which image is installed, so it can’t be built anew', {
      hint: 'upgrade to an image by its name, also the same one: holdfast upgrade IMAGE --force; local changes come along',
    });
  }
  return found;
}

export interface OpenInstalledOptions {
  registry?: RegistryOptions | undefined;
  undo: UndoStack;
  signal: AbortSignal;
  notice: (text: string) => void;
}

/**
 * Opens the image of an installed system.
 * @param stateDirectory where COS_STATE can be read.
 * @throws HoldfastError HF-NO-SOURCE when it is neither here nor where it came from, HF-DIGEST when what is there is
 *   another image by now, HF-NETWORK.
 */
export async function openInstalledImage(
  deployment: Deployment,
  stateDirectory: string,
  options: OpenInstalledOptions,
): Promise<Image> {
  const { digest, layers, source } = deployment;
  if (digest !== undefined && isDigest(digest) && hasPristine(stateDirectory, digest)) {
    const diffIds = layers.filter(isDigest);
    if (diffIds.length > 0 && diffIds.length === layers.length) return recordedImage(deployment, digest, diffIds);
  }
  const { registry, undo, signal, notice } = options;
  const name = pinned(source, digest);
  notice(`no unchanged copy of the installed image is kept, so it is read again: ${displayName(name)}`);
  // What this machine runs already is not asked for signatures again: the digest is the same, or it is refused.
  const image = await openImage(parseImageSource(name), { registry: { ...registry, signal }, undo }).catch(
    (error: unknown) => {
      if (error instanceof HoldfastError && error.code === 'HF-INTERRUPTED') throw error;
      throw new HoldfastError('HF-NO-SOURCE', `the installed image can’t be read again: ${messageOf(error)}`, {
        cause: error,
        hint: 'upgrade to an image by its name: holdfast upgrade IMAGE --force; local changes come along',
      });
    },
  );
  const found = image.kind === 'oci' ? [image.digest, image.index?.digest] : [];
  if (digest === undefined || found.includes(parsedDigest(digest))) return image;
  throw new HoldfastError('HF-DIGEST', `${source} is another image by now than the one that is installed`, {
    hint: 'upgrade to it: holdfast upgrade IMAGE; local changes come along',
  });
}

function parsedDigest(text: string): Digest | undefined {
  return isDigest(text) ? text : undefined;
}

/** The name that leads to this digest and nothing else. */
function pinned(source: string, digest: string | undefined): string {
  if (digest === undefined || !isDigest(digest) || source.includes('@')) return source;
  const parsed = parseImageSource(source);
  switch (parsed.kind) {
    case 'registry':
      return formatImageSource({ ...parsed, reference: `${parsed.reference}@${digest}` });
    case 'oci-layout':
    case 'oci-archive':
      return formatImageSource({ ...parsed, digest });
    default:
      return source;
  }
}

/** An image of which all layers are in a pristine: what is known of it is what was recorded. */
function recordedImage(deployment: Deployment, digest: Digest, diffIds: readonly Digest[]): OciImage {
  const { source, imageVersion } = deployment;
  const nothing = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, sizeBytes: 0 };
  const facts = {
    kind: 'oci' as const,
    origin: 'layout' as const,
    source,
    digest,
    index: undefined,
    manifest: { ...nothing, bytes: Buffer.alloc(0) },
    config: {
      os: 'linux',
      architecture: machinePlatform().architecture,
      labels: imageVersion === undefined ? {} : { [VERSION_LABEL]: imageVersion },
      diffIds,
      history: [],
    },
    layers: diffIds.map((diffId) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: diffId,
      sizeBytes: 0,
      diffId,
    })),
  };
  return withRepository(facts, nowhere(source));
}

/** Nothing of the image is anywhere but in the pristine. */
function nowhere(source: string): Repository {
  const refuse = () =>
    new HoldfastError('HF-NO-SOURCE', `of ${displayName(source)} only the unchanged copy on this machine is there`);
  const none = async (): Promise<never> => {
    throw refuse();
  };
  return {
    name: source,
    manifest: none,
    document: none,
    // biome-ignore lint/correctness/useYield: there is nothing to give
    async *blob() {
      throw refuse();
    },
    // biome-ignore lint/correctness/useYield: there is nothing to give
    async *ranges() {
      throw refuse();
    },
    referrers: none,
    putBlob: none,
    putManifest: none,
  };
}
