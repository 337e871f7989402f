// The fstab of the new root. It lists what is really mounted and nothing else: systemd waits 90 s for a device that a
// line names, and goes to the emergency shell when it doesn't come.

export interface FstabEntry {
  source: string;
  mountPoint: string;
  type: string;
  options: readonly string[];
}

/** Six fields for each line, parents before children; a comment says who wrote it. */
export function renderFstab(entries: readonly FstabEntry[]): string {
  const lines = [...entries]
    .sort((a, b) => comparePaths(a.mountPoint, b.mountPoint))
    .map(({ source, mountPoint, type, options }) =>
      [source, mountPoint, type, options.join(',') || 'defaults', '0', '0'].map(escapeField).join(' '),
    );
  return ['# Written at each boot by holdfast mount.', ...lines, ''].join('\n');
}

/** Orders paths by depth, then by text, so that a mount point comes after everything that it lies in. */
export function comparePaths(a: string, b: string): number {
  const depth = (path: string) => path.split('/').filter((part) => part !== '').length;
  return depth(a) - depth(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** fstab(5): blanks, tabs, line ends and backslashes as octal numbers. */
function escapeField(text: string): string {
  return text.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
