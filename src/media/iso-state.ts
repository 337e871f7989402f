// What the steps of building an ISO find and leave for each other, and what follows from it: the menu, the numbers that the
// medium is known by, and what is said of it at the end.

import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { UndoStack } from '../system/plan.ts';
import { fatSerial, mediumUuid } from './identity.ts';
import type { BiosBoot } from './iso-boot.ts';
import { isoMenu } from './iso-menu.ts';
import { rootFileName } from './iso-plan.ts';
import type { IsoRequest } from './iso-request.ts';
import { liveArguments } from './live-arguments.ts';
import { type Published, sha256Of } from './publish.ts';
import type { Compression } from './root-file.ts';
import type { SystemTree } from './system-tree.ts';
import { fingerprintTree } from './tree-fingerprint.ts';

/** Where dracut mounts the medium, and the stage files on it as Elemental 2 has them. */
export const STAGE_FILES = 'iso-config';
const LIVE_MEDIUM = '/run/initramfs/live';

/** On the medium. */
const RECOVERY_NAMES = ['recovery.squashfs', 'recovery.img'];

export interface MediumIdentity {
  uuid: string;
  fatSerial: string;
}

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
  identity: MediumIdentity | undefined;
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

/**
 * What GRUB knows the medium by: another one for each content, and the same for the same, wherever its parts lay on the
 * builder's disk. Called when the recovery system is on the medium.
 */
export async function identifyMedium(state: IsoState, signal: AbortSignal): Promise<MediumIdentity> {
  const { label, overlays, stageFiles, format, extraArguments } = state.request;
  const { seed, timeSeconds } = treeOf(state);
  const contents: string[] = [];
  for (const overlay of [...overlays.uefi, ...overlays.iso]) contents.push(await fingerprintTree(overlay, signal));
  for (const name of RECOVERY_NAMES) {
    const file = join(state.medium, name);
    if (existsSync(file)) contents.push(await sha256Of(file, signal));
  }
  const { compression } = state;
  const options = { label, format, compression, extraArguments, stageFiles, timeSeconds, contents };
  return {
    uuid: mediumUuid({ seed, purpose: 'iso', options }),
    fatSerial: fatSerial({ seed, purpose: 'iso efi', options }),
  };
}

/** @throws Error before the boot loader is added. */
export function identityOf({ identity }: IsoState): MediumIdentity {
  if (identity === undefined) throw new Error('the medium has no identity yet');
  return identity;
}

/** What the medium says of itself: not where it was built. */
export function mediumInfo({ request, ...state }: IsoState): string {
  const { image } = request;
  const { osRelease } = treeOf({ request, ...state });
  const isRemote = image.kind === 'oci' && image.origin === 'registry';
  const source = isRemote ? image.source : image.digest;
  const name = osRelease.prettyName ?? osRelease.name ?? 'Live system';
  return `${name}${source === undefined ? '' : ` (${source})`}\n`;
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
