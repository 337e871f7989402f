// What the steps of building an ISO find and leave for each other, and what follows from it: the menu, the numbers that the
// medium is known by, and what is said of it at the end.

import { basename } from 'node:path';
import type { UndoStack } from '../system/plan.ts';
import { fatSerial, mediumUuid } from './identity.ts';
import type { BiosBoot } from './iso-boot.ts';
import { isoMenu } from './iso-menu.ts';
import { rootFileName } from './iso-plan.ts';
import type { IsoRequest } from './iso-request.ts';
import { liveArguments } from './live-arguments.ts';
import type { Published } from './publish.ts';
import type { Compression } from './root-file.ts';
import type { SystemTree } from './system-tree.ts';

/** Where dracut mounts the medium, and the stage files on it as Elemental 2 has them. */
export const STAGE_FILES = 'iso-config';
const LIVE_MEDIUM = '/run/initramfs/live';

export interface IsoState {
  request: IsoRequest;
  /** What holds for all of the plan. */
  undo: UndoStack;
  workPlace: string;
  /** What will be on the medium. */
  medium: string;
  temporary: string;
  tree: SystemTree | undefined;
  compression: Compression | undefined;
  bios: BiosBoot | undefined;
  signed: boolean;
  published: Published | undefined;
}

/** What came out. */
export interface MadeIso extends Published {
  system: string;
  source: string;
  digest: string | undefined;
  bios: boolean;
  secureBoot: boolean;
  compression: string;
  time: string;
  timeBasis: string;
}

/** The boot menu. */
export function menuOf(state: IsoState): string {
  const { label, format, extraArguments } = state.request;
  const { osRelease } = treeOf(state);
  return isoMenu({
    title: osRelease.menuEntry ?? osRelease.prettyName ?? osRelease.name ?? 'cOS',
    liveArguments: liveArguments({
      medium: `CDLABEL=${label}`,
      directory: '/',
      ...(format === 'squashfs' && { file: rootFileName(format) }),
      setup: `${LIVE_MEDIUM}/${STAGE_FILES}`,
      // What dracut doesn't take for a squashfs it lays an overlay over only when it is told to.
      extra: [...(format === 'squashfs' ? [] : ['rd.live.overlay.overlayfs=1']), ...extraArguments],
    }),
  });
}

/** What GRUB knows the medium by is another one for each content, and the same for the same. */
export function identityOf(state: IsoState): { uuid: string; fatSerial: string } {
  const { label, overlays, stageFiles, format, extraArguments, recovery } = state.request;
  const { seed, timeSeconds } = treeOf(state);
  const options = {
    label,
    format,
    compression: state.compression,
    extraArguments,
    stageFiles,
    timeSeconds,
    overlays: [overlays.uefi, overlays.iso],
    recovery: recovery?.kind === 'image' ? (recovery.image.digest ?? recovery.image.source) : recovery?.source,
  };
  return {
    uuid: mediumUuid({ seed, purpose: 'iso', options }),
    fatSerial: fatSerial({ seed, purpose: 'iso efi', options }),
  };
}

/** @throws Error before the image is unpacked. */
export function treeOf({ tree }: IsoState): SystemTree {
  if (tree === undefined) throw new Error('the image was not unpacked');
  return tree;
}

/** @throws Error before the image is unpacked. */
export function compressionOf({ compression }: IsoState): Compression {
  if (compression === undefined) throw new Error('the image was not unpacked');
  return compression;
}

export function describeIso(state: IsoState): MadeIso | undefined {
  const { published } = state;
  if (published === undefined) return undefined;
  const { osRelease, source, digest, time } = treeOf(state);
  return {
    ...published,
    system: osRelease.prettyName ?? osRelease.name ?? basename(source),
    source,
    digest,
    bios: state.bios !== undefined,
    secureBoot: state.signed,
    compression: `${state.request.format} (${compressionOf(state)})`,
    time: new Date(time.seconds * 1000).toISOString(),
    timeBasis: time.basis,
  };
}
