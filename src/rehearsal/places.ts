// Where a rehearsed system may write, and what of this machine it sees: the same places as after a real boot of the new
// system. What is kept on this machine is shown through copies that are thrown away. Pure.

import type { LayoutRecord } from '../boot/layout-record.ts';
import { DEFAULT_RW_PATHS } from '../boot/layout-settings.ts';

/** One mount of the rehearsed system's root, on paths of that system. */
export type Place =
  /** A directory of the new system, with its own content. */
  | { kind: 'writable'; path: string }
  /**
   * What this machine has at `from`, as a copy that costs what is written to it. Several directories with `:` between them
   * lie one over the other, the uppermost first.
   */
  | { kind: 'copy'; from: string; path: string }
  /** A directory of the rehearsed system itself, below a copy, at another path. */
  | { kind: 'kept'; from: string; path: string }
  /** The new system's directory, with the changes that are kept in `from`, below a copy. */
  | { kind: 'kept-changes'; from: string; path: string };

export interface MachinePlaces {
  /** What the initramfs mounted at this boot; absent where it mounted nothing. */
  layout: LayoutRecord | undefined;
  /** Where COS_OEM and COS_PERSISTENT are mounted. */
  oem: string | undefined;
  persistent: string | undefined;
  /** What hooks wrote for the new system to COS_OEM and COS_PERSISTENT, and what applying the plan will write there. */
  written?: { oem?: string | undefined; persistent?: string | undefined };
}

/** Decides what is mounted where, outermost first. */
export function planPlaces({ layout, oem, persistent, written = {} }: MachinePlaces): Place[] {
  const places = new Map<string, Place>();
  const add = (place: Place) => places.set(place.path, place);
  for (const { path, kind, keptIn, persistent: isKept } of layout?.mounts ?? []) {
    if (!isOrdinary(path)) continue;
    if (kind === 'overlay') add({ kind: 'writable', path });
    if ((kind === 'volume' || kind === 'found') && isKept) add({ kind: 'copy', from: path, path });
    if (keptIn === undefined) continue;
    if (kind === 'state-bind') add({ kind: 'kept', from: keptIn, path });
    if (kind === 'state-overlay') add({ kind: 'kept-changes', from: `${keptIn}/upper`, path });
  }
  // With a root overlay the layout has nothing to make writable: then all that it usually does is.
  const isWritable = [...places.values()].some(({ kind }) => kind === 'writable');
  if (!isWritable) {
    for (const path of DEFAULT_RW_PATHS) if (!places.has(path)) add({ kind: 'writable', path });
  }
  const over = (upper: string | undefined, lower: string) => (upper === undefined ? lower : `${upper}:${lower}`);
  if (oem !== undefined) add({ kind: 'copy', from: over(written.oem, oem), path: '/oem' });
  if (persistent !== undefined) add({ kind: 'copy', from: over(written.persistent, persistent), path: '/usr/local' });
  return [...places.values()].sort(byPath);
}

/** Not what a container gets anew in any case. */
function isOrdinary(path: string): boolean {
  return (
    path !== '/' && !['/run', '/tmp', '/dev', '/proc', '/sys'].some((at) => path === at || path.startsWith(`${at}/`))
  );
}

/** Outer directories first: an inner one that came earlier would be hidden. */
function byPath(one: Place, other: Place): number {
  return one.path < other.path ? -1 : one.path > other.path ? 1 : 0;
}

/** Words of the kernel command line that belong to this boot, or to a trial, and not to a rehearsal. */
const LEFT_OUT = /^(?:holdfast\.(?:slot|assess)=|upgrade_failure$|rd\.live\.overlay=|cos-img\/filename=|BOOT_IMAGE=)/;

/** The kernel command line that the rehearsed system finds: this machine's, for another slot file. */
export function rehearsalCommandLine(running: string, slot: { uuid: string }): string {
  const words = running.split(/\s+/).filter((word) => word !== '' && !LEFT_OUT.test(word));
  return [...words, 'cos-img/filename=/cOS/active.img', `holdfast.slot=${slot.uuid}`].join(' ');
}
