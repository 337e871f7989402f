// The fstab of the new root. It lists what is really mounted and nothing else: systemd waits 90 s for a device that a
// line names, and goes to the emergency shell when it doesn't come.

import type { Mount } from '../system/mounts.ts';

export interface FstabEntry {
  source: string;
  mountPoint: string;
  type: string;
  options: readonly string[];
}

/** Six fields for each line, parents before children; a comment says who wrote it. */
export function renderFstab(entries: readonly FstabEntry[]): string {
  const lines = [...entries].sort((a, b) => comparePaths(a.mountPoint, b.mountPoint)).map(renderFstabLine);
  return ['# Written at each boot by holdfast mount.', ...lines, ''].join('\n');
}

export function renderFstabLine({ source, mountPoint, type, options }: FstabEntry): string {
  return [source, mountPoint, type, options.join(',') || 'defaults', '0', '0'].map(escapeField).join(' ');
}

/** Orders paths by depth, then by text, so that a mount point comes after everything that it lies in. */
export function comparePaths(a: string, b: string): number {
  const depth = (path: string) => path.split('/').filter((part) => part !== '').length;
  return depth(a) - depth(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/**
 * The line for something that was mounted before.
 * @param sysroot where the new root is now; paths in the options are those of the new root afterwards.
 */
export function entryOfMount(mount: Mount, mountPoint: string, sysroot: string): FstabEntry {
  const inside = (path: string) => (path.startsWith(`${sysroot}/`) ? path.slice(sysroot.length) : path);
  const access = mount.options.includes('ro') ? 'ro' : 'rw';
  if (mount.type === 'overlay') {
    const layers = mount.superOptions.flatMap((option) => {
      const [, name, path] = /^(lowerdir|upperdir|workdir)=(.*)$/s.exec(option) ?? [];
      return name === undefined || path === undefined ? [] : `${name}=${inside(path)}`;
    });
    const upper = layers.find((option) => option.startsWith('upperdir='))?.slice('upperdir='.length);
    const order = upper === undefined ? [] : [`x-systemd.requires-mounts-for=${upper}`];
    return { source: 'overlay', mountPoint, type: 'overlay', options: [access, ...layers, ...order] };
  }
  if (mount.type === 'tmpfs') {
    const limits = mount.superOptions.filter((option) => /^(size|mode|nr_inodes)=/.test(option));
    return { source: 'tmpfs', mountPoint, type: 'tmpfs', options: [access, ...limits] };
  }
  return { source: mount.source, mountPoint, type: mount.type, options: [access, 'nofail'] };
}

/** fstab(5): blanks, tabs, line ends and backslashes as octal numbers; a `#` only where it would begin a comment. */
function escapeField(text: string): string {
  return text.replace(/[ \t\r\n\\]|^#/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
