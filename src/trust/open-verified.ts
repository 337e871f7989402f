// An image is opened only after everybody who has to vouch for it was asked, and by the digest that they named. This is
// the one way by which the commands come to an image.

import { readFileSync, statSync } from 'node:fs';
import { type Image, type OpenImageOptions, openImage } from '../image/image.ts';
import type { OciImage } from '../image/oci-image.ts';
import type { Provenance } from '../image/provenance.ts';
import { formatImageSource, type ImageSource } from '../image/reference.ts';
import { formatRegistryName, parseRegistryName } from '../image/registry/name.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import type { BundleFile } from './cosign/find-signatures.ts';
import { decideMediaTrust, decideTrust, type TrustNotice, type TrustVariables, type TrustWishes } from './decide.ts';
import { TrustError } from './trust-error.ts';
import type { Policy } from './trust-rule.ts';
import { unverified, type VerifiedImage, type Verifiers, verifyImage } from './verify-image.ts';

export interface OpenVerifiedOptions extends OpenImageOptions {
  policy: Policy;
  wishes: TrustWishes;
  environment: TrustVariables;
  verifiers: Verifiers;
  /** Hears what the person should know, as it comes up. */
  notice: (notice: TrustNotice) => void;
}

/** What a file with a signature for an image on a medium is called. */
export const BUNDLE_SUFFIX = '.sigstore.json';
const MAX_BUNDLE_BYTES = 1 << 20;

/**
 * Verifies an image and opens it: reads what describes it, none of its content yet.
 * @throws TrustError when it is refused; otherwise as decideTrust, verifyImage and openImage.
 */
export async function openVerified(source: ImageSource, options: OpenVerifiedOptions): Promise<Image> {
  if (source.kind !== 'registry') return openMedium(source, options);
  const verified = await verifyReference(source.reference, options);
  const name = parseRegistryName(source.reference);
  const { digest, sizeBytes } = verified;
  // The tag stays for people; what is pulled is the digest.
  const reference = formatRegistryName(digest === undefined ? name : { ...name, digest });
  let image: Image;
  try {
    image = await openImage({ kind: 'registry', reference }, options);
  } catch (error) {
    if (digest === undefined || !(error instanceof HoldfastError) || error.code !== 'HF-DIGEST') throw error;
    throw new TrustError('digest-mismatch', `${name.host} does not give what was verified: ${error.message}`, {
      cause: error,
    });
  }
  if (image.kind === 'oci' && sizeBytes !== undefined) requireSignedSize(image, sizeBytes);
  image.provenance = verified.provenance;
  return image;
}

/**
 * Verifies an image in a registry by its name; nothing of it is read but what signatures need.
 * @param reference `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`.
 */
export async function verifyReference(reference: string, options: OpenVerifiedOptions): Promise<VerifiedImage> {
  const { policy, wishes, environment, verifiers, registry = {}, notice } = options;
  const decision = decideTrust(reference, (repository) => policy.forRepository(repository), wishes, environment);
  for (const each of decision.notices) notice(each);
  const verified = await verifyImage(decision, { verifiers, registry });
  for (const each of verified.notices) notice(each);
  return verified;
}

/**
 * What holds for something on a medium that has no digest: a tree, an ISO, the file of a recovery system. Nobody can have
 * signed it, so there is nobody to ask.
 * @param name for messages. @param what for messages: `a tree`.
 * @throws TrustError when a signature is wanted.
 */
export function judgeWithoutDigest(
  name: string,
  what: string,
  { policy, wishes, environment, notice }: Pick<OpenVerifiedOptions, 'policy' | 'wishes' | 'environment' | 'notice'>,
): Provenance {
  const decision = decideMediaTrust(name, policy.forMedia(), wishes, environment);
  const [demand] = decision.cosign;
  if (demand !== undefined) {
    throw new TrustError(
      'no-signatures',
      `${name} is ${what} without a digest, so nobody can have signed it, and ${demand.from} wants a signature`,
      { hint: 'take the image that it was made from: oci-layout:DIRECTORY:TAG' },
    );
  }
  for (const each of decision.notices) notice(each);
  return unverified(decision);
}

async function openMedium(source: Exclude<ImageSource, { kind: 'registry' }>, options: OpenVerifiedOptions) {
  const { policy, wishes, environment, verifiers, registry = {}, notice } = options;
  const image = await openImage(source, options);
  const name = formatImageSource(source);
  if (image.kind === 'tree') {
    image.provenance = judgeWithoutDigest(name, 'a tree', options);
    return image;
  }
  const decision = decideMediaTrust(name, policy.forMedia(), wishes, environment);
  for (const each of decision.notices) notice(each);
  const medium = mediumOf(image);
  const files = decision.cosign.length > 0 ? bundlesBeside(source.path) : [];
  const verified = await verifyImage(decision, { verifiers, registry, medium, files });
  for (const each of verified.notices) notice(each);
  image.provenance = verified.provenance;
  return image;
}

/** A signature may be of the index that the name leads to, or of the image for this machine in it. */
function mediumOf({ repository, index, digest }: OciImage) {
  return index === undefined
    ? { repository, digest, alternatives: [] }
    : { repository, digest: index.digest, alternatives: [digest] };
}

/** Notary signs the length of the manifest, too. */
function requireSignedSize(image: OciImage, sizeBytes: number): void {
  const named = image.index ?? image.manifest;
  if (named.sizeBytes === sizeBytes) return;
  throw new TrustError(
    'digest-mismatch',
    `the manifest ${named.digest} has ${named.sizeBytes} bytes, and ${sizeBytes} bytes are signed`,
  );
}

/** What `cosign` calls a bundle, beside the directory or the file of an image. */
function bundlesBeside(path: string): BundleFile[] {
  const name = `${path.replace(/\/+$/, '')}${BUNDLE_SUFFIX}`;
  try {
    const { size } = statSync(name);
    if (size > MAX_BUNDLE_BYTES) {
      throw new TrustError('payload-invalid', `${name} has ${size} bytes, which is too much for a signature`);
    }
    return [{ name, bytes: readFileSync(name) }];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}
