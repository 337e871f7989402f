// Which image of several is meant: by tag, by digest, by the machine's architecture. Pure; what can't be decided is an
// error that lists the choices.

import { HoldfastError } from '../system/errors.ts';
import type { Digest } from './digest.ts';
import type { IndexEntry } from './manifest.ts';
import { isIndexType, isManifestType } from './mediatypes.ts';

export interface Wanted {
  tag?: string | undefined;
  digest?: Digest | undefined;
  /** As images name it: `amd64`, `arm64`. */
  architecture: string;
}

/** This machine's architecture in the words of images. */
export function machineArchitecture(arch: string = process.arch): string {
  return arch === 'x64' ? 'amd64' : arch;
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
  if (only !== undefined && images.length === 1) return only;
  const fitting = images.filter(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === wanted.architecture,
  );
  const [chosen] = fitting;
  if (chosen !== undefined && new Set(fitting.map(({ digest }) => digest)).size === 1) return chosen;
  const found = images.map(({ platform }) => (platform ? `${platform.os}/${platform.architecture}` : 'unknown'));
  const list = [...new Set(found)].sort().join(', ') || 'nothing';
  throw new HoldfastError(
    'HF-IMAGE',
    fitting.length === 0
      ? `${where} has no image for linux/${wanted.architecture}`
      : `${where} has several images for linux/${wanted.architecture}`,
    { hint: fitting.length === 0 ? `it has: ${list}` : 'name one by its digest' },
  );
}

/** Leaves out what buildkit puts beside images: attestations, with a platform of unknowns. */
function isImage({ mediaType, platform }: IndexEntry): boolean {
  return (isManifestType(mediaType) || isIndexType(mediaType)) && platform?.os !== 'unknown';
}

/** Some tools write the whole reference where the specification wants the tag; an exact tag is preferred. */
function withTag(images: readonly IndexEntry[], wanted: string): readonly IndexEntry[] {
  const exact = images.filter(({ tag }) => tag === wanted);
  return exact.length > 0 ? exact : images.filter(({ tag }) => tag?.endsWith(`:${wanted}`));
}
