// Plans the mounts of the new root: base for ephemeral changes, volumes, overlays, persistent paths, fstab. Pure: what
// exists is handed in, the order and every fallback are decided here (and shown by `holdfast mount --dry-run`).

import type { Action, Plan } from '../system/plan.ts';
import type { FstabEntry } from './fstab.ts';
import { flatName, isAtOrBelow, isBelow, type Place, settlePlaces } from './layout-places.ts';
import type { LayoutSettings } from './layout-settings.ts';
import { DEFAULT_OVERLAY_SIZE, type OverlayBase } from './layout-words.ts';

/** A block device that was found for what the settings name. */
export interface FoundDevice {
  /** `/dev/vda2` */
  path: string;
  /** The name for fstab, which also holds at the next boot. */
  stableName: string;
  /** `ext4`; absent where blkid knows none. */
  type?: string;
  /** What the owner should know about this choice: several devices have the name. */
  notice?: string;
}

export interface LayoutFound {
  /** What /sysroot is mounted from, `/dev/loop0`. */
  rootSource: string;
  /** `overlay` on live media, whose root is writable already. */
  rootType: string;
  rootReadOnly: boolean;
  /**
   * The root is a writable overlay, so nothing has to be put over its directories: its changes are `kept`, or in `memory`
   * until the next boot.
   */
  rootOverlay: 'kept' | 'memory' | undefined;
  /** By the device as the settings spell it. What isn't in here wasn't found. */
  devices: ReadonlyMap<string, FoundDevice>;
  /** Where the paths of the settings (and /tmp) are when the image's links are followed; those that differ. */
  realPaths: ReadonlyMap<string, string>;
  /** Those of the paths, real ones and as asked for, that are directories of the image. */
  directories: ReadonlySet<string>;
  /** Those of the real paths below /run that are directories with something in them. */
  occupied: ReadonlySet<string>;
  /** Those of the real paths where something is mounted already, with what fstab has to say of it. */
  mounted: ReadonlyMap<string, FstabEntry>;
  /** Where the base of ephemeral overlays goes: /run/overlay. */
  overlayDirectory: string;
}

export type LayoutAction =
  | Action<'make-root-writable'>
  /** `device` is absent for a tmpfs; a device that can't be used is replaced by a tmpfs. */
  | (Action<'mount-base'> & { entry: FstabEntry; device?: { path: string; type: string } })
  /** `ephemeral` is the name of the directory for the overlay in its place; absent on live media. */
  | (Action<'mount-volume'> & { entry: FstabEntry; device: string; type: string; ephemeral?: string })
  | (Action<'mount-overlay'> & {
      path: string;
      name: string;
      persistent: boolean;
      requires: string;
      ephemeral?: string;
    })
  | (Action<'bind-state'> & { path: string; directory: string; requires: string; ephemeral?: string })
  | (Action<'make-directory'> & { path: string })
  | (Action<'mount-tmp'> & { entry: FstabEntry })
  /** `write` is false where somebody else looks after fstab; the entries are of what was there before. */
  | (Action<'write-fstab'> & { entries: readonly FstabEntry[]; write: boolean })
  | (Action<'list-for-relabel'> & { paths: readonly string[] });

export interface LayoutPlan extends Plan<LayoutAction> {
  /** Whatever differs from what was asked for, one sentence each. */
  notices: readonly string[];
  /** Where persistent paths are kept, a path of the new root. */
  stateTarget: string;
}

/** Decides on the layout; every path in the plan is a path of the new root (or below /run). */
export function planLayout(settings: LayoutSettings, found: LayoutFound): LayoutPlan {
  const notices = [...settings.problems];
  const actions: LayoutAction[] = [];
  const live = found.rootType === 'overlay';
  /** Every place of it can be written to without our help. */
  const open = live || found.rootOverlay !== undefined;
  const { overlayDirectory, mounted } = found;
  const stateTarget = found.realPaths.get(settings.stateTarget) ?? settings.stateTarget;
  const ephemeralName = uniqueNames();
  /** What is writable by then, and whether only until the next boot. */
  const writable = new Map<string, { ephemeral: boolean }>();
  const reachable = (path: string) =>
    open ||
    found.directories.has(path) ||
    isBelow(path, '/run') ||
    [...writable.keys()].some((at) => isBelow(path, at));

  if (found.rootOverlay !== undefined && found.rootReadOnly) {
    const where = found.rootOverlay === 'kept' ? 'an overlay keeps its changes' : 'its changes go to memory';
    actions.push({ kind: 'make-root-writable', summary: `Make the root writable: ${where}` });
  }
  if (settings.debugRw && found.rootReadOnly && !open) {
    notices.push('the root stays read-only whatever fstab says: its image is attached so; rd.cos.debugrw is needed');
  }
  if (!open && !mounted.has(overlayDirectory)) actions.push(planBase(settings.overlayBase, found, notices));

  const places = settlePlaces(settings, found, notices).filter((place) => !open || place.is !== 'ephemeral');
  // The innermost counts: what is on another volume above it would be hidden.
  const keeper = places.findLast((place) => place.is === 'volume' && isAtOrBelow(stateTarget, place.path));
  const kept = keeper?.is === 'volume' && (found.devices.has(keeper.volume.device) || mounted.has(keeper.path));
  const takenNames = new Map<string, string>();

  const ephemeral = (path: string, why = '') => {
    if (open) return;
    const name = ephemeralName(path);
    const summary = `Make ${path} writable with an overlay on ${overlayDirectory}${why}`;
    actions.push({ kind: 'mount-overlay', summary, path, name, persistent: false, requires: overlayDirectory });
    writable.set(path, { ephemeral: true });
  };
  const unkept = (otherwise: string) => (found.rootOverlay === 'kept' ? 'is kept in the root overlay' : otherwise);
  const instead = (path: string) => (open ? {} : { ephemeral: ephemeralName(path) });

  const makeVolume = ({ path, volume }: Extract<Place, { is: 'volume' }>) => {
    const at = found.devices.get(volume.device);
    if (at === undefined) {
      notices.push(`${volume.device} was not found; ${path} ${unkept('is not kept over a reboot')}`);
      return path.startsWith('/run/') ? undefined : ephemeral(path, ` in place of ${volume.device}`);
    }
    if (at.notice !== undefined) notices.push(at.notice);
    const options = [...(volume.options ?? ['defaults']), 'nofail'];
    const entry = { source: at.stableName, mountPoint: path, type: volume.type ?? 'auto', options };
    const summary = `Mount ${volume.device} (${at.path}) at ${path}`;
    const type = volume.type ?? at.type ?? 'auto';
    const fallback = path.startsWith('/run/') ? {} : instead(path);
    actions.push({ kind: 'mount-volume', summary, entry, device: at.path, type, ...fallback });
    if (!options.includes('ro')) writable.set(path, { ephemeral: false });
  };
  const makeState = ({ path, mode }: Extract<Place, { is: 'state' }>) => {
    const name = flatName(path);
    const other = takenNames.get(`${name}.${mode}`);
    if (isAtOrBelow(stateTarget, path)) {
      notices.push(`${path} ${unkept('is not persistent')}: it contains ${stateTarget}, where it would be kept`);
      if (keeper !== undefined && isAtOrBelow(path, keeper.path)) return;
    } else if (keeper === undefined || !kept) {
      notices.push(`${path} ${unkept('is not persistent')}: no volume is mounted for ${stateTarget}`);
    } else if (isAtOrBelow(path, stateTarget)) {
      notices.push(`${path} is not mounted: it is in ${stateTarget}, where persistent paths are kept`);
      return;
    } else if (other !== undefined) {
      // `/a-b` and `/a/b` have one name on the volume; cOS would let them share a directory, and break both.
      notices.push(`${path} ${unkept('is not persistent')}: its place in ${stateTarget} is that of ${other}`);
    } else {
      takenNames.set(`${name}.${mode}`, path);
      const at = { path, requires: keeper.path, ...instead(path) };
      const directory = `${stateTarget}/${name}.bind`;
      if (mode === 'bind')
        actions.push({ kind: 'bind-state', summary: `Keep ${path} in ${directory}`, directory, ...at });
      else {
        const summary = `Make ${path} writable with an overlay on ${stateTarget}`;
        actions.push({ kind: 'mount-overlay', summary, name, persistent: true, ...at });
      }
      writable.set(path, { ephemeral: false });
      return;
    }
    ephemeral(path);
  };
  const makeEphemeral = (path: string) => {
    // Inside of another one it is writable already, and the kernel stacks two overlays at most.
    const above = [...writable].filter(([at]) => isBelow(path, at)).sort(([a], [b]) => b.length - a.length)[0];
    if (above?.[1].ephemeral !== true) return ephemeral(path);
    if (!found.directories.has(path))
      actions.push({ kind: 'make-directory', summary: `Make the directory ${path}`, path });
  };

  const adopted: FstabEntry[] = [];
  const base = mounted.get(overlayDirectory);
  if (base !== undefined) adopted.push(base);
  // What keeps the persistent paths comes first, with everything that it lies in.
  const isFirst = ({ path }: Place) => keeper !== undefined && isAtOrBelow(keeper.path, path);
  for (const place of [...places.filter(isFirst), ...places.filter((other) => !isFirst(other))]) {
    const { path } = place;
    const there = mounted.get(path);
    if (there !== undefined) {
      adopted.push(there);
      writable.set(path, { ephemeral: place.is === 'ephemeral' });
    } else if (!reachable(path)) notices.push(`${path} is not mounted: the image has no such directory`);
    else if (place.is === 'volume') makeVolume(place);
    else if (place.is === 'state') makeState(place);
    else makeEphemeral(path);
  }

  const tmp = mounted.get('/tmp');
  if (tmp !== undefined && !places.some(({ path }) => path === '/tmp')) adopted.push(tmp);
  const needsTmp = tmp === undefined && found.directories.has('/tmp') && !found.realPaths.has('/tmp');
  if (!live && needsTmp && !writable.has('/tmp')) {
    // systemd gives each service with PrivateTmp= a directory in it.
    const options = ['mode=1777', 'nosuid', 'nodev'];
    const entry = { source: 'tmpfs', mountPoint: '/tmp', type: 'tmpfs', options };
    actions.push({ kind: 'mount-tmp', summary: 'Mount a tmpfs at /tmp', entry });
  }
  const root = {
    source: found.rootSource,
    mountPoint: '/',
    type: 'auto',
    options: [settings.debugRw || found.rootOverlay !== undefined ? 'rw' : 'ro'],
  };
  const entries = [...(live ? [] : [root]), ...adopted];
  const write = settings.writeFstab;
  const summary = write ? 'Write /etc/fstab' : 'Leave /etc/fstab alone';
  actions.push({ kind: 'write-fstab', summary, entries, write });
  if (settings.relabel) {
    const paths = [...writable.keys()].filter((path) => !isBelow(path, '/run'));
    actions.push({ kind: 'list-for-relabel', summary: 'List what systemd has to label for SELinux', paths });
  }
  return { title: 'Mount the layout of the new root', actions, notices, stateTarget };
}

/** Names for directories on the base that no two paths share: `/a-b` and `/a/b` would both be `a-b`. */
function uniqueNames(): (path: string) => string {
  const names = new Map<string, string>();
  return (path) => {
    const known = [...names].find(([, owner]) => owner === path)?.[0];
    if (known !== undefined) return known;
    let name = flatName(path);
    while (names.has(name)) name += '~';
    names.set(name, path);
    return name;
  };
}

function planBase(base: OverlayBase, found: LayoutFound, notices: string[]): LayoutAction {
  const mountPoint = found.overlayDirectory;
  const device = base.type === 'device' ? found.devices.get(base.device) : undefined;
  if (device !== undefined) {
    const entry = { source: device.stableName, mountPoint, type: 'auto', options: ['defaults'] };
    const summary = `Mount ${device.path} for ephemeral changes`;
    return { kind: 'mount-base', summary, entry, device: { path: device.path, type: device.type ?? 'auto' } };
  }
  if (base.type === 'device') notices.push(`${base.device} was not found; ephemeral changes are kept in memory`);
  const entry = tmpfsBase(mountPoint, base.type === 'tmpfs' ? base.size : DEFAULT_OVERLAY_SIZE);
  return { kind: 'mount-base', summary: `Mount a ${entry.summary} for ephemeral changes`, entry: entry.entry };
}

/** The base in memory. */
export function tmpfsBase(mountPoint: string, size: string): { summary: string; entry: FstabEntry } {
  const options = ['defaults', `size=${size}`];
  return { summary: `tmpfs of ${size}`, entry: { source: 'tmpfs', mountPoint, type: 'tmpfs', options } };
}
