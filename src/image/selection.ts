// Which image of several is meant: by tag, by digest, by the machine's architecture. Pure; what can't be decided is an
// error that lists the choices.

import { HoldfastError } from '../system/errors.ts';
import type { Digest } from './digest.ts';
import type { IndexEntry } from './manifest.ts';
import { isConfigType, isIndexType, isManifestType } from './mediatypes.ts';
import { isCompanionTag } from './referrers.ts';

/** A kind of machine, in the words of images; its system is always Linux. */
export interface Platform {
  /** `amd64`, `arm64`, … */
  architecture: string;
  /** `v7`, `v8`, …; whichever there is where it isn't said. */
  variant?: string | undefined;
}

export interface Wanted extends Platform {
  tag?: string | undefined;
  digest?: Digest | undefined;
}

/** Indexes inside indexes; tools make two levels. */
export const MAX_INDEX_DEPTH = 4;

const ARCHITECTURE_NAMES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  x86_64: 'amd64',
  aarch64: 'arm64',
  ia32: '386',
  i386: '386',
};

/** This machine's platform; without a variant, since Node doesn't know it. */
export function machinePlatform(arch: string = process.arch): Platform {
  return { architecture: ARCHITECTURE_NAMES[arch] ?? arch };
}

/**
 * Reads `linux/ARCHITECTURE[/VARIANT]`.
 * @throws HoldfastError HF-CONFIG for anything else.
 */
export function parsePlatform(text: string): Platform {
  const [, os, architecture, variant] = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9]+))?$/.exec(text) ?? [];
  if (os === 'linux' && architecture !== undefined) {
    return { ...machinePlatform(architecture), ...(variant !== undefined && { variant }) };
  }
  throw new HoldfastError('HF-CONFIG', `${JSON.stringify(text)} is no platform that can be unpacked`, {
    hint: 'write linux/amd64, linux/arm64 or linux/arm/v7',
  });
}

function showPlatform({ architecture, variant }: Platform): string {
  return `linux/${architecture}${variant === undefined ? '' : `/${variant}`}`;
}

/** The error for indexes that lead nowhere. */
export function tooDeep(where: string): HoldfastError {
  return new HoldfastError('HF-IMAGE', `${where} nests more than ${MAX_INDEX_DEPTH} indexes`, {
    hint: 'name the image itself by its digest',
  });
}

/**
 * Chooses from the index.json of a layout: the image with the tag, or the only one there is.
 * @throws HoldfastError HF-IMAGE with the tags that exist.
 */
export function selectImage(entries: readonly IndexEntry[], wanted: Wanted, where: string): IndexEntry {
  const images = entries.filter(isImage);
  const tags = [...new Set(images.map(({ tag }) => tag))];
  const listed = tags.filter((tag) => tag !== undefined).sort();
  const hint =
    listed.length === 0
      ? 'the images in it have no tags: name one as PATH@sha256:…'
      : `tags in it: ${listed.join(', ')}`;
  if (images.length === 0) {
    throw new HoldfastError('HF-IMAGE', `${where} holds no image`, { hint: 'its index.json lists none' });
  }
  const named = wanted.tag === undefined ? images : withTag(images, wanted.tag);
  const candidates = named.filter(({ digest }) => wanted.digest === undefined || digest === wanted.digest);
  if (candidates.length === 0) {
    const name = wanted.tag === undefined ? `the image ${wanted.digest}` : `an image with the tag ${wanted.tag}`;
    throw new HoldfastError('HF-IMAGE', `${where} does not hold ${name}`, { hint });
  }
  const several = new Set(candidates.map(({ tag }) => tag)).size > 1;
  if (several && new Set(candidates.map(({ digest }) => digest)).size > 1) {
    throw new HoldfastError('HF-IMAGE', `${where} holds several images, and none was chosen`, { hint });
  }
  return selectPlatform(candidates, wanted, where);
}

/**
 * Chooses the image for an architecture from an index.
 * @throws HoldfastError HF-IMAGE with the architectures that exist.
 */
export function selectPlatform(entries: readonly IndexEntry[], wanted: Wanted, where: string): IndexEntry {
  const images = entries.filter(isImage);
  const [only] = images;
  // What the entry doesn't say, the image's own configuration says; it is checked there.
  if (only !== undefined && images.every(({ digest }) => digest === only.digest)) return only;
  const fitting = withVariant(
    images.filter(({ platform }) => platform?.os === 'linux' && platform.architecture === wanted.architecture),
    wanted,
  );
  const [chosen] = fitting;
  if (chosen !== undefined && new Set(fitting.map(({ digest }) => digest)).size === 1) return chosen;
  const found = images.map(({ platform }) =>
    platform ? [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/') : 'unknown',
  );
  const list = [...new Set(found)].sort().join(', ') || 'nothing';
  throw new HoldfastError(
    'HF-IMAGE',
    fitting.length === 0
      ? `${where} has no image for ${showPlatform(wanted)}`
      : `${where} has several images for ${showPlatform(wanted)}`,
    { hint: fitting.length === 0 ? `it has: ${list}` : 'name one by its digest' },
  );
}

/** What an architecture is without a variant (containerd, platforms): arm64 is v8, amd64 is v1. */
const DEFAULT_VARIANTS: Readonly<Record<string, string>> = { arm64: 'v8', amd64: 'v1' };

/** Of several images for one architecture, those with the variant; the plain one where none was asked for. */
function withVariant(images: readonly IndexEntry[], { architecture, variant }: Platform): readonly IndexEntry[] {
  const plain = DEFAULT_VARIANTS[architecture] ?? '';
  const chosen = images.filter(({ platform }) => (platform?.variant || plain) === (variant ?? plain));
  return variant === undefined && chosen.length === 0 ? images : chosen;
}

/**
 * Leaves out what stands beside images: buildkit's attestations, with a platform of unknowns, signatures and lists of
 * referrers, which are known by their tags, and other artifacts.
 */
function isImage({ mediaType, platform, tag = '', artifactType }: IndexEntry): boolean {
  if (isCompanionTag(tag) || (artifactType !== undefined && !isConfigType(artifactType))) return false;
  return (isManifestType(mediaType) || isIndexType(mediaType)) && platform?.os !== 'unknown';
}

/** Some tools write the whole reference where the specification wants the tag; an exact tag is preferred. */
function withTag(images: readonly IndexEntry[], wanted: string): readonly IndexEntry[] {
  const exact = images.filter(({ tag }) => tag === wanted);
  return exact.length > 0 ? exact : images.filter(({ tag }) => tag?.endsWith(`:${wanted}`));
}
