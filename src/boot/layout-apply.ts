// One function for each action of the mount layout. Mounts wait in a queue until something depends on them; what fails is
// replaced by an ephemeral overlay there and then, so that whatever comes later finds a writable place.

import { chmodSync, chownSync, lstatSync, mkdirSync, realpathSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { listMounts, type Mount, mount, mountAt, unmount } from '../system/mounts.ts';
import type { ApplyContext, Performers } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import type { LayoutArguments } from './command-line.ts';
import { type FstabEntry, renderFstab } from './fstab.ts';
import { fillKeptDirectory } from './kept-directory.ts';
import { type LayoutAction, tmpfsBase } from './layout.ts';
import { placeNow } from './layout-inspect.ts';
import { isAtOrBelow } from './layout-places.ts';
import type { LayoutMount } from './layout-record.ts';
import { DEFAULT_OVERLAY_SIZE } from './layout-words.ts';
import { MountQueue } from './mount-queue.ts';
import { hasSelinux, listForRelabel } from './relabel.ts';
import { checkVolume } from './volume-check.ts';

interface LayoutStateOptions {
  sysroot: Root;
  runDirectory: string;
  overlayDirectory: string;
  stateTarget: string;
  /** The base is mounted already. */
  hasBase: boolean;
  imageIdentity: string | undefined;
  check: LayoutArguments['check'];
  relabelDirectory?: string;
}

type Mounted = Omit<LayoutMount, 'path' | 'source'> & { entry: FstabEntry };

/** What the actions share: the queue, and what was really mounted. */
export class LayoutState {
  readonly options: LayoutStateOptions;
  readonly queue: MountQueue;
  readonly mounted: Mounted[] = [];
  hasBase: boolean;

  constructor(options: LayoutStateOptions) {
    this.options = options;
    this.queue = new MountQueue(options.runDirectory);
    this.hasBase = options.hasBase;
  }

  /**
   * Where a path of the new root is now.
   * @throws HoldfastError HF-MOUNT when a link leads elsewhere: the plan has followed the image's links, so this one is on
   *   a volume, and mounting at its end would cover something else.
   */
  place(path: string): string {
    const at = placeNow(this.options.sysroot, path);
    const root = at === path ? new Root('/') : this.options.sysroot;
    const real = root.resolve(path);
    if (real === at) return at;
    throw new HoldfastError('HF-MOUNT', `${path} is a link to ${root.inside(real)} by now; nothing is mounted there`);
  }

  /** What `layout.json` says of the mounts. */
  recorded(): LayoutMount[] {
    return this.mounted.map(({ entry, ...rest }) => ({ path: entry.mountPoint, source: entry.source, ...rest }));
  }
}

export const layoutPerformers: Performers<LayoutAction, LayoutState> = {
  'mount-base': async ({ entry, device }, context, state) => {
    if (device !== undefined) {
      try {
        await mountDeviceBase(entry, device, state);
        return;
      } catch (error) {
        context.warn(`${messageOf(error)}; ephemeral changes are kept in memory`);
      }
    }
    const inMemory = device === undefined ? entry : tmpfsBase(entry.mountPoint, DEFAULT_OVERLAY_SIZE).entry;
    await mount(inMemory.source, inMemory.mountPoint, inMemory);
    noteBase(inMemory, false, state);
  },

  'mount-volume': async ({ entry, device, type, ephemeral }, context, state) => {
    const { queue, options } = state;
    const fallBack = async (reason: string) => {
      context.warn(reason);
      await mountEphemeral(entry.mountPoint, ephemeral, context, state);
    };
    try {
      const at = placeNow(options.sysroot, entry.mountPoint);
      await queue.before(dirname(at));
      state.place(entry.mountPoint);
      const check = isMounted(device)
        ? ({ outcome: 'skipped' } as const)
        : await checkVolume(device, type, options.check, join(options.runDirectory, 'checked'));
      if (check.outcome === 'failed') return await fallBack(check.text);
      if (check.outcome === 'repaired') context.warn(check.text);
      mkdirSync(at, { recursive: true });
      queue.add({
        source: device,
        at,
        type: entry.type,
        options: entry.options,
        done: async (result) => {
          if (result instanceof Error) return fallBack(messageOf(result));
          const readOnly = result.options.includes('ro');
          if (readOnly && !entry.options.includes('ro')) {
            context.warn(`${device} can only be read; nothing below ${entry.mountPoint} can be written`);
          }
          state.mounted.push({ entry, kind: 'volume', persistent: !readOnly });
        },
      });
    } catch (error) {
      await fallBack(messageOf(error));
    }
  },

  'mount-overlay': async ({ path, name, persistent, requires, ephemeral }, context, state) => {
    if (!persistent) return mountEphemeral(path, name, context, state, false);
    const fallBack = async (reason: string) => {
      context.warn(reason);
      await mountEphemeral(path, ephemeral, context, state);
    };
    try {
      await queueOverlay(path, state.options.stateTarget, name, requires, state, { persistent }, fallBack);
    } catch (error) {
      await fallBack(messageOf(error));
    }
  },

  'bind-state': async ({ path, directory, ephemeral }, context, state) => {
    const fallBack = async (reason: string) => {
      context.warn(reason);
      await mountEphemeral(path, ephemeral, context, state);
    };
    try {
      const { queue, options } = state;
      const at = placeNow(options.sysroot, path);
      await queue.before(at, placeNow(options.sysroot, directory));
      state.place(path);
      const kept = state.place(directory);
      requireKept(dirname(kept));
      mkdirSync(at, { recursive: true });
      await fillKeptDirectory(at, kept, options.imageIdentity);
      const entry = { source: directory, mountPoint: path, type: 'none', options: ['defaults', 'bind'] };
      queue.add({
        source: kept,
        at,
        type: 'none',
        // Else a mount inside of it would show up in the directory that keeps it as well.
        options: ['bind', 'private'],
        done: async (result) => {
          if (result instanceof Error) return fallBack(messageOf(result));
          state.mounted.push({ entry, kind: 'state-bind', keptIn: directory, persistent: true });
        },
      });
    } catch (error) {
      await fallBack(messageOf(error));
    }
  },

  'make-directory': async ({ path }, { warn }, state) => {
    try {
      await state.queue.before(placeNow(state.options.sysroot, path));
      mkdirSync(state.place(path), { recursive: true });
    } catch (error) {
      warn(messageOf(error));
    }
  },

  'mount-tmp': ({ entry }, { warn }, state) => {
    const done = (result: Mount | Error) => {
      if (result instanceof Error) warn(messageOf(result));
      else state.mounted.push({ entry, kind: 'tmpfs', persistent: false });
    };
    state.queue.add({ ...entry, at: placeNow(state.options.sysroot, entry.mountPoint), done });
  },

  'write-fstab': async ({ entries }, { warn }, state) => {
    await state.queue.flush();
    const { sysroot } = state.options;
    const [root, ...adopted] = entries[0]?.mountPoint === '/' ? entries : [undefined, ...entries];
    for (const entry of adopted) {
      if (entry !== undefined)
        state.mounted.push({ entry, kind: 'found', persistent: entry.source.startsWith('/dev/') });
    }
    const lines = state.mounted.map(({ entry }) => entry);
    try {
      // Not durable on purpose: /etc is an overlay in memory, and a sync of it would flush every disk.
      writeFileSync(sysroot.resolve('/etc/fstab'), renderFstab([...(root ? [root] : []), ...lines]));
    } catch (error) {
      // The mounts are there all the same.
      const known = lines.some(({ mountPoint }) => mountPoint === '/etc');
      warn(`/etc/fstab was not written: ${known ? messageOf(error) : '/etc is not among the writable paths'}`);
    }
    if (lines.some(({ mountPoint }) => mountPoint === '/etc')) unmountEtcLazily(sysroot, warn);
  },

  'list-for-relabel': async ({ paths }, { warn }, state) => {
    await state.queue.flush();
    const { sysroot, relabelDirectory } = state.options;
    if (!hasSelinux(sysroot)) return;
    const places = state.mounted
      .filter(({ entry }) => paths.includes(entry.mountPoint) && !entry.options.includes('ro'))
      .map(({ entry, persistent }) => {
        return { path: entry.mountPoint, at: placeNow(sysroot, entry.mountPoint), persistent };
      });
    try {
      listForRelabel(places, relabelDirectory);
    } catch (error) {
      warn(`the list of places to label was not written: ${messageOf(error)}`);
    }
  },
};

/** Mounts a device as base, unless overlays can't be kept on it. */
async function mountDeviceBase(entry: FstabEntry, device: string, state: LayoutState): Promise<void> {
  const { options } = state;
  const check = await checkVolume(device, 'ext4', options.check, join(options.runDirectory, 'checked'));
  if (check.outcome === 'failed') throw new HoldfastError('HF-MOUNT', check.text);
  await mount(device, entry.mountPoint, entry);
  try {
    // vfat and its kin have no extended attributes; iso9660 and squashfs can't be written.
    await tryOverlay(entry.mountPoint);
  } catch (error) {
    await unmount(entry.mountPoint);
    throw error;
  }
  noteBase(entry, true, state);
}

async function tryOverlay(base: string): Promise<void> {
  const there = mountAt(base);
  const name = `${there?.source ?? base} (${there?.type ?? 'unknown'})`;
  if (
    there === undefined ||
    there.options.includes('ro') ||
    /^(?:vfat|msdos|exfat|ntfs3?|fuseblk|overlay)$/.test(there.type)
  ) {
    throw new HoldfastError('HF-MOUNT', `overlays can’t be kept on ${name}`);
  }
  const probe = join(base, `.holdfast-${process.pid}`);
  mkdirSync(probe, { recursive: true });
  rmdirSync(probe);
}

function noteBase(entry: FstabEntry, persistent: boolean, state: LayoutState): void {
  state.hasBase = true;
  state.mounted.push({ entry, kind: 'base', persistent });
}

/** The overlay in place of what failed, or one that was meant to be ephemeral. */
async function mountEphemeral(
  path: string,
  name: string | undefined,
  { warn }: ApplyContext,
  state: LayoutState,
  isFallback = true,
): Promise<void> {
  // Live media have no base, and are writable without one.
  if (name === undefined || !state.hasBase) return;
  const { overlayDirectory } = state.options;
  try {
    if (isFallback) warn(`changes below ${path} last until the next boot`);
    const failed = (reason: string) => warn(`${path} is not writable: ${reason}`);
    await queueOverlay(path, overlayDirectory, name, overlayDirectory, state, { persistent: false }, failed);
  } catch (error) {
    warn(`${path} is not writable: ${messageOf(error)}`);
  }
}

async function queueOverlay(
  path: string,
  base: string,
  name: string,
  requires: string,
  state: LayoutState,
  { persistent }: { persistent: boolean },
  failed: (reason: string) => Promise<void> | void,
): Promise<void> {
  const { queue, options } = state;
  const baseNow = base === options.overlayDirectory ? base : placeNow(options.sysroot, base);
  const lower = placeNow(options.sysroot, path);
  await queue.before(lower, baseNow);
  state.place(path);
  if (persistent) {
    state.place(base);
    requireKept(baseNow);
  }
  const directories = (under: string) => ({
    upperdir: `${under}/${name}.overlay/upper`,
    workdir: `${under}/${name}.overlay/work`,
  });
  const here = directories(baseNow);
  for (const directory of [`${baseNow}/${name}.overlay`, here.upperdir, here.workdir]) requireDirectory(directory);
  mkdirSync(lower, { recursive: true });
  makeLike(here.upperdir, lower);
  mkdirSync(here.workdir, { recursive: true });
  const layers = (lowerdir: string, { upperdir, workdir }: typeof here) => [
    'defaults',
    `lowerdir=${lowerdir}`,
    `upperdir=${upperdir}`,
    `workdir=${workdir}`,
  ];
  const entry = {
    source: 'overlay',
    mountPoint: path,
    type: 'overlay',
    options: [...layers(path, directories(base)), `x-systemd.requires-mounts-for=${requires}`],
  };
  const kind = persistent ? 'state-overlay' : 'overlay';
  queue.add({
    source: 'overlay',
    at: lower,
    type: 'overlay',
    options: layers(lower, here),
    done: async (result) => {
      if (result instanceof Error) return failed(messageOf(result));
      state.mounted.push({ entry, kind, ...(persistent && { keptIn: `${base}/${name}.overlay` }), persistent });
    },
  });
}

/** Whether a directory is on a device that can be written to: what is kept in memory isn't kept. */
function requireKept(directory: string): void {
  const holder = listMounts()
    .filter(({ mountPoint }) => mountPoint === '/' || isAtOrBelow(directory, mountPoint))
    .sort((a, b) => a.mountPoint.length - b.mountPoint.length)
    .at(-1);
  if (holder?.source.startsWith('/dev/') && !holder.options.includes('ro') && holder.type !== 'overlay') return;
  throw new HoldfastError(
    'HF-MOUNT',
    `nothing is kept in ${directory}: its volume is not mounted or can’t be written to`,
  );
}

/** Links would let a volume's content decide on what is written where. */
function requireDirectory(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.isDirectory()) return;
  throw new HoldfastError('HF-MOUNT', `${path} is ${stat.isSymbolicLink() ? 'a link' : 'a file'}, not a directory`);
}

/** The check of a file system that is in use would find it inconsistent; whoever mounted it has checked it. */
function isMounted(device: string): boolean {
  const real = realpathSync(device);
  return listMounts().some(({ source }) => source === device || source === real);
}

/** Makes a directory with the owner and mode of another, since an overlay shows those of its upper directory. */
function makeLike(directory: string, model: string): void {
  if (mkdirSync(directory, { recursive: true }) === undefined) return;
  const { uid, gid, mode } = statSync(model);
  chownSync(directory, uid, gid);
  chmodSync(directory, mode & 0o7777);
}

/** As cOS: at shutdown /etc is in use until the end. What the image or the owner has there stays. */
function unmountEtcLazily(sysroot: Root, warn: (text: string) => void): void {
  const dropIn = '/etc/systemd/system/etc.mount.d/override.conf';
  try {
    if (sysroot.lstat(dropIn) !== undefined) return;
    const path = sysroot.resolve(dropIn);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '[Mount]\nLazyUnmount=true\n');
  } catch (error) {
    warn(`${dropIn} was not written: ${messageOf(error)}`);
  }
}
