// An image in an archive, a file of this machine: chosen by tag, name, digest or platform among those in it.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import { ArchiveRepository, normalName } from './archive-repository.ts';
import { type OciImage, openOciImage } from './oci-image.ts';
import { formatImageSource, type ImageSource } from './reference.ts';
import { machinePlatform, type Platform, selectImage, type Wanted } from './selection.ts';

export type ArchiveSource = Extract<ImageSource, { kind: 'oci-archive' | 'docker-archive' }>;

/**
 * Opens an image in an archive: looks through it and reads index, manifest and configuration.
 * @throws HoldfastError HF-NO-SOURCE when there is no such file, HF-IMAGE for a damaged or ambiguous one, HF-DIGEST for
 *   wrong bytes, HF-UNSUPPORTED for layers that can't be unpacked.
 */
export async function openArchive(source: ArchiveSource, platform: Platform = machinePlatform()): Promise<OciImage> {
  const path = resolve(source.path);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new HoldfastError('HF-NO-SOURCE', `${path} is not a file`, { hint: 'name the archive that holds the image' });
  }
  const repository = await ArchiveRepository.open(path);
  const isDocker = source.kind === 'docker-archive';
  // In an archive of a layout that docker wrote, its tag alone stands in the index.
  const name = isDocker && source.tag !== undefined ? (normalName(source.tag) ?? source.tag) : source.tag;
  const isKnown = repository.entries().some(({ tag }) => tag === name);
  const tag = isDocker && !isKnown ? name?.slice(name.lastIndexOf(':') + 1) : name;
  const wanted: Wanted = { ...platform, tag, digest: source.digest };
  const entry = selectImage(repository.entries(), wanted, path);
  const named = await repository.manifest(entry.digest);
  if (named === undefined) {
    throw new HoldfastError('HF-IMAGE', `${path} lists ${entry.digest}, which is missing`, {
      hint: 'the archive is incomplete; make it again',
    });
  }
  const image = await openOciImage(repository, named, {
    origin: 'layout',
    wanted,
    sourceOf: (digest) => formatImageSource({ ...source, path, digest }),
  });
  repository.check(image.layers);
  return image;
}
