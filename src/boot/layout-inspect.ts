// Looks at the machine for the plan of the mount layout: devices, directories of the image, what is mounted already.

import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../system/errors.ts';
import { listMounts, type Mount, mountAt } from '../system/mounts.ts';
import { Root } from '../system/root.ts';
import { type AttachedOverlay, readAttachedOverlay } from './attached-overlay.ts';
import type { LayoutArguments } from './command-line.ts';
import { entryOfMount, type FstabEntry } from './fstab.ts';
import type { LayoutFound } from './layout.ts';
import type { LayoutSettings } from './layout-settings.ts';
import { findDevices } from './volumes.ts';

export interface InspectedLayout {
  found: LayoutFound;
  /** Changes whenever another image is booted; undefined when the image may be written to. */
  imageIdentity: string | undefined;
}

/** The partition that the system came from is mounted at one of these; its disk is searched first. */
const BOOT_DIRECTORIES = ['/run/initramfs/cos-state', '/run/initramfs/live'];
const OVERLAY_DIRECTORY = '/run/overlay';
/** Partitions of the booted disk are there with the image; what comes later is on another one. */
const DEVICE_TIMEOUT_MS = 5000;

export async function inspectLayout(
  sysroot: Root,
  root: Mount,
  settings: LayoutSettings,
  argument: LayoutArguments,
  options: { runDirectory: string; overlayDirectory?: string; deviceTimeoutMs?: number; attached?: AttachedOverlay },
): Promise<InspectedLayout> {
  const mounts = listMounts();
  const attached = options.attached ?? readAttachedOverlay();
  const overlayDirectory = options.overlayDirectory ?? OVERLAY_DIRECTORY;
  const asked = [
    ...settings.rwPaths,
    ...settings.statePaths.map(({ path }) => path),
    ...settings.volumes.map(({ mountPoint }) => mountPoint),
    settings.stateTarget,
    '/tmp',
  ];
  const realPaths = new Map<string, string>();
  const directories = new Set<string>();
  const mounted = new Map<string, FstabEntry>();
  const occupied = new Set<string>();
  for (const path of new Set(asked)) {
    const real = realPath(sysroot, path);
    if (real !== path) realPaths.set(path, real);
    const at = placeNow(sysroot, real);
    if (isDirectory(at)) directories.add(path).add(real);
    const there = real === '/' ? undefined : mountAt(at, mounts);
    if (there !== undefined) mounted.set(real, entryOfMount(there, real, sysroot.directory));
    else if (at === real && hasEntries(at)) occupied.add(real);
  }
  const base = mountAt(overlayDirectory, mounts);
  if (base !== undefined) mounted.set(overlayDirectory, entryOfMount(base, overlayDirectory, sysroot.directory));

  const names = settings.volumes.filter(({ mountPoint }) => !mounted.has(mountPoint)).map(({ device }) => device);
  if (settings.overlayBase.type === 'device' && base === undefined) names.push(settings.overlayBase.device);
  const hasBinds = settings.statePaths.some(({ mode }) => mode === 'bind');
  const { devices, identity } =
    names.length === 0 && !hasBinds
      ? { devices: new Map(), identity: undefined }
      : await findDevices(names, {
          bootDevice: BOOT_DIRECTORIES.map((path) => mountAt(path, mounts)?.source).find(
            (source) => source !== undefined,
          ),
          timeoutMs: options.deviceTimeoutMs ?? (argument.volumeTimeoutSeconds ?? DEVICE_TIMEOUT_MS / 1000) * 1000,
          ...marksOfInitramfs(argument, options.runDirectory),
          identify: root.source,
        });
  const isWritable = settings.debugRw || !root.options.includes('ro');
  return {
    found: {
      rootSource: root.source,
      rootType: root.type,
      rootReadOnly: root.options.includes('ro'),
      rootOverlay: rootOverlay(root, attached),
      devices,
      realPaths,
      directories,
      occupied,
      mounted,
      overlayDirectory,
    },
    imageIdentity:
      isWritable || identity === undefined ? undefined : `${identity} ${slotFileStamp(options.runDirectory)}`,
  };
}

/** The record counts only for a root that device-mapper made. */
function rootOverlay({ source }: Mount, attached: AttachedOverlay | undefined): LayoutFound['rootOverlay'] {
  if (attached?.used !== true || attached.permission !== 'rw' || !/^\/dev\/(?:mapper\/|dm-)/.test(source))
    return undefined;
  return attached.readonly ? 'memory' : 'kept';
}

/** Where a path of the new root is now; what lies below /run is there already, since /run moves into the new root. */
export function placeNow(sysroot: Root, path: string): string {
  return path.startsWith('/run/') ? path : join(sysroot.directory, path);
}

/** The path with the image's links followed; one that goes round in circles stays as it is and will fail by itself. */
function realPath(sysroot: Root, path: string): string {
  try {
    // /run of the image is hidden by the running one, which this process sees as its own.
    return path.startsWith('/run/') ? new Root('/').resolve(path) : sysroot.inside(sysroot.resolve(path));
  } catch {
    return path;
  }
}

/**
 * What the initramfs already knows of the OEM partition: `oem` is a link to the device it chose and waited for,
 * `oem.missing` says that it waited in vain.
 */
function marksOfInitramfs(
  { oemLabel, elementalOemLabel }: LayoutArguments,
  runDirectory: string,
): { known?: ReadonlyMap<string, string>; missing?: ReadonlySet<string> } {
  const label = elementalOemLabel ?? oemLabel;
  if (label === undefined) return {};
  const name = `LABEL=${label}`;
  if (existsSync(join(runDirectory, 'oem.missing'))) return { missing: new Set([name]) };
  try {
    return { known: new Map([[name, realpathSync(join(runDirectory, 'oem'))]]) };
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return {};
  }
}

/** Size and time of the slot file: a file that was written to is another image, though its UUID is the same. */
function slotFileStamp(runDirectory: string): string {
  const stat = statSync(join(runDirectory, 'slot.img'), { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.size} ${stat.mtimeMs}`;
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return false;
  }
}

function hasEntries(path: string): boolean {
  try {
    return readdirSync(path).length > 0;
  } catch {
    return false;
  }
}
