// The running overlay in words: one line for `holdfast status`, for the eye that looks for what is odd.

import type { RunningOverlay } from './running.ts';
import { MIB } from './sizes.ts';

const mib = (bytes: number) => `${Math.floor(bytes / MIB)} MiB`;

/** `/dev/sdb:/persist.img, 118 of 300 MiB used (39 %), can’t overflow`. */
export function describeRunning(running: RunningOverlay): string {
  const { attached, status, freeBytes } = running;
  const set = attached.device === undefined ? '' : `${attached.device}:${attached.path ?? 'auto'}`;
  if (!attached.used) return `${set === '' ? '' : `${set}, `}not used (${attached.reason ?? 'unknown'})`;
  const fill =
    status === undefined
      ? ['how full it is is unknown']
      : status.state === 'ok'
        ? [
            `${mib(status.allocatedBytes)} of ${mib(status.totalBytes)} used (${Math.floor((status.allocatedBytes / status.totalBytes) * 100)} %)`,
          ]
        : [status.state.toUpperCase()];
  const room =
    running.cannotOverflow === true
      ? ['can’t overflow']
      : freeBytes === undefined
        ? []
        : [`can grow by ${mib(freeBytes)}`];
  const marks = [
    ...(attached.readonly ? ['new changes are kept in memory only'] : []),
    ...(running.rootReadOnly ? ['/ is read-only'] : []),
  ];
  return [set, ...fill, ...room, ...marks].join(', ');
}
