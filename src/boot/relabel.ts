// The list of places that systemd labels for SELinux before it starts anything: overlays and volumes come without labels,
// and only the image's own files got theirs when it was deployed.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Root } from '../system/root.ts';

/** systemd reads each file there, labels the trees that it names, one in a line, and removes it. */
const RELABEL_DIRECTORY = '/run/systemd/relabel-extra.d';
/** elemental-toolkit v2: whoever has it was labelled at an earlier boot. */
const FLAG = '.relabelled';

/** Whether the image has SELinux switched on: its configuration says so and names a policy that is there. */
export function hasSelinux(root: Root): boolean {
  let text: string | undefined;
  try {
    text = root.readTextIfThere('/etc/selinux/config');
  } catch {
    return false;
  }
  const value = (name: string) => new RegExp(`^[ \\t]*${name}[ \\t]*=[ \\t]*(\\S+)`, 'm').exec(text ?? '')?.[1];
  const mode = value('SELINUX');
  const policy = value('SELINUXTYPE') ?? 'targeted';
  return (
    (mode === 'enforcing' || mode === 'permissive') && !policy.includes('/') && root.exists(`/etc/selinux/${policy}`)
  );
}

/**
 * Writes the list. A place that is kept over reboots gets a flag file, and is listed only until it has one.
 * @param places paths of the new root, with where they are now.
 * @param directory default: systemd's.
 */
export function listForRelabel(
  places: readonly { path: string; at: string; persistent: boolean }[],
  directory: string = RELABEL_DIRECTORY,
): void {
  const unlabelled = places.filter(({ at, persistent }) => !persistent || !existsSync(join(at, FLAG)));
  if (unlabelled.length === 0) return;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'holdfast.relabel'), unlabelled.map(({ path }) => `${path}\n`).join(''));
  for (const { at, persistent } of unlabelled) {
    if (persistent) writeFileSync(join(at, FLAG), '', { flag: 'wx' });
  }
}
