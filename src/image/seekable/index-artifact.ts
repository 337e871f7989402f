// The published index of an image: an OCI artifact whose subject is the image's manifest, with a document for each layer
// and one pack of chunks. Anybody may have put it there, so nothing that it says is trusted: a layer that is put together
// with it must have the digest that the image's own configuration names.

import { z } from 'zod';
import { HoldfastError } from '../../system/errors.ts';
import { type Digest, digestOf, isDigest, parseDigest } from '../digest.ts';
import type { Descriptor } from '../manifest.ts';
import { MANIFEST_TYPE } from '../mediatypes.ts';
import { badIndex } from './bad-index.ts';

export const INDEX_ARTIFACT_TYPE = 'application/vnd.holdfast.index.v1';
/** The document of a layer, packed with zstd. */
export const LAYER_DOCUMENT_TYPE = 'application/vnd.holdfast.index.layer.v1+zstd';
/** Zstd frames, one for each chunk. */
export const PACK_TYPE = 'application/vnd.holdfast.index.pack.v1';
/** image-spec 1.1: what stands where an artifact has no configuration. */
export const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
export const EMPTY_DOCUMENT = Buffer.from('{}');

/** On a layer's document: the layer's diffId. */
const DIFF_ID = 'vnd.holdfast.index.diff-id';
/** On the artifact: manifests of images, separated by commas; chunks that all of them have are not in the pack. */
const SINCE = 'vnd.holdfast.index.since';

export interface IndexArtifact {
  /** The image's manifest. */
  subject: Descriptor;
  /** Digests of the manifests of older images; machines that run one of them can use the index. Empty: all machines. */
  since: readonly Digest[];
  documents: ReadonlyMap<Digest, Descriptor>;
  pack: Descriptor;
}

const descriptorSchema = z.object({
  mediaType: z.string().max(255),
  digest: z.string(),
  size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  annotations: z.record(z.string(), z.string()).nullish(),
});

const artifactSchema = z.object({
  schemaVersion: z.literal(2),
  artifactType: z.literal(INDEX_ARTIFACT_TYPE),
  layers: z.array(descriptorSchema).max(1024),
  subject: descriptorSchema,
  annotations: z.record(z.string(), z.string()).nullish(),
});

/** The manifest; the same index gives the same bytes. */
export function writeArtifact({ subject, since, documents, pack }: IndexArtifact): Buffer {
  const empty = { mediaType: EMPTY_TYPE, digest: digestOf(EMPTY_DOCUMENT), sizeBytes: EMPTY_DOCUMENT.length };
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: INDEX_ARTIFACT_TYPE,
    config: toJson(empty),
    layers: [
      ...[...documents].map(([diffId, document]) => ({ ...toJson(document), annotations: { [DIFF_ID]: diffId } })),
      toJson(pack),
    ],
    subject: toJson(subject),
    ...(since.length > 0 && { annotations: { [SINCE]: [...since].sort().join(',') } }),
  };
  return Buffer.from(JSON.stringify(manifest));
}

/**
 * @param image the digest of the image's manifest.
 * @throws HoldfastError HF-IMAGE when it is no index of that image.
 */
export function parseArtifact(bytes: Buffer, image: Digest): IndexArtifact {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw badIndex('its manifest is not JSON', cause);
  }
  const parsed = artifactSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw badIndex(`its manifest is wrong at ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown'}`);
  }
  const { layers, annotations } = parsed.data;
  const subject = toDescriptor(parsed.data.subject);
  if (subject.digest !== image) throw badIndex('it belongs to another image');
  const documents = new Map<Digest, Descriptor>();
  for (const layer of layers) {
    const diffId = own(layer.annotations, DIFF_ID);
    if (layer.mediaType === LAYER_DOCUMENT_TYPE && diffId !== undefined && isDigest(diffId)) {
      documents.set(diffId, toDescriptor(layer));
    }
  }
  const pack = layers.find(({ mediaType }) => mediaType === PACK_TYPE);
  if (pack === undefined) throw badIndex('it has no pack');
  const since = (own(annotations, SINCE) ?? '').split(',').filter(isDigest);
  return { subject, since, documents, pack: toDescriptor(pack) };
}

/**
 * The index that fits a machine best: one made for the image that it runs, else one for all.
 * @param base the manifest of the image that the machine runs.
 */
export function chooseArtifact(
  artifacts: readonly IndexArtifact[],
  base: Digest | undefined,
): IndexArtifact | undefined {
  const fitting = artifacts.filter(({ since }) => base !== undefined && since.includes(base));
  // The fewer images an index serves, the more it may leave out; what it leaves out is never fetched, so any will do.
  return fitting[0] ?? artifacts.find(({ since }) => since.length === 0);
}

function toJson({ mediaType, digest, sizeBytes }: Descriptor): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest, size: sizeBytes };
}

function toDescriptor({ mediaType, digest, size }: z.infer<typeof descriptorSchema>): Descriptor {
  try {
    return { mediaType, digest: parseDigest(digest, 'a part of the index'), sizeBytes: size };
  } catch (error) {
    throw error instanceof HoldfastError ? badIndex(error.message, error) : error;
  }
}

function own(record: Record<string, string> | null | undefined, key: string): string | undefined {
  return record !== null && record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}
