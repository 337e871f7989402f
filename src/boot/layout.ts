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
  const statePaths = settings.statePaths.filter((path) => !settings.volumes.some((v) => v.mountPoint === path));
  const rwPaths = settings.rwPaths.filter(
    (path) =>
      !settings.volumes.some((volume) => volume.mountPoint === path) &&
      !(stateVolume !== undefined && statePaths.includes(path)),
  );

  const overlay = (path: string, base: string, requires: string, why = '') => {
    const summary = `Make ${path} writable with an overlay on ${base}${why}`;
    actions.push({ kind: 'mount-overlay', summary, path, base, requires });
    writable.push(path);
  };
  const places: { path: string; volume?: Volume }[] = [
    ...settings.volumes.map((volume) => ({ path: volume.mountPoint, volume })),
    ...(live ? [] : rwPaths.map((path) => ({ path }))),
  ].sort((a, b) => comparePaths(a.path, b.path));
  for (const { path, volume } of places) {
    if (found.mounted.has(path)) continue;
    const device = volume && found.devices.get(volume.device);
    if (volume !== undefined && device === undefined) {
      notices.push(`${volume.device} was not found; ${path} is not kept over a reboot`);
    }
    if (!reachable(path)) {
      notices.push(`${path} is not mounted: the image has no such directory`);
    } else if (volume === undefined) {
      overlay(path, found.overlayDirectory, found.overlayDirectory);
    } else if (device !== undefined) {
      const entry = { source: device.stableName, mountPoint: path, type: 'auto', options: ['defaults'] };
      const summary = `Mount ${volume.device} (${device.path}) at ${path}`;
      actions.push({ kind: 'mount-volume', summary, entry, device: device.path });
      writable.push(path);
    } else if (!live) {
      overlay(path, found.overlayDirectory, found.overlayDirectory, ` in place of ${volume.device}`);
    }
  }

  for (const path of [...statePaths].sort(comparePaths)) {
    if (found.mounted.has(path)) continue;
    if (!reachable(path)) {
      notices.push(`${path} is not persistent: the image has no such directory`);
    } else if (stateVolume === undefined) {
      notices.push(`${path} is not persistent: no volume is mounted for ${settings.stateTarget}`);
      if (!live && !writable.includes(path)) overlay(path, found.overlayDirectory, found.overlayDirectory);
    } else if (settings.stateMode === 'bind') {
      const directory = `${settings.stateTarget}/${flatName(path)}.bind`;
      actions.push({ kind: 'bind-state', summary: `Keep ${path} in ${directory}`, path, directory });
      writable.push(path);
    } else {
      overlay(path, settings.stateTarget, stateVolume.mountPoint);
    }
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
