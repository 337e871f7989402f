// Systems on installation media: the one that this machine was started from, and those in an ISO file. cOS and Elemental
// put a squashfs of the system on their media, and sometimes another one for recovery.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openFilesystemFile } from '../image/filesystem-file.ts';
import type { TreeImage } from '../image/tree.ts';
import { type IsoVolume, openIso9660 } from '../stages/datasource/seed/iso9660.ts';
import { MediumError, openSource } from '../stages/datasource/seed/source.ts';
import { HoldfastError } from '../system/errors.ts';
import { attachLoop } from '../system/loopdevices.ts';
import type { UndoStack } from '../system/plan.ts';
import type { RecoverySource } from './install.ts';
import { openRecoveryFile } from './recovery-file.ts';

/** The running live system as it is on its medium (dracut's dmsquash-live, and cOS). */
const LIVE_ROOT = '/run/rootfsbase';
/** Where the medium of the running live system is mounted. */
const LIVE_MEDIUM = '/run/initramfs/live';

/** On the medium: cOS and Elemental before 1.0, ours with erofs, then Elemental since. */
const SYSTEMS = [
  'rootfs.squashfs',
  'rootfs.img',
  'boot/x86_64/loader/rootfs.squashfs',
  'boot/arm64/loader/rootfs.squashfs',
];
const RECOVERIES = ['recovery.squashfs', 'recovery.img'];

/** The system that a live medium runs, in the words of `--system`; undefined on other machines. */
export function liveSystem(root = LIVE_ROOT): string | undefined {
  const isThere = statSync(root, { throwIfNoEntry: false })?.isDirectory() && readdirSync(root).length > 0;
  return isThere ? `dir:${root}` : undefined;
}

/** The recovery system on the medium that this machine was started from, if there is one. */
export async function liveRecovery(medium = LIVE_MEDIUM): Promise<RecoverySource | undefined> {
  const found = RECOVERIES.map((name) => join(medium, name)).find((path) => existsSync(path));
  return found === undefined ? undefined : openRecoveryFile(found);
}

/**
 * The systems in an ISO file, read where they lie: no kernel has to mount the ISO itself.
 * @param name how it is named in records and messages: a path or an address.
 * @throws HoldfastError HF-NO-SOURCE when it is no ISO or holds no system.
 */
export async function openIso(
  file: string,
  name: string,
  undo: UndoStack,
): Promise<{ system: TreeImage; recovery: RecoverySource | undefined }> {
  const places = findPlaces(file, name);
  const source = (path: string) => `iso:${name}#${path}`;
  const system = await openFilesystemFile(file, {
    undo,
    part: places.system,
    source: source(places.system.path),
  });
  const part = places.recovery;
  if (part === undefined) return { system, recovery: undefined };
  const { device } = await attachLoop(undo, file, { ...part, readOnly: true });
  return { system, recovery: await openRecoveryFile(device, source(part.path), part.sizeBytes) };
}

interface Part {
  path: string;
  offsetBytes: number;
  sizeBytes: number;
}

function findPlaces(file: string, name: string): { system: Part; recovery: Part | undefined } {
  const { read, close } = openSource(file);
  try {
    const volume = openIso9660(read);
    if (volume === undefined) throw noSystem(name, 'it is no ISO 9660 image');
    const system = firstOf(volume, SYSTEMS);
    if (system === undefined) throw noSystem(name, `it has no ${SYSTEMS.join(' and no ')}`);
    return { system, recovery: firstOf(volume, RECOVERIES) };
  } catch (error) {
    if (error instanceof MediumError) throw noSystem(name, error.message);
    throw error;
  } finally {
    close();
  }
}

function firstOf(volume: IsoVolume, paths: readonly string[]): Part | undefined {
  for (const path of paths) {
    const place = volume.place(path);
    if (place !== undefined) return { path, ...place };
  }
  return undefined;
}

function noSystem(name: string, why: string): HoldfastError {
  return new HoldfastError('HF-NO-SOURCE', `${name} can't be installed from: ${why}`, {
    hint: 'name an ISO of cOS or Elemental, or the system itself with --system',
  });
}
