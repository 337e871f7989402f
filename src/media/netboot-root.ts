// The two ways by which the root of a machine that boots from the network gets into its memory, which of them an initramfs
// can, and the memory that each takes.

import { HoldfastError } from '../system/errors.ts';
import type { Initramfs } from './initramfs.ts';

/**
 * `http`: the initramfs fetches it (dracut's livenet), so it needs the network card's driver.
 * `initrd`: the boot loader brings it as a second initramfs, so only the boot loader needs the network.
 */
export const ROOT_WAYS = ['http', 'initrd'] as const;
export type RootWay = (typeof ROOT_WAYS)[number];

/**
 * Where the root is in the initramfs: dracut 059 takes files there for a live root only when they are called .img or .iso.
 */
export const ROOT_IN_INITRAMFS = 'rootfs.img';

/**
 * dracut's modules that run what fetches a root once the network is up. That of systemd-networkd, which dracut 059 takes by
 * itself where it is installed, brings the network up and leaves it at that: such a boot waits for ever.
 */
const FETCHING_NETWORKS = ['network-legacy', 'network-manager', 'network-wicked', 'connman'];

const MIB = 2 ** 20;
/** For a kernel, a system at rest and what it writes into memory. */
const SYSTEM_MIB = 512;
/** Memory is sold in these. */
const STEP_MIB = 256;

/**
 * The way that is asked for, if the initramfs can it; otherwise fetching where it can, since that takes half the memory.
 * @throws HoldfastError HF-NOT-BOOTABLE with the package that is missing in the image.
 */
export function chooseRootWay(initramfs: Pick<Initramfs, 'dracutModules'>, asked: RootWay | undefined): RootWay {
  const { dracutModules } = initramfs;
  if (!dracutModules.has('dmsquash-live')) {
    throw cannot(
      'the image’s initramfs can’t boot a live system: dracut’s module dmsquash-live is not in it',
      'dracut-live',
    );
  }
  const hasNetwork = FETCHING_NETWORKS.some((module) => dracutModules.has(module));
  const fetches = dracutModules.has('livenet') && hasNetwork;
  if (asked === 'http' && !fetches) {
    const lacks = dracutModules.has('livenet') ? 'network-legacy or network-manager' : 'livenet';
    throw cannot(`the image’s initramfs can’t fetch its root: dracut’s module ${lacks} is not in it`, 'dracut-network');
  }
  return asked ?? (fetches ? 'http' : 'initrd');
}

function cannot(message: string, debian: string): HoldfastError {
  const packages = debian === 'dracut-live' ? 'dracut-live (Debian, Fedora), dracut (openSUSE)' : 'dracut-network';
  return new HoldfastError('HF-NOT-BOOTABLE', message, {
    hint: `add to the image: ${packages}; then run \`holdfast init\` in it again`,
  });
}

export interface RootSizes {
  rootBytes: number;
  /** The image's own, as a file and in memory. */
  initramfsBytes: number;
  initramfsUnpackedBytes: number;
}

/**
 * How much memory a machine must have at least. While the kernel unpacks an initramfs it holds both, the file and what was
 * in it, and no memory is free again before all of it is unpacked.
 */
export function requiredMemoryMiB(
  way: RootWay,
  { rootBytes, initramfsBytes, initramfsUnpackedBytes }: RootSizes,
): number {
  const brought = initramfsBytes + initramfsUnpackedBytes;
  const bytes = way === 'http' ? rootBytes + brought : 2 * rootBytes + brought;
  return Math.ceil((bytes / MIB + SYSTEM_MIB) / STEP_MIB) * STEP_MIB;
}
