// `holdfast image index IMAGE`: an index published beside an image, so that machines fetch only what changed of layers
// that were built without a thought of that.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openImage } from '../image/image.ts';
import type { OciImage } from '../image/oci-image.ts';
import { parseImageSource } from '../image/reference.ts';
import { type IndexState, indexPerformers, planIndex } from '../image/seekable/publish-index.ts';
import { HoldfastError } from '../system/errors.ts';
import { apply } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';

export interface ImageIndexFlags {
  since?: string[];
  insecureRegistry?: string[];
  dryRun?: boolean;
}

/** Nothing is verified but digests: what machines make of the index is verified there, against the image itself. */
export async function imageIndexCommand(
  context: CommandContext,
  [text = '', ...others]: string[],
  flags: ImageIndexFlags,
): Promise<number> {
  const { reporter, signal, undo } = context;
  if (others.length > 0) {
    throw new HoldfastError('HF-USAGE', `one image is indexed at a time, not ${others.length + 1}`, {
      hint: 'name older images with --since',
    });
  }
  const open = (name: string) => openLayers(name, flags, signal);
  const image = await open(text);
  const since: OciImage[] = [];
  for (const older of flags.since ?? []) since.push(await open(older));
  const plan = planIndex({ image, since });
  if (flags.dryRun) {
    reporter.result({ outcome: 'planned', plan }, planLines(plan));
    return 0;
  }
  requireTools(['zstd']);
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-index-'));
  undo.always(`remove ${directory}`, () => rmSync(directory, { recursive: true, force: true }));
  const state: IndexState = { image, since, directory };
  const { durationMs } = await apply(plan, indexPerformers, { state, events: reporter.events, signal });
  const { made, published } = state;
  if (made === undefined || published === undefined) throw new TypeError('the index was not published');
  const { figures } = made;
  const result = {
    outcome: 'ok',
    durationMs,
    image: { source: image.source, digest: image.digest },
    since: made.artifact.since,
    index: { digest: published.digest, ...figures },
  };
  reporter.result(result, [
    `Published the index of ${image.source} in ${image.repository.name} as ${published.digest}.`,
    `${figures.files} files in ${figures.layers} layers; ${figures.packedChunks} of ${figures.chunks} chunks are in the pack:`,
    `documents ${megabytes(figures.documentBytes)}, pack ${megabytes(figures.packBytes)}.`,
  ]);
  return 0;
}

async function openLayers(text: string, { insecureRegistry }: ImageIndexFlags, signal: AbortSignal): Promise<OciImage> {
  const image = await openImage(parseImageSource(text), { registry: { insecure: insecureRegistry, signal } });
  if (image.kind === 'oci') return image;
  throw new HoldfastError('HF-UNSUPPORTED', `${image.source} is a tree: it has no layers and no place for an index`, {
    hint: 'name an image in a registry or in a layout: docker:IMAGE:TAG, oci-layout:DIRECTORY:TAG',
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
