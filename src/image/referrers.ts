// What refers to a manifest (OCI distribution-spec 1.1, referrers): artifacts with a subject, and the tag under which
// they are listed where a registry knows nothing of them. Pure.

import { z } from 'zod';
import { HoldfastError } from '../system/errors.ts';
import { type Digest, digestOf, hexOf, isDigest } from './digest.ts';
import type { Descriptor } from './manifest.ts';
import { INDEX_TYPE } from './mediatypes.ts';

/** Of one manifest; somebody who may write to the registry can make any number. */
export const MAX_REFERRERS = 1000;

const annotationsSchema = z.record(z.string(), z.string()).nullish();
const entrySchema = z.object({
  mediaType: z.string().max(255),
  digest: z.string(),
  size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  artifactType: z.string().max(255).nullish(),
  annotations: annotationsSchema,
});
const listSchema = z.object({ manifests: z.array(z.unknown()).nullish() });
const artifactSchema = z.object({
  artifactType: z.string().max(255).nullish(),
  config: z.object({ mediaType: z.string().max(255) }).nullish(),
  annotations: annotationsSchema,
  subject: z.object({ mediaType: z.string(), digest: z.string(), size: z.number() }).nullish(),
});

/** The tag that lists the referrers of a manifest where there is no other way. */
export function referrersTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}`;
}

/** Whether a tag is one of those that tools make beside images: lists of referrers, cosign's signatures. */
export function isCompanionTag(tag: string): boolean {
  return /^sha256-[0-9a-f]{64}(\.[a-z]+)?$/.test(tag);
}

/**
 * Reads a list of referrers. Entries that can't be one are left out: they are hints, written by anybody.
 * @throws HoldfastError HF-IMAGE when the text is no list.
 */
export function parseReferrers(text: string, where: string, artifactType?: string): Descriptor[] {
  const list = listSchema.safeParse(parseJson(text));
  if (!list.success) throw new HoldfastError('HF-IMAGE', `${where} is no list of referrers`);
  return (list.data.manifests ?? []).slice(0, MAX_REFERRERS).flatMap((value) => {
    const entry = entrySchema.safeParse(value);
    if (!entry.success || !isDigest(entry.data.digest)) return [];
    const { mediaType, digest, size, artifactType: type, annotations } = entry.data;
    if (artifactType !== undefined && type !== artifactType) return [];
    return [
      {
        mediaType,
        digest,
        sizeBytes: size,
        ...(type != null && { artifactType: type }),
        ...(annotations != null && { annotations }),
      },
    ];
  });
}

/** How a manifest is listed among the referrers of its subject; undefined when it has none. */
export function asReferrer(bytes: Buffer, mediaType: string): { subject: Digest; entry: Descriptor } | undefined {
  const { data } = artifactSchema.safeParse(parseJson(bytes.toString('utf8')));
  const subject = data?.subject?.digest;
  if (subject === undefined || !isDigest(subject)) return undefined;
  const artifactType = data?.artifactType || data?.config?.mediaType;
  const annotations = data?.annotations;
  const entry = {
    mediaType,
    digest: digestOf(bytes),
    sizeBytes: bytes.length,
    ...(artifactType && { artifactType }),
    ...(annotations != null && { annotations }),
  };
  return { subject, entry };
}

/** An index that lists the entries. */
export function formatReferrers(entries: readonly Descriptor[]): Buffer {
  const manifests = entries.map(({ sizeBytes, ...entry }) => ({ ...entry, size: sizeBytes }));
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
