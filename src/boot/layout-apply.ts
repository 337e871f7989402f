// One function for each action of the mount layout. Mounts wait in a queue until something depends on them; what fails is
// replaced by an ephemeral overlay there and then, so that whatever comes later finds a writable place.

import { mkdirSync, realpathSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { listMounts, type Mount, mount, mountAt, unmount } from '../system/mounts.ts';
import type { ApplyContext, Performers } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { type FstabEntry, renderFstab } from './fstab.ts';
import { fillKeptDirectory } from './kept-directory.ts';
import { type LayoutAction, tmpfsBase } from './layout.ts';
import { placeNow } from './layout-inspect.ts';
import { mountEphemeral, queueOverlay, requireKept } from './layout-overlay.ts';
import type { LayoutState } from './layout-state.ts';
import { DEFAULT_OVERLAY_SIZE } from './layout-words.ts';
import { hasSelinux, listForRelabel } from './relabel.ts';
import { type CheckResult, checkVolume } from './volume-check.ts';

export const layoutPerformers: Performers<LayoutAction, LayoutState> = {
  'make-root-writable': async (_, __, { options: { sysroot } }) => {
    await runChecked(['mount', '-o', 'remount,rw', sysroot.directory]);
  },

  'mount-base': async ({ entry, device }, context, state) => {
    if (device !== undefined) {
      try {
        await mountDeviceBase(entry, device, context, state);
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
      await mountEphemeral({ path: entry.mountPoint, name: ephemeral, fallback: true }, context, state);
    };
    try {
      const at = placeNow(options.sysroot, entry.mountPoint);
      await queue.before(dirname(at));
      state.place(entry.mountPoint);
      const check = await checkUnmounted(device, type, context, state);
      if (check.outcome === 'failed') return await fallBack(check.text);
      if (check.outcome === 'noted') context.warn(check.text);
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
    if (!persistent) return mountEphemeral({ path, name, fallback: false }, context, state);
    const fallBack = async (reason: string) => {
      context.warn(reason);
      await mountEphemeral({ path, name: ephemeral, fallback: true }, context, state);
    };
    try {
      const base = state.options.stateTarget;
      await queueOverlay({ path, base, name, requires, persistent, failed: fallBack }, state);
    } catch (error) {
      await fallBack(messageOf(error));
    }
  },

  'bind-state': async ({ path, directory, ephemeral }, context, state) => {
    const fallBack = async (reason: string) => {
      context.warn(reason);
      await mountEphemeral({ path, name: ephemeral, fallback: true }, context, state);
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

  'write-fstab': async ({ entries, write }, { warn }, state) => {
    await state.queue.flush();
    const { sysroot } = state.options;
    const [root, ...adopted] = entries[0]?.mountPoint === '/' ? entries : [undefined, ...entries];
    for (const entry of adopted) {
      if (entry === undefined) continue;
      state.mounted.push({ entry, kind: 'found', persistent: entry.source.startsWith('/dev/') });
    }
    if (!write) return;
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
async function mountDeviceBase(
  entry: FstabEntry,
  device: { path: string; type: string },
  context: ApplyContext,
  state: LayoutState,
): Promise<void> {
  const check = await checkUnmounted(device.path, device.type, context, state);
  if (check.outcome === 'noted') context.warn(check.text);
  if (check.outcome === 'failed') throw new HoldfastError('HF-MOUNT', check.text);
  await mount(device.path, entry.mountPoint, entry);
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

/** The check of a file system that is in use would find it inconsistent; whoever mounted it has checked it. */
function checkUnmounted(
  device: string,
  type: string,
  { events }: ApplyContext,
  state: LayoutState,
): Promise<CheckResult> | CheckResult {
  const real = realpathSync(device);
  if (listMounts().some(({ source }) => source === device || source === real)) return { outcome: 'skipped' };
  return checkVolume(device, type, state.checkOptions(events));
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
