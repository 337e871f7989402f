// Where an overlay set is on this machine: `DEVICE:/PATH` as on the kernel command line, or the path of a file on a file
// system that is mounted. A device that isn't mounted is mounted for as long as the command runs.

import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { OVERLAY_DEVICE } from '../boot/attached-overlay.ts';
import { deviceNumber } from '../slots/block-device.ts';
import { HoldfastError } from '../system/errors.ts';
import { isReadOnly, listMounts, type Mount, mount, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { run } from '../system/process.ts';
import { removeMountPoints } from '../system/work-directory.ts';
import { splitOverlayPlace } from './argument.ts';
import { problemOfSetPath } from './names.ts';
import { problemOfWay } from './path-links.ts';

export interface SetPlace {
  /** The set's path on this machine, as the tools open it. */
  set: string;
  /** As the user wrote it, for messages. */
  shown: string;
  /** The directory where the file system is mounted. */
  mountPoint: string;
  /** `DEVICE:/PATH` for the kernel argument, by the file system's UUID where the user gave only a path. */
  argument: string;
}

/**
 * Finds a set, and mounts its device where it isn't mounted.
 * @param text `DEVICE:/PATH` or an absolute path.
 * @param options.write whether files are going to be written.
 * @throws HoldfastError HF-USAGE for a text that names no set, HF-TARGET when the device isn't there, HF-MOUNT when it
 *   can't be mounted (for writing).
 */
export async function openSet(
  undo: UndoStack,
  text: string,
  options: { write: boolean; workDirectory?: string },
): Promise<SetPlace> {
  // What begins with /dev/ is a device, or an error in naming one; nobody keeps files there.
  if (isAbsolute(text) && !text.includes(':/') && !text.startsWith('/dev/')) return openPath(text, options);
  const place = splitOverlayPlace(text);
  if ('problem' in place || place.path === undefined) {
    throw new HoldfastError('HF-USAGE', `${text}: ${'problem' in place ? place.problem : 'it names no file'}`, {
      hint: 'write DEVICE:/PATH, for example /dev/sdb:/persist.img, or the path of a file on a disk that is mounted',
    });
  }
  const device = await resolveDevice(place.device);
  const mounted = findMount(listMounts(), deviceNumber(device) ?? '');
  const mountPoint = mounted?.mountPoint ?? options.workDirectory ?? `/run/holdfast/overlay-${process.pid}`;
  if (mounted === undefined) {
    undo.always(`remove ${mountPoint}`, () => removeMountPoints(mountPoint));
    await mount(device, mountPoint, { options: options.write ? ['rw', 'nodev', 'nosuid'] : ['ro', 'nodev', 'nosuid'] });
    undo.always(`unmount ${mountPoint}`, () => unmount(mountPoint));
  } else requireWritable(mounted, options);
  const problem = problemOfWay(mountPoint, place.path);
  if (problem !== undefined) throw new HoldfastError('HF-USAGE', `${text}: ${problem}`);
  return { set: join(mountPoint, place.path), shown: text, mountPoint, argument: text };
}

async function openPath(text: string, options: { write: boolean }): Promise<SetPlace> {
  const directory = dirname(text);
  const problem = problemOfSetPath(text);
  if (problem !== undefined) throw new HoldfastError('HF-USAGE', `${text}: ${problem}`);
  if (!existsSync(directory)) throw new HoldfastError('HF-IO', `there is no directory ${directory}`);
  const set = join(realpathSync(directory), basename(text));
  const mounted = mountOf(listMounts(), set);
  if (mounted === undefined) throw new HoldfastError('HF-IO', `what is mounted at ${directory} can’t be found out`);
  if (mounted.source === OVERLAY_DEVICE) {
    throw new HoldfastError(
      'HF-USAGE',
      `${text} is on the overlay itself: its changes can’t be kept in what they change`,
      {
        hint: 'name a file on another disk or partition',
      },
    );
  }
  requireWritable(mounted, options);
  const inside = join(mounted.rootPath, set.slice(mounted.mountPoint === '/' ? 0 : mounted.mountPoint.length));
  const uuid = await uuidOf(mounted.source);
  return {
    set,
    shown: text,
    mountPoint: mounted.mountPoint,
    argument: `${uuid === undefined ? mounted.source : `UUID=${uuid}`}:${inside}`,
  };
}

/**
 * The argument for boots to come. The kernel gives names like /dev/sdb out anew at each boot; a UUID stays.
 * @param argument `DEVICE:/PATH`.
 */
export async function stableArgument(argument: string): Promise<string> {
  const [, device, path] = /^(\/dev\/[a-z0-9]+)(:\/.*)$/.exec(argument) ?? [];
  if (device === undefined || path === undefined) return argument;
  const uuid = await uuidOf(device);
  return uuid === undefined ? argument : `UUID=${uuid}${path}`;
}

async function uuidOf(device: string): Promise<string | undefined> {
  const { stdout } = await run(['blkid', '--probe', '--match-tag', 'UUID', '--output', 'value', device]);
  return stdout.trim() === '' ? undefined : stdout.trim();
}

function requireWritable(mounted: Mount, { write }: { write: boolean }): void {
  if (!write || !isReadOnly(mounted)) return;
  throw new HoldfastError('HF-MOUNT', `${mounted.mountPoint} is mounted read-only`, {
    hint: `mount -o remount,rw ${mounted.mountPoint}`,
  });
}

/** The mount that a path lies on: the last one made of those with the longest mount point. */
function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  const above = mounts.filter(
    ({ mountPoint }) => mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`),
  );
  return above.reduce<Mount | undefined>(
    (best, each) => (best === undefined || each.mountPoint.length >= best.mountPoint.length ? each : best),
    undefined,
  );
}

/** A mount of the whole file system; one that can be written where there is one. */
function findMount(mounts: readonly Mount[], device: string): Mount | undefined {
  const whole = mounts.filter((each) => each.device === device && each.rootPath === '/');
  return whole.find((each) => !isReadOnly(each)) ?? whole[0];
}

async function resolveDevice(text: string): Promise<string> {
  if (text.startsWith('/')) {
    if (existsSync(text)) return realpathSync(text);
  } else {
    const result = await run(['blkid', '--cache-file', '/dev/null', '--match-token', text, '--output', 'device']);
    const found = result.stdout.split('\n').filter((line) => line !== '');
    if (found.length > 1) {
      throw new HoldfastError('HF-TARGET', `${text} is found on several devices: ${found.join(', ')}`, {
        hint: 'name the device',
      });
    }
    if (found[0] !== undefined) return found[0];
  }
  throw new HoldfastError('HF-TARGET', `there is no device ${text}`, { hint: 'lsblk --fs shows what there is' });
}
