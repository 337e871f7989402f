// The JSON documents of an image: index, manifest and configuration, OCI image-spec 1.1 and docker schema 2. Text goes
// in, checked data comes out; whoever made the image is not trusted, so every size and count has a bound.

import { z } from 'zod';
import { HoldfastError } from '../system/errors.ts';
import { type Digest, isDigest, parseDigest } from './digest.ts';
import { isConfigType, isForeignLayerType, isIndexType, isManifestType, layerCompression } from './mediatypes.ts';

/** No index, manifest or configuration may be larger: registries refuse manifests above this too. */
export const MAX_DOCUMENT_BYTES = 4 << 20;

/** Above any image in use; overlayfs, for comparison, stacks 500. */
export const MAX_LAYERS = 512;

/** Points to a blob. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  sizeBytes: number;
  /** What whoever made it notes about it. */
  annotations?: Readonly<Record<string, string>>;
  /** Of a manifest: the kind of thing that it describes. */
  artifactType?: string;
}

export interface IndexEntry extends Descriptor {
  /** The image's name in a layout. */
  tag: string | undefined;
  platform: { os: string; architecture: string; variant?: string | undefined } | undefined;
}

export interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

export interface ImageConfig {
  os: string;
  architecture: string;
  /** When its builder says that it was made (RFC 3339); nobody has checked that it is a time. */
  created?: string | undefined;
  labels: Readonly<Record<string, string>>;
  /** Digests of the unpacked layers, lowest first. */
  diffIds: readonly Digest[];
  history: readonly { created?: string | undefined; createdBy?: string | undefined; emptyLayer: boolean }[];
}

const descriptorSchema = z.object({
  mediaType: z.string().max(255),
  digest: z.string(),
  size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  annotations: z.record(z.string(), z.string()).nullish(),
});

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  manifests: z.array(
    descriptorSchema.extend({
      artifactType: z.string().max(255).nullish(),
      platform: z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).nullish(),
    }),
  ),
  layers: z.never({ error: 'an index can not have layers' }).optional(),
});

const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema).min(1).max(MAX_LAYERS),
  manifests: z.never({ error: 'a manifest can not have manifests' }).optional(),
});

const configSchema = z.object({
  os: z.string(),
  architecture: z.string(),
  created: z.string().max(64).nullish().catch(undefined),
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(z.string()).max(MAX_LAYERS) }),
  history: z
    .array(
      z.object({ created: z.string().nullish(), created_by: z.string().nullish(), empty_layer: z.boolean().nullish() }),
    )
    .nullish(),
});

/** @throws HoldfastError HF-IMAGE when the text is no index. */
export function parseIndex(text: string, where: string): IndexEntry[] {
  const index = parseDocument(indexSchema, text, where);
  if (index.mediaType !== undefined && !isIndexType(index.mediaType)) throw contradicts(where, index.mediaType);
  return index.manifests.map(({ artifactType, platform, ...descriptor }) => ({
    ...toDescriptor(descriptor, `an image in ${where}`),
    ...(artifactType != null && { artifactType }),
    // A null prototype is not promised: own keys only.
    tag: Object.entries(descriptor.annotations ?? {}).find(([key]) => key === 'org.opencontainers.image.ref.name')?.[1],
    platform: platform ?? undefined,
  }));
}

/**
 * Parses a manifest and sees to it that all of its layers can be unpacked.
 * @throws HoldfastError HF-IMAGE when the text is no manifest, HF-UNSUPPORTED for artifacts that are no system and for
 *   layers of unknown kinds.
 */
export function parseManifest(text: string, where: string): Manifest {
  const manifest = parseDocument(manifestSchema, text, where);
  if (manifest.mediaType !== undefined && !isManifestType(manifest.mediaType))
    throw contradicts(where, manifest.mediaType);
  if (!isConfigType(manifest.config.mediaType)) {
    throw new HoldfastError('HF-UNSUPPORTED', `${where} holds no system but ${manifest.config.mediaType}`, {
      hint: 'name the image itself, not a signature, chart or other artifact beside it',
    });
  }
  const layers = manifest.layers.map((layer, index) => toDescriptor(layer, `layer ${index + 1} of ${where}`));
  for (const [index, { mediaType }] of layers.entries()) checkLayerType(mediaType, `layer ${index + 1} of ${where}`);
  return { config: toDescriptor(manifest.config, `the configuration of ${where}`), layers };
}

/** @throws HoldfastError HF-IMAGE when the text is no image configuration. */
export function parseConfig(text: string, where: string): ImageConfig {
  const { os, architecture, created, config, rootfs, history } = parseDocument(configSchema, text, where);
  return {
    os,
    architecture,
    created: created ?? undefined,
    labels: config?.Labels ?? {},
    diffIds: rootfs.diff_ids.map((id, index) => parseDigest(id, `layer ${index + 1} in ${where}`)),
    history: (history ?? []).map(({ created, created_by, empty_layer }) => ({
      created: created ?? undefined,
      createdBy: created_by ?? undefined,
      emptyLayer: empty_layer ?? false,
    })),
  };
}

/** Whether a document of unknown kind is an index; nothing of it is checked yet. */
export function looksLikeIndex(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'manifests' in value;
  } catch {
    // Whoever parses it as a manifest says what is wrong.
    return false;
  }
}

function checkLayerType(mediaType: string, what: string): void {
  if (layerCompression(mediaType) !== undefined) return;
  if (isForeignLayerType(mediaType)) {
    throw new HoldfastError('HF-UNSUPPORTED', `${what} is kept elsewhere by its publisher (${mediaType})`, {
      hint: 'such layers are not fetched; build the image without non-distributable layers',
    });
  }
  const encrypted = mediaType.includes('+encrypted');
  throw new HoldfastError('HF-UNSUPPORTED', `${what} has the unknown type ${mediaType}`, {
    hint: encrypted ? 'decrypt the image first' : 'layers are tar files: plain, gzip or zstd',
  });
}

function toDescriptor(
  { mediaType, digest, size, annotations }: z.infer<typeof descriptorSchema>,
  what: string,
): Descriptor {
  return { mediaType, digest: parseDigest(digest, what), sizeBytes: size, ...(annotations != null && { annotations }) };
}

function parseDocument<T>(schema: z.ZodType<T>, text: string, where: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(`${where} is not JSON`, cause);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const at = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  throw damaged(`${where} is not what it should be${at}: ${issue?.message ?? 'unknown'}`);
}

function contradicts(where: string, mediaType: string): HoldfastError {
  return damaged(`${where} calls itself ${mediaType}, which it is not`);
}

function damaged(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF-IMAGE', message, {
    cause,
    hint: 'the image is damaged, or was made by a tool that does not follow the OCI image specification',
  });
}

/** For messages: a digest short enough to read. */
export function shortDigest(digest: string): string {
  return isDigest(digest) ? digest.slice(0, 'sha256:'.length + 12) : digest;
}
