// Where the places of the settings really are: links of the image followed, what must not be mounted over refused, each
// place once. A link in an image may lead anywhere; two settings may lead to one place.

import { comparePaths } from './fstab.ts';
import type { LayoutFound } from './layout.ts';
import type { LayoutSettings, StatePath } from './layout-settings.ts';
import { fitsOverlayOption, type Volume } from './layout-words.ts';

/** One place of the new root and what it shall be. */
export type Place = { path: string } & (
  | { is: 'volume'; volume: Volume }
  | { is: 'state'; mode: StatePath['mode'] }
  | { is: 'ephemeral' }
);

/** Longer than this the name of a path's directory on its base is too long for a file system. */
const LONGEST_FLAT_NAME = 230;

/** The places, parents before children; a volume wins over a persistent path, and that over an ephemeral one. */
export function settlePlaces(settings: LayoutSettings, found: LayoutFound, notices: string[]): Place[] {
  const places = new Map<string, Place>();
  const add = (asked: string, place: (path: string) => Place) => {
    const path = found.realPaths.get(asked) ?? asked;
    const settled = place(path);
    const refusal = refusalOf(settled, found);
    if (refusal !== undefined) notices.push(`${asked} is not mounted: ${link(asked, path)}${refusal}`);
    else if (!places.has(path)) places.set(path, settled);
    // cOS leaves a path that is both ephemeral and persistent ephemeral, without a word; asking for persistence is the
    // stronger wish. Two volumes at one place are the only loss.
    else if (settled.is === 'volume') {
      notices.push(`${settled.volume.device} is not mounted: ${asked} is ${path}, where another volume is`);
    }
  };
  for (const volume of settings.volumes) {
    add(volume.mountPoint, (path) => ({ path, is: 'volume', volume: { ...volume, mountPoint: path } }));
  }
  for (const { path: asked, mode } of settings.statePaths) add(asked, (path) => ({ path, is: 'state', mode }));
  for (const asked of settings.rwPaths) {
    if (settings.rwPathsAsked || found.directories.has(asked)) add(asked, (path) => ({ path, is: 'ephemeral' }));
  }
  return [...places.values()].sort((a, b) => comparePaths(a.path, b.path));
}

function refusalOf(place: Place, { occupied, overlayDirectory }: LayoutFound): string | undefined {
  const { path } = place;
  if (path === '/') return 'it is the root itself';
  if (['/proc', '/sys', '/dev'].some((tree) => isAtOrBelow(path, tree))) return 'it is the kernel’s';
  if (place.is !== 'volume') {
    if (isAtOrBelow(path, '/run')) return 'everything below /run is in memory and writable';
    if (!fitsOverlayOption(path)) return 'the path has one of : , \\';
    if (Buffer.byteLength(flatName(path)) > LONGEST_FLAT_NAME) return 'the path is too long';
  } else if (path === '/run' || occupied.has(path) || isAtOrBelow(path, overlayDirectory)) return 'it is in use';
  return undefined;
}

function link(asked: string, path: string): string {
  return asked === path ? '' : `it leads to ${path}, and `;
}

/** The name of a path's directory on the base: `/etc/ssh` → `etc-ssh`. */
export function flatName(path: string): string {
  return path.slice(1).replaceAll('/', '-');
}

export function isBelow(path: string, parent: string): boolean {
  return path.startsWith(`${parent}/`);
}

export function isAtOrBelow(path: string, parent: string): boolean {
  return path === parent || isBelow(path, parent);
}
