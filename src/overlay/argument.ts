// The kernel arguments of root overlays: dracut's rd.live.overlay and its kin, and rd.cos.rootoverlay. Pure: text in, what
// was asked for out, and for what can't be used one word and a sentence, since the boot goes on without an overlay then.

import { isOn, type KernelArgument, parseCommandLine } from '../boot/command-line.ts';
import { isDevice, parsePlace, shown } from '../boot/layout-words.ts';
import { problemOfSetPath } from './names.ts';

/** What the command line asks for. */
export type OverlayRequest =
  | { kind: 'absent' }
  /** `none`, or rd.cos.rootoverlay=0: this boot goes without. */
  | { kind: 'skipped'; message: string }
  /** `path` is undefined for dracut's default name, which depends on the device that holds the slot (names.ts). */
  | { kind: 'use'; device: string; path: string | undefined }
  | { kind: 'refused'; reason: 'bad-argument' | 'bad-path'; message: string };

export interface OverlayArguments {
  request: OverlayRequest;
  /** As it stands on the command line, for messages. */
  text: string | undefined;
  /** A COW of another base: boot without an overlay, or not at all. */
  mismatch: 'skip' | 'fail';
  /** How long the device may take to appear. */
  waitSeconds: number;
  /** Without a usable overlay the boot fails. */
  require: boolean;
  /** A file of unknown origin is taken for this base's. */
  adopt: boolean;
  /** The stored changes are used, new ones are kept in memory. */
  readOnly: boolean;
  /** The COW is set aside and a blank one begun. */
  reset: boolean;
  /** `ro` without a later `rw`: the root is mounted read-only. */
  rootReadOnly: boolean;
  /** dracut's directory for the default path. */
  liveDirectory: string;
}

/** dracut's rd.live.dir when it isn't given. */
const LIVE_DIRECTORY = 'LiveOS';
export const DEFAULT_WAIT_SECONDS = 30;
const MAX_WAIT_SECONDS = 1800;

/** Reads the arguments. Of one that is repeated the last counts (dracut 037 and later). */
export function readOverlayArguments(commandLine: string): OverlayArguments {
  const words = parseCommandLine(commandLine);
  const last = (...keys: string[]): KernelArgument | undefined => words.findLast(({ key }) => keys.includes(key));
  const isSet = (...keys: string[]): boolean => {
    const word = last(...keys);
    return word !== undefined && isOn(word.value);
  };
  // The name of EL6's initramfs counts only where today's isn't there (dracut 037: getarg rd.live.overlay -d overlay).
  const argument = last('rd.live.overlay') ?? last('overlay');
  const wait = last('rd.cos.rootoverlay.wait')?.value ?? '';
  const skip = last('rd.cos.rootoverlay');
  const skipped = skip !== undefined && !isOn(skip.value);
  return {
    request:
      skipped && argument !== undefined
        ? { kind: 'skipped', message: `rd.cos.rootoverlay=${skip.value} is on the command line` }
        : readRequest(argument),
    text: argument && `${argument.key}=${argument.value ?? ''}`,
    mismatch: last('rd.cos.rootoverlay.mismatch')?.value === 'fail' ? 'fail' : 'skip',
    waitSeconds: /^\d{1,4}$/.test(wait) ? Math.min(Number(wait), MAX_WAIT_SECONDS) : DEFAULT_WAIT_SECONDS,
    require: isSet('rd.cos.rootoverlay.require'),
    adopt: isSet('rd.cos.rootoverlay.adopt'),
    readOnly: isSet('rd.live.overlay.readonly', 'readonly_overlay'),
    reset: isSet('rd.live.overlay.reset', 'reset_overlay'),
    rootReadOnly: last('ro', 'rw')?.key === 'ro',
    liveDirectory: last('rd.live.dir', 'live_dir')?.value ?? LIVE_DIRECTORY,
  };
}

function readRequest(argument: KernelArgument | undefined): OverlayRequest {
  if (argument === undefined) return { kind: 'absent' };
  const { key, value = '' } = argument;
  if (['none', 'None', 'NONE'].includes(value))
    return { kind: 'skipped', message: `${key}=${value} is on the command line` };
  const place = splitOverlayPlace(value);
  return 'problem' in place
    ? { kind: 'refused', reason: place.reason, message: `${key}=${shown(value)}: ${place.problem}` }
    : { kind: 'use', ...place };
}

export type OverlayPlace =
  | { device: string; path: string | undefined }
  | { reason: 'bad-argument' | 'bad-path'; problem: string };

/**
 * Splits `DEVICE:/PATH`, `DEVICE:auto` and `DEVICE`. dracut cuts at the first and the last colon, which breaks names of
 * /dev/disk/by-path; here the first `:/` separates, else a final `:auto`.
 */
export function splitOverlayPlace(text: string): OverlayPlace {
  const at = text.indexOf(':/');
  const isAuto = at < 0 && text.endsWith(':auto');
  const device = at >= 0 ? text.slice(0, at) : isAuto ? text.slice(0, -':auto'.length) : text;
  const path = at >= 0 ? text.slice(at + 1) : undefined;
  if (at < 0 && !isAuto && device.includes(':') && isDevice(device.slice(0, device.indexOf(':')))) {
    const rest = device.slice(device.lastIndexOf(':') + 1);
    return {
      reason: 'bad-path',
      problem: `${shown(rest)} after the colon is neither an absolute path nor the word auto`,
    };
  }
  if (!isDevice(device)) {
    return {
      reason: 'bad-argument',
      problem: 'it names no device: use /dev/…, LABEL=, UUID=, PARTLABEL= or PARTUUID=',
    };
  }
  const problem = path === undefined ? undefined : problemOfSetPath(path);
  return problem === undefined ? { device, path: path && parsePlace(path) } : { reason: 'bad-path', problem };
}
