// What shows at each path of the running system, by what is mounted: its slot, a layer in memory over it, a directory that this
// machine keeps, or something else altogether. Pure.

import type { TreePath } from '../ledger/compare-trees.ts';
import type { Mount } from '../system/mounts.ts';
import type { LivePlace } from './live-changes.ts';

export interface LivePlaces {
  placeOf: (path: TreePath) => LivePlace;
}

/**
 * @param mounts of the running system, in the order of mounting.
 * @param covered directories that an earlier live change put the slot's over: `/usr`.
 */
export function livePlaces(mounts: readonly Mount[], covered: readonly string[]): LivePlaces {
  const root = mounts.findLast(({ mountPoint }) => mountPoint === '/');
  const visible = new Map(mounts.map((mount) => [mount.mountPoint, mount]));
  const inMemory = (directory: string) => coveringMount(visible, directory)?.type === 'tmpfs';
  const known = new Map<string, LivePlace>();

  const placeOfMount = (mount: Mount): LivePlace => {
    if (mount === root) return 'read-only';
    if (covered.includes(mount.mountPoint)) return 'read-only';
    if (mount.type !== 'overlay') return isOfDisk(mount) ? 'kept' : 'elsewhere';
    const upper = mount.superOptions.find((option) => option.startsWith('upperdir='))?.slice('upperdir='.length);
    if (upper === undefined) return 'elsewhere';
    // The initramfs mounts below /sysroot.
    return inMemory(upper.replace(/^\/sysroot(?=\/)/, '')) ? 'memory' : 'kept';
  };
  return {
    placeOf: (path) => {
      const full = `/${Buffer.from(path, 'latin1').toString('utf8')}`;
      const mount = coveringMount(visible, full);
      if (mount === undefined) return 'elsewhere';
      const place = known.get(mount.mountPoint) ?? placeOfMount(mount);
      known.set(mount.mountPoint, place);
      return place;
    },
  };
}

function coveringMount(visible: ReadonlyMap<string, Mount>, path: string): Mount | undefined {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('/'))) {
    const found = visible.get(at === '' ? '/' : at);
    if (found !== undefined || at === '') return found;
  }
}

function isOfDisk({ source, type }: Mount): boolean {
  return source.startsWith('/dev/') && type !== 'devtmpfs';
}
