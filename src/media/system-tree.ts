// The system that a medium will carry, as a directory: an image unpacked like one that is installed, with the builder's own
// files laid over it, checked to be able to boot, and no newer than the medium's time.

import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { estimateImage } from '../image/estimate.ts';
import type { Image } from '../image/image.ts';
import { unpackImage } from '../image/unpack-image.ts';
import { readOsRelease, requireBootable } from '../lifecycle/bootable.ts';
import { filledSize } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import type { ApplyContext } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { layOver } from './overlay-directory.ts';
import { clampTimes, newestFileSeconds, type SourceTime, sourceTime } from './source-time.ts';
import { fingerprintTree } from './tree-fingerprint.ts';

export interface SystemTreeOptions {
  /** Verified and opened as `install` does it. */
  image: Image;
  /** Directories that are laid over it, in this order; checked by `overlayDirectory`. */
  overlays: readonly string[];
  /** A directory of `openWorkPlace`. */
  workPlace: string;
  /** The tree's name in there; default `system`. */
  name?: string | undefined;
  environment?: NodeJS.ProcessEnv | undefined;
  /** The medium's time, where another tree has decided it. */
  time?: SourceTime | undefined;
}

/** A system that is ready to be put onto a medium. */
export interface SystemTree {
  directory: string;
  root: Root;
  /** As the image is named in records, with its digest where it has one. */
  source: string;
  digest: string | undefined;
  /** Says what is in it, overlays included: for `mediumUuid`. */
  seed: string;
  osRelease: ReturnType<typeof readOsRelease>;
  time: SourceTime;
  timeSeconds: number;
}

/** Room for an unpacked image, in bytes; nothing of its layers is read. */
export async function treeBytes(image: Image, signal: AbortSignal): Promise<number> {
  const { contentBytes, entries } = await estimateImage(image, { signal });
  return filledSize(contentBytes, entries);
}

/**
 * Unpacks the image and makes the tree. Needs root, for owners and devices.
 * @throws HoldfastError HF-NOT-BOOTABLE when it can't boot, HF-UNSUPPORTED for another processor; otherwise as
 *   {@link unpackImage} and {@link layOver}.
 */
export async function openSystemTree(
  context: Pick<ApplyContext, 'events' | 'signal' | 'progress' | 'warn'>,
  options: SystemTreeOptions,
): Promise<SystemTree> {
  const { image, overlays, workPlace, name = 'system', environment = process.env } = options;
  const { signal } = context;
  const directory = join(workPlace, name);
  mkdirSync(directory);
  // Not left to the builder's umask: many base images have no entry for the root itself.
  chmodSync(directory, 0o755);
  const { warnings } = await unpackImage(image, directory, { signal, onProgress: context.progress });
  for (const text of warnings) context.warn(text);
  const time =
    options.time ??
    sourceTime({
      environment,
      created: image.kind === 'oci' ? image.config.created : undefined,
      newestFile: () => newestFileSeconds(directory),
    });
  const root = new Root(directory);
  for (const overlay of overlays) await layOver(overlay, root, { signal });
  requireBootable(root);
  clampTimes(directory, time.seconds);
  // Of what has no digest, all of it is read: two media with different content must not get the same numbers.
  const parts = [image.digest ?? (await fingerprintTree(directory, signal))];
  if (image.digest !== undefined) for (const overlay of overlays) parts.push(await fingerprintTree(overlay, signal));
  return {
    directory,
    root,
    source: image.source,
    digest: image.digest,
    seed: parts.join(' '),
    osRelease: readOsRelease(root),
    time,
    timeSeconds: time.seconds,
  };
}

/** What media are made for; GRUB's programs, kernel arguments and firmware's file names belong to it. */
export function requireX86(arch: string): void {
  if (['x86_64', 'amd64', 'x64'].includes(arch)) return;
  throw new HoldfastError('HF-UNSUPPORTED', `media for ${arch} can’t be made yet`, {
    hint: 'images for x86_64 can: -a x86_64',
  });
}
