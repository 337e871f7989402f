// Opens an encrypted overlay disk: with a key file, else with a passphrase that is asked for on the console for a limited
// time. A disk that stays locked is a disk that isn't there: the boot goes on without the overlay.

import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { findDevices } from '../boot/volumes.ts';
import { HoldfastError } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { mount, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { type RunResult, run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';
import { splitOverlayPlace } from './argument.ts';
import { AttachRefusal } from './attach-refusal.ts';

/** Of the opened device. */
export const LUKS_NAME = 'holdfast-overlay';
const LUKS_DEVICE = `/dev/mapper/${LUKS_NAME}`;
/** Each of cryptsetup's three questions; who isn't there must not find the machine waiting. */
const PASSPHRASE_SECONDS = 60;
/** Deriving a key from a passphrase takes seconds on purpose. */
const OPEN_TIMEOUT_MS = 300_000;

export interface UnlockOptions {
  /** `/PATH` in the initramfs, or `DEVICE:/PATH` on another disk; undefined: a passphrase is asked for. */
  key: string | undefined;
  events: EventSink;
  signal?: AbortSignal | undefined;
}

/**
 * Opens a LUKS device until the attaching fails.
 * @returns the opened device.
 * @throws AttachRefusal locked, tool-missing.
 */
export async function unlockLuks(undo: UndoStack, device: string, options: UnlockOptions): Promise<string> {
  if (existsSync(LUKS_DEVICE)) return LUKS_DEVICE;
  if (findProgram('cryptsetup') === undefined) {
    throw new AttachRefusal(
      'tool-missing',
      `${device} is encrypted, and the image brings no cryptsetup`,
      'install cryptsetup in the image and run holdfast init again',
    );
  }
  await run(['modprobe', '--quiet', 'dm_crypt']);
  const result =
    options.key === undefined
      ? await askAndOpen(device, options)
      : await openWithKey(undo, device, options.key, options);
  if (result.status !== 0 || !existsSync(LUKS_DEVICE)) {
    const why = result.stderr.trim().split('\n').at(-1) ?? '';
    throw new AttachRefusal('locked', `${device} is encrypted and could not be opened${why === '' ? '' : `: ${why}`}`);
  }
  undo.onFailure(`close ${LUKS_DEVICE}`, async () => {
    await run(['cryptsetup', 'close', LUKS_NAME]);
  });
  return LUKS_DEVICE;
}

function openArguments(device: string, ...more: string[]): [string, ...string[]] {
  return ['cryptsetup', 'open', '--type', 'luks', ...more, device, LUKS_NAME];
}

async function askAndOpen(device: string, { events, signal }: UnlockOptions): Promise<RunResult> {
  events({
    type: 'notice',
    level: 'info',
    text: `the overlay’s disk ${device} is encrypted; its passphrase is needed`,
  });
  // cryptsetup asks only where its standard input is a terminal.
  const argv = openArguments(device, '--timeout', String(PASSPHRASE_SECONDS));
  return await limited(['sh', '-c', 'exec "$@" < /dev/console 2> /dev/console', 'sh', ...argv], signal);
}

async function openWithKey(
  undo: UndoStack,
  device: string,
  key: string,
  { signal }: UnlockOptions,
): Promise<RunResult> {
  const file = await keyFile(undo, key);
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new AttachRefusal('locked', `${device} is encrypted, and the key file ${key} is not there`);
  }
  return await limited(openArguments(device, '--batch-mode', '--key-file', file), signal);
}

/** Where the key file is now; its disk is mounted read-only until the attaching is over. */
async function keyFile(undo: UndoStack, key: string): Promise<string> {
  if (key.startsWith('/') && !key.includes(':/')) return key;
  const place = splitOverlayPlace(key);
  if ('problem' in place || place.path === undefined) {
    throw new AttachRefusal('locked', 'rd.cos.rootoverlay.key is neither /PATH nor DEVICE:/PATH');
  }
  const { devices } = await findDevices([place.device], { bootDevice: undefined, timeoutMs: 10_000 });
  const found = devices.get(place.device);
  if (found === undefined) throw new AttachRefusal('locked', `the disk with the key, ${place.device}, is not there`);
  const at = '/run/holdfast/overlay-key';
  await mount(found.path, at, { options: ['ro', 'nodev', 'nosuid', 'noexec'] });
  undo.always(`unmount ${at}`, () => unmount(at));
  return join(at, place.path);
}

async function limited(argv: readonly [string, ...string[]], signal: AbortSignal | undefined): Promise<RunResult> {
  try {
    return await run(argv, { timeoutMs: OPEN_TIMEOUT_MS, signal });
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-COMMAND') throw new AttachRefusal('locked', error.message);
    throw error;
  }
}
