// The set that a command means when none is named: that of this boot, whether it could be used or not, else the one that
// the kernel command line or GRUB's environment asks for.

import { readFileSync } from 'node:fs';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import { BOOTED_PARTITION } from '../slots/names.ts';
import { HoldfastError } from '../system/errors.ts';
import { mountAt } from '../system/mounts.ts';
import { readOverlayArguments } from './argument.ts';
import { configuredOverlay } from './grub-argument.ts';

/** `DEVICE:/PATH` of this machine's overlay; undefined where none is asked for. */
export function findDefaultSet(): string | undefined {
  const attached = readAttachedOverlay();
  if (attached?.device !== undefined && attached.path !== undefined) return `${attached.device}:${attached.path}`;
  const { request } = readOverlayArguments(readFileSync('/proc/cmdline', 'utf8'));
  if (request.kind === 'use' && request.path !== undefined) return `${request.device}:${request.path}`;
  if (mountAt(BOOTED_PARTITION) === undefined) return undefined;
  const next = configuredOverlay({
    stateDirectory: BOOTED_PARTITION,
    oemDirectory: mountAt('/oem') === undefined ? undefined : '/oem',
  });
  return next?.path === undefined ? undefined : `${next.device}:${next.path}`;
}

/** @throws HoldfastError HF-USAGE where there is none and none was named. */
export function setOrDefault(text: string | undefined): string {
  const set = text ?? findDefaultSet();
  if (set !== undefined) return set;
  throw new HoldfastError('HF-USAGE', 'no overlay is named, and this machine is set up for none', {
    hint: 'write DEVICE:/PATH, for example /dev/sdb:/persist.img, or the path of a file on a disk that is mounted',
  });
}
