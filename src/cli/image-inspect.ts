// `holdfast image inspect IMAGE`: what an image is, without unpacking it. Nothing is verified here but digests.

import { estimateImage } from '../image/estimate.ts';
import { openImage } from '../image/image.ts';
import { figuresOfTree } from '../image/image-difference.ts';
import { shortDigest } from '../image/manifest.ts';
import { layerCompression } from '../image/mediatypes.ts';
import type { OciImage } from '../image/oci-image.ts';
import type { ReadMemory } from '../image/read-contents.ts';
import { parseImageSource } from '../image/reference.ts';
import { parseOsRelease } from '../lifecycle/bootable.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { HoldfastError } from '../system/errors.ts';
import type { CommandContext } from './program.ts';

export interface ImageLookFlags {
  contents?: boolean;
  all?: boolean;
  insecureRegistry?: string[];
}

export async function imageInspectCommand(
  context: CommandContext,
  [text = '', ...others]: string[],
  flags: ImageLookFlags,
): Promise<number> {
  const { reporter, signal } = context;
  if (others.length > 0) {
    throw new HoldfastError('HF-USAGE', `one image is inspected at a time, not ${others.length + 1}`, {
      hint: 'to compare two: holdfast image diff A B',
    });
  }
  const image = await openLayeredImage(text, flags, signal);
  const { config, layers } = image;
  const { openSeekableLayers } = await import('../image/seekable/open-seekable.ts');
  const problems: string[] = [];
  const seekable = await openSeekableLayers(image, { signal, notice: (problem) => problems.push(problem) });
  const referrers = await image.repository.referrers(image.digest);
  const estimate = flags.contents ? undefined : await estimateImage(image, { signal });
  const contents = flags.contents ? await look(context, image) : undefined;
  const described = layers.map((layer) => ({
    digest: layer.digest,
    diffId: layer.diffId,
    sizeBytes: layer.sizeBytes,
    compression: layerCompression(layer.mediaType) ?? 'unknown',
    seekable: seekable.get(layer.diffId)?.source.name ?? null,
  }));
  const packedBytes = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const system = contents?.osRelease === undefined ? undefined : parseOsRelease(contents.osRelease);
  const figures = contents && figuresOfTree(contents.tree);
  const value = {
    source: image.source,
    digest: image.digest,
    index: image.index?.digest ?? null,
    platform: { os: config.os, architecture: config.architecture },
    labels: config.labels,
    packedBytes,
    layers: described,
    referrers: referrers.map(({ digest, mediaType }) => ({ digest, mediaType })),
    problems,
    ...(estimate && { estimate }),
    ...(figures && { contents: { ...figures, system: system?.prettyName ?? null, packages: packagesOf(contents) } }),
  };
  const title = ['title', 'version'].map((key) => config.labels[`org.opencontainers.image.${key}`]);
  reporter.result(value, [
    `Image ${image.source}`,
    `  digest     ${image.digest}`,
    `  platform   ${config.os}/${config.architecture}`,
    ...(title.some((part) => part !== undefined) ? [`  title      ${title.filter(Boolean).join(' ')}`] : []),
    ...(system === undefined ? [] : [`  system     ${system.prettyName ?? system.name ?? 'unnamed'}`]),
    ...(contents === undefined
      ? []
      : [`  packages   ${contents.packages?.size ?? 'not known: no list of dpkg or apk'}`]),
    figures !== undefined
      ? `  content    ${formatBytes(figures.contentBytes)} in ${figures.entries} names`
      : `  content    about ${formatBytes(estimate?.contentBytes ?? 0)}, from ${estimate?.basis}; --contents reads it`,
    `  layers     ${layers.length}, ${formatBytes(packedBytes)} to fetch for the whole`,
    ...described.map(
      (layer) =>
        `    ${shortDigest(layer.digest)}  ${formatBytes(layer.sizeBytes).padStart(8)}  ${layer.compression}${layer.seekable === null ? '' : `, file by file (${layer.seekable})`}`,
    ),
    ...(referrers.length === 0 ? [] : [`  beside it  ${referrers.length} artifact(s), such as signatures and indexes`]),
    ...problems.map((problem) => `  note       ${problem}`),
  ]);
  return 0;
}

/** Reads what is in an image, with progress. */
export async function look({ reporter, signal }: CommandContext, image: OciImage, memory?: ReadMemory) {
  const { readContents } = await import('../image/read-contents.ts');
  return await readContents(image, {
    signal,
    memory,
    onProgress: (progress) => reporter.events({ type: 'action-progress', index: -1, ...progress }),
    notice: (text) => reporter.events({ type: 'notice', level: 'info', text }),
  });
}

function packagesOf(contents: Awaited<ReturnType<typeof look>> | undefined): Record<string, string> | null {
  return contents?.packages === undefined ? null : Object.fromEntries(contents.packages);
}

/** @throws HoldfastError HF-UNSUPPORTED for sources without layers. */
export async function openLayeredImage(
  text: string,
  { insecureRegistry }: ImageLookFlags,
  signal: AbortSignal,
): Promise<OciImage> {
  const image = await openImage(parseImageSource(text), { registry: { insecure: insecureRegistry, signal } });
  if (image.kind === 'oci') return image;
  throw new HoldfastError('HF-UNSUPPORTED', `${image.source} is a tree: it has no layers to look at`, {
    hint: 'name an image in a registry, layout or archive: docker:IMAGE:TAG, oci-layout:DIRECTORY:TAG',
  });
}
