// Where signatures of an image may be: bundles that refer to it, a bundle beside it on a medium, and cosign's older tag.
// All of it is what a stranger says; what can't be read is a refusal of that one signature, not the end of the search.

import { z } from 'zod';
import { type Digest, hexOf, parseDigest } from '../../image/digest.ts';
import type { Descriptor } from '../../image/manifest.ts';
import type { Repository } from '../../image/repository.ts';
import { HoldfastError, messageOf } from '../../system/errors.ts';
import { TrustError } from '../trust-error.ts';
import { bundleCandidate, type Candidate, tagCandidate } from './candidate.ts';

/** Real images have one or two; whoever has a thousand wants this program to be busy. */
const MAX_SIGNATURES = 64;
const MAX_PAYLOAD_BYTES = 1 << 20;
const MAX_BUNDLE_BYTES = 1 << 20;
const SIMPLE_SIGNING_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const BUNDLE_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.[1-9]\+json|\+json;version=0\.[1-9])$/;

/** A bundle in a file, which stands beside an image on a medium. */
export interface BundleFile {
  name: string;
  bytes: Buffer;
}

const manifestSchema = z.object({
  layers: z
    .array(
      z.object({
        mediaType: z.string(),
        digest: z.string(),
        size: z.int().nonnegative(),
        annotations: z.record(z.string(), z.string()).nullish(),
      }),
    )
    .max(MAX_SIGNATURES),
});

/** Candidates one after the other, so that a good one ends the search; a TrustError is one that can't be used. */
export async function* findSignatures(
  digest: Digest,
  repository: Repository | undefined,
  files: readonly BundleFile[],
): AsyncGenerator<Candidate | TrustError> {
  for (const { name, bytes } of files) yield attempt(() => bundleCandidate(bytes, name));
  if (repository === undefined) return;
  yield* bundles(digest, repository);
  yield* tagged(digest, repository);
}

async function* bundles(digest: Digest, repository: Repository): AsyncGenerator<Candidate | TrustError> {
  // The type in the list is a hint of whoever wrote the list: what the manifest holds decides.
  const referrers = (await repository.referrers(digest)).slice(0, MAX_SIGNATURES);
  for (const referrer of referrers) {
    const found = await repository.manifest(referrer.digest);
    if (found === undefined) continue;
    const where = `the bundle ${referrer.digest} in ${repository.name}`;
    const layers = attempt(() => layersOf(found.bytes, where));
    if (layers instanceof TrustError) continue;
    for (const { descriptor } of layers) {
      if (!BUNDLE_TYPE.test(descriptor.mediaType)) continue;
      const bytes = await document(repository, descriptor, where, MAX_BUNDLE_BYTES);
      yield bytes instanceof TrustError ? bytes : attempt(() => bundleCandidate(bytes, where));
    }
  }
}

async function* tagged(digest: Digest, repository: Repository): AsyncGenerator<Candidate | TrustError> {
  const tag = `sha256-${hexOf(digest)}.sig`;
  const found = await repository.manifest(tag);
  if (found === undefined) return;
  const layers = attempt(() => layersOf(found.bytes, `${repository.name}:${tag}`));
  if (layers instanceof TrustError) {
    yield layers;
    return;
  }
  for (const [index, { descriptor, annotations }] of layers.entries()) {
    const where = `signature ${index + 1} of ${layers.length} in ${repository.name}:${tag}`;
    if (descriptor.mediaType !== SIMPLE_SIGNING_TYPE) {
      yield new TrustError('payload-type', `${where} is of the unknown type ${JSON.stringify(descriptor.mediaType)}`);
      continue;
    }
    const bytes = await document(repository, descriptor, where, MAX_PAYLOAD_BYTES);
    yield bytes instanceof TrustError ? bytes : attempt(() => tagCandidate(bytes, annotations, where));
  }
}

interface SignatureLayer {
  descriptor: Descriptor;
  annotations: ReadonlyMap<string, string>;
}

function layersOf(bytes: Buffer, where: string): SignatureLayer[] {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new TrustError('payload-invalid', `${where} is not JSON`, { cause });
  }
  const manifest = manifestSchema.safeParse(value);
  if (!manifest.success) throw new TrustError('payload-invalid', `${where} is no manifest of signatures`);
  return manifest.data.layers.map(({ mediaType, digest, size, annotations }) => ({
    descriptor: { mediaType, digest: parseDigest(digest, where), sizeBytes: size },
    annotations: new Map(Object.entries(annotations ?? {})),
  }));
}

/** A small blob; one that isn't what its digest says is a refusal of its own. */
async function document(
  repository: Repository,
  layer: Descriptor,
  where: string,
  maxBytes: number,
): Promise<Buffer | TrustError> {
  if (layer.sizeBytes > maxBytes) {
    return new TrustError('payload-invalid', `${where} has ${layer.sizeBytes} bytes, and ${maxBytes} at most are read`);
  }
  try {
    return await repository.document(layer, where, maxBytes);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'HF-DIGEST') throw error;
    return new TrustError('blob-digest-mismatch', error.message, { cause: error });
  }
}

/** What can't be read is data here, as everything that strangers wrote. */
function attempt<T>(read: () => T): T | TrustError {
  try {
    return read();
  } catch (error) {
    if (error instanceof TrustError) return error;
    if (error instanceof HoldfastError) return new TrustError('payload-invalid', error.message, { cause: error });
    return new TrustError('payload-invalid', `a signature can't be read: ${messageOf(error)}`, { cause: error });
  }
}
