// The overlays of the mount layout, ephemeral and persistent. A volume's content never decides on where something is
// written: what should be a directory there and is a link is refused.

import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { listMounts } from '../system/mounts.ts';
import type { ApplyContext } from '../system/plan.ts';
import { placeNow } from './layout-inspect.ts';
import { isAtOrBelow } from './layout-places.ts';
import type { LayoutState } from './layout-state.ts';

export interface WantedOverlay {
  path: string;
  /** Where its directories are, a path of the new root or below /run. */
  base: string;
  name: string;
  /** What must be mounted before it. */
  requires: string;
  persistent: boolean;
  failed: (reason: string) => Promise<void> | void;
}

/**
 * Queues an overlay on the base for ephemeral changes, if there is one; what fails is a warning.
 * @param wanted.fallback it stands in place of something better, which is said.
 */
export async function mountEphemeral(
  wanted: { path: string; name: string | undefined; fallback: boolean },
  { warn }: ApplyContext,
  state: LayoutState,
): Promise<void> {
  const { path, name, fallback } = wanted;
  // Live media have no base, and are writable without one.
  if (name === undefined || !state.hasBase) return;
  const base = state.options.overlayDirectory;
  const failed = (reason: string) => warn(`${path} is not writable: ${reason}`);
  if (fallback) warn(`changes below ${path} last until the next boot`);
  try {
    await queueOverlay({ path, base, name, requires: base, persistent: false, failed }, state);
  } catch (error) {
    failed(messageOf(error));
  }
}

/**
 * Makes an overlay's directories and queues its mount.
 * @throws HoldfastError HF-MOUNT when a link or file is where a directory belongs, or nothing would be kept; what mkdir throws.
 */
export async function queueOverlay(wanted: WantedOverlay, state: LayoutState): Promise<void> {
  const { path, base, name, requires, persistent, failed } = wanted;
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
  // An overlay shows owner and mode of its upper directory. The second directory says that the first one is complete.
  if (!existsSync(here.workdir)) makeLike(here.upperdir, lower);
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
export function requireKept(directory: string): void {
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

/** Makes a directory with the owner and mode of another. */
function makeLike(directory: string, model: string): void {
  mkdirSync(directory, { recursive: true });
  const { uid, gid, mode } = statSync(model);
  chownSync(directory, uid, gid);
  chmodSync(directory, mode & 0o7777);
}
