// What becomes of a file at a reboot, by where it is mounted: on cOS a directory is kept, forgotten at each reboot, or part
// of the slot. Decided from the kernel's own list of mounts, which no configuration can contradict.

import type { Mount } from '../system/mounts.ts';

/**
 * `persistent`: it outlives reboots and upgrades by itself. `ephemeral`: a reboot brings back what the slot has. `slot`: it is
 * the slot's. `nowhere`: it is of this boot alone (/run, /proc).
 */
export type Place = 'persistent' | 'ephemeral' | 'slot' | 'nowhere';

const OF_THE_KERNEL = /^\/(?:dev|proc|run|sys|tmp)(?:\/|$)/;

/** Where the slots are mounted whose directories were brought to the running system without a reboot. */
const LIVE_SLOT = /^\/run\/holdfast\/live\/[^/.]+$/;

/** @param path absolute, its links followed. */
export function placeOf(path: string, mounts: readonly Mount[]): Place {
  if (OF_THE_KERNEL.test(path)) return 'nowhere';
  const mount = mounts.reduce<Mount | undefined>(
    (best, one) =>
      isBelow(path, one.mountPoint) && one.mountPoint.length >= (best?.mountPoint.length ?? 0) ? one : best,
    undefined,
  );
  if (mount === undefined || mount.mountPoint === '/') return 'slot';
  if (mount.type === 'tmpfs') return 'ephemeral';
  // Overlays of the mount layout keep their changes below /run, or on the persistent partition.
  if (mount.type === 'overlay') {
    const upper = mount.superOptions.find((option) => option.startsWith('upperdir='));
    return upper?.includes('/usr/local/') ? 'persistent' : 'ephemeral';
  }
  // What a mount can do now says nothing: a disk that was made read-only after an error stays what it is.
  const slots = mounts.filter(({ mountPoint }) => mountPoint === '/' || LIVE_SLOT.test(mountPoint));
  return slots.some(({ device }) => device === mount.device) ? 'slot' : 'persistent';
}

function isBelow(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}
