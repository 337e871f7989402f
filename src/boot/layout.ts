// Plans the mounts of the new root: base for ephemeral changes, volumes, overlays, persistent paths, fstab. Pure: what
// exists is handed in, the order and every fallback are decided here (and shown by `holdfast mount --dry-run`).

import type { Action, Plan } from '../system/plan.ts';
import { comparePaths, type FstabEntry } from './fstab.ts';
import type { LayoutSettings, OverlayBase, Volume } from './layout-settings.ts';

/** A block device that was found for what the settings name. */
export interface FoundDevice {
  /** `/dev/vda2` */
  path: string;
  /** The name for fstab, which also holds at the next boot. */
  stableName: string;
}

export interface LayoutFound {
  /** What /sysroot is mounted from, `/dev/loop0`. */
  rootSource: string;
  /** `overlay` on live media, whose root is writable already. */
  rootType: string;
  /** By the device as the settings spell it. What isn't in here wasn't found. */
  devices: ReadonlyMap<string, FoundDevice>;
  /** Those paths of the settings (and /tmp) that are directories of the image. */
  directories: ReadonlySet<string>;
  /** Those of them where something is mounted already. */
  mounted: ReadonlySet<string>;
  /** Where the base of ephemeral overlays goes: /run/overlay. */
  overlayDirectory: string;
}

export type LayoutAction =
  | (Action<'mount-base'> & { entry: FstabEntry })
  | (Action<'mount-volume'> & { entry: FstabEntry; device: string })
  | (Action<'mount-overlay'> & { path: string; base: string; requires: string })
  | (Action<'bind-state'> & { path: string; directory: string })
  | (Action<'mount-tmp'> & { entry: FstabEntry })
  | (Action<'write-fstab'> & { root: FstabEntry | undefined });

export interface LayoutPlan extends Plan<LayoutAction> {
  /** Whatever differs from what was asked for, one sentence each. */
  notices: readonly string[];
}

/** Decides on the layout; every path in the plan is a path of the new root (or below /run). */
export function planLayout(settings: LayoutSettings, found: LayoutFound): LayoutPlan {
  const notices = [...settings.problems];
  const actions: LayoutAction[] = [];
  const live = found.rootType === 'overlay';
  /** Mount points of the plan below which directories can be made. */
  const writable: string[] = [];
  const reachable = (path: string) =>
    found.directories.has(path) || isBelow(path, '/run') || writable.some((parent) => isBelow(path, parent));

  if (!live) actions.push(planBase(settings.overlayBase, found, notices));

  const stateVolume = settings.volumes.find(
    ({ device, mountPoint }) =>
      found.devices.has(device) && (mountPoint === settings.stateTarget || isBelow(settings.stateTarget, mountPoint)),
  );
  // cOS leaves a path that is both ephemeral and persistent ephemeral, without a word. Asking for persistence is the
  // stronger wish.
  const isVolume = (path: string) => settings.volumes.some((volume) => volume.mountPoint === path);
  const statePaths = settings.statePaths.filter((path) => !isVolume(path));
  const rwPaths = settings.rwPaths.filter((path) => !isVolume(path) && !statePaths.includes(path));

  const overlay = (path: string, base: string, requires: string, why = '') => {
    const summary = `Make ${path} writable with an overlay on ${base}${why}`;
    actions.push({ kind: 'mount-overlay', summary, path, base, requires });
    writable.push(path);
  };
  const volumePlace = (path: string, { device }: Volume) => {
    const at = found.devices.get(device);
    if (at !== undefined) {
      const entry = { source: at.stableName, mountPoint: path, type: 'auto', options: ['defaults'] };
      const summary = `Mount ${device} (${at.path}) at ${path}`;
      actions.push({ kind: 'mount-volume', summary, entry, device: at.path });
      writable.push(path);
      return;
    }
    notices.push(`${device} was not found; ${path} is not kept over a reboot`);
    if (!live) overlay(path, found.overlayDirectory, found.overlayDirectory, ` in place of ${device}`);
  };
  const statePlace = (path: string) => {
    if (stateVolume === undefined) {
      notices.push(`${path} is not persistent: no volume is mounted for ${settings.stateTarget}`);
      if (!live) overlay(path, found.overlayDirectory, found.overlayDirectory);
    } else if (isBelow(settings.stateTarget, path)) {
      notices.push(`${path} is not persistent: it contains ${settings.stateTarget}, where it would be kept`);
    } else if (settings.stateMode === 'bind') {
      const directory = `${settings.stateTarget}/${flatName(path)}.bind`;
      actions.push({ kind: 'bind-state', summary: `Keep ${path} in ${directory}`, path, directory });
      writable.push(path);
    } else {
      overlay(path, settings.stateTarget, stateVolume.mountPoint);
    }
  };

  const places = [
    ...settings.volumes.map((volume) => ({
      path: volume.mountPoint,
      make: () => volumePlace(volume.mountPoint, volume),
    })),
    ...(live ? [] : rwPaths).map((path) => ({
      path,
      make: () => overlay(path, found.overlayDirectory, found.overlayDirectory),
    })),
    ...statePaths.map((path) => ({ path, make: () => statePlace(path) })),
  ].sort((a, b) => comparePaths(a.path, b.path));
  // What keeps the persistent paths comes first, with everything that it lies in.
  const keeper = stateVolume?.mountPoint ?? '';
  const isFirst = ({ path }: { path: string }) => path === keeper || isBelow(keeper, path);
  for (const { path, make } of [...places.filter(isFirst), ...places.filter((place) => !isFirst(place))]) {
    if (found.mounted.has(path)) continue;
    if (reachable(path)) make();
    else notices.push(`${path} is not mounted: the image has no such directory`);
  }

  if (!live && !writable.includes('/tmp') && found.directories.has('/tmp') && !found.mounted.has('/tmp')) {
    // systemd gives each service with PrivateTmp= a directory in it.
    const options = ['mode=1777', 'nosuid', 'nodev'];
    const entry = { source: 'tmpfs', mountPoint: '/tmp', type: 'tmpfs', options };
    actions.push({ kind: 'mount-tmp', summary: 'Mount a tmpfs at /tmp', entry });
  }
  const options = [settings.debugRw ? 'rw' : 'ro'];
  const root = live ? undefined : { source: found.rootSource, mountPoint: '/', type: 'auto', options };
  actions.push({ kind: 'write-fstab', summary: 'Write /etc/fstab', root });
  return { title: 'Mount the layout of the new root', actions, notices };
}

/** The name of a path's directory on the base: `/etc/ssh` → `etc-ssh`. */
export function flatName(path: string): string {
  return path.slice(1).replaceAll('/', '-');
}

function planBase(base: OverlayBase, found: LayoutFound, notices: string[]): LayoutAction {
  const mountPoint = found.overlayDirectory;
  const device = base.type === 'device' ? found.devices.get(base.device) : undefined;
  if (device !== undefined) {
    const entry = { source: device.stableName, mountPoint, type: 'auto', options: ['defaults'] };
    return { kind: 'mount-base', summary: `Mount ${device.path} for ephemeral changes`, entry };
  }
  if (base.type === 'device') notices.push(`${base.device} was not found; ephemeral changes are kept in memory`);
  const size = base.type === 'tmpfs' ? base.size : '20%';
  const entry = { source: 'tmpfs', mountPoint, type: 'tmpfs', options: ['defaults', `size=${size}`] };
  return { kind: 'mount-base', summary: `Mount a tmpfs of ${size} for ephemeral changes`, entry };
}

function isBelow(path: string, parent: string): boolean {
  return path.startsWith(`${parent}/`);
}
