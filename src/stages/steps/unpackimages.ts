// `unpack_images`: the content of container images over directories of the root. An image is unpacked beside its place
// first and moved there when all of it has come and was checked: a broken download leaves the target as it was.

import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../../image/image.ts';
import type { ImageSource } from '../../image/reference.ts';
import type { Platform } from '../../image/selection.ts';
import type { Root } from '../../system/root.ts';
import { placeParents, processOwner } from '../placement.ts';
import { attempt, type StepContext, type StepHandler, type StepValue } from './handler.ts';

type Entry = StepValue<'unpack_images'>[number];

/** Beside what will be there; with the process that does it behind it. */
const WORK_PREFIX = '.holdfast-unpack-';

export const unpackImages: StepHandler<'unpack_images'> = {
  key: 'unpack_images',
  describe: (value) =>
    value
      .filter(({ source, target }) => source && target)
      .map(({ source, target, platform }) => `unpack ${source}${platform ? ` (${platform})` : ''} over ${target}`),
  async apply(value, context) {
    for (const entry of value) {
      const { source, target, platform } = entry;
      if (!source || !target) {
        context.warn(`unpack_images: an entry without ${source ? 'target' : 'source'} is skipped`);
        continue;
      }
      await attempt(context, () => unpack({ source, target, platform: platform ?? '' }, context));
    }
  },
};

async function unpack(
  { source: text, target, platform: wanted }: Required<Entry>,
  context: StepContext,
): Promise<void> {
  const { root, events, signal, admitImage } = context;
  const [{ openImage }, { machinePlatform, parsePlatform }, { findUnpacked, noteUnpacked }] = await Promise.all([
    import('../../image/image.ts'),
    import('../../image/selection.ts'),
    import('../unpacked/record.ts'),
  ]);
  const platform: Platform = wanted === '' ? machinePlatform() : parsePlatform(wanted);
  const source = await sourceOf(text, root);
  const request = `${text} linux/${platform.architecture}${platform.variant ? `/${platform.variant}` : ''}`;
  const known = findUnpacked(root, target, request);
  // Its content can't have changed: nobody has to be asked.
  if (known !== undefined && (await isPinned(source))) return;
  if (source.kind === 'registry') await admitImage?.(source.reference, root);
  const image = await openImage(source, { platform, registry: { signal } });
  if (known !== undefined && known.digest === image.digest) return;

  const parents = { ...processOwner(), mode: 0o755 };
  placeParents(root, join(target, 'inside'), parents).forEach(context.changed);
  const directory = root.resolve(target);
  const say = (line: string) => events({ type: 'notice', level: 'info', text: line });
  say(`unpacking ${image.source} over ${target}${trustOf(image)}`);
  const { files, warnings, names } = await unpackOver(image, directory, signal);
  for (const warning of warnings) context.warn(`unpack_images: ${text}: ${warning}`);
  if (image.digest !== undefined) noteUnpacked(root, target, { request, digest: image.digest, names });
  say(`${files} files were unpacked over ${target}`);
  context.changed(target);
}

/** Unpacks an image into a directory of its own inside the target, and moves everything from there. */
async function unpackOver(
  image: Image,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<{ files: number; warnings: readonly string[]; names: string[] }> {
  const [{ unpackImage }, { mergeTree }, { removeTree }] = await Promise.all([
    import('../../image/unpack-image.ts'),
    import('../../image/merge.ts'),
    import('../../image/targettree.ts'),
  ]);
  for (const name of leftovers(directory)) removeTree(join(directory, name));
  const work = join(directory, `${WORK_PREFIX}${process.pid}`);
  mkdirSync(work, { mode: 0o700 });
  try {
    const unpacked = await unpackImage(image, work, { signal });
    // What is no text can't be looked for later.
    const names = readdirSync(work).filter((name) => !name.includes('\ufffd'));
    await mergeTree(work, directory, unpacked);
    return { ...unpacked, names };
  } finally {
    removeTree(work);
  }
}

/** What a killed process has left. */
function leftovers(directory: string): string[] {
  return readdirSync(directory).filter((name) => {
    const pid = name.startsWith(WORK_PREFIX) ? name.slice(WORK_PREFIX.length) : '';
    return /^\d+$/.test(pid) && (pid === String(process.pid) || !existsSync(`/proc/${pid}`));
  });
}

/**
 * An image as stages name it: a reference as for docker, or with one of our schemes, whose paths are in the root. A word
 * with a tag is the former, since there is an image called docker.
 */
export async function sourceOf(text: string, root: Root): Promise<ImageSource> {
  const { parseImageSource } = await import('../../image/reference.ts');
  const hasScheme = /^[a-z][a-z0-9.-]*:(?!\d+\/)/.test(text) && !/^[^/:]+:[^/:]+$/.test(text);
  const source: ImageSource =
    hasScheme || /^\.{0,2}\//.test(text) ? parseImageSource(text) : { kind: 'registry', reference: text };
  return source.kind === 'registry' ? source : { ...source, path: root.resolve(source.path) };
}

async function isPinned(source: ImageSource): Promise<boolean> {
  if (source.kind === 'oci-layout') return source.digest !== undefined;
  if (source.kind !== 'registry') return false;
  const { parseRegistryName } = await import('../../image/registry/name.ts');
  return parseRegistryName(source.reference).digest !== undefined;
}

function trustOf(image: Image): string {
  return image.kind === 'oci' && image.origin === 'registry' ? '; no signature was verified' : '';
}
