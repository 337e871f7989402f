// What an upgrade that was killed (not interrupted: that cleans up after itself) has left on this machine: mounts, loop
// devices, programs of a hook. The next one takes it away before it begins, while it holds the lock.

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BOOTED_PARTITION, TRANSITION_FILE } from '../slots/names.ts';
import { backingFileOf, detachLoop, listLoops } from '../system/loopdevices.ts';
import { listMounts, unmount } from '../system/mounts.ts';
import { endProcessesBelow } from '../system/processes.ts';

/** Where upgrades keep their work directories. */
export const RUN_DIRECTORY = '/run/holdfast';

/**
 * Takes away what killed upgrades left. The caller holds the lock, so no other upgrade is at work, and hasn't looked at
 * the machine yet: where COS_STATE is mounted may change here.
 * @returns what was found, one sentence each.
 */
export async function removeRemains(): Promise<string[]> {
  const remains: string[] = [];
  for (const name of workDirectories()) {
    const directory = join(RUN_DIRECTORY, name);
    for (const { command, pid } of await endProcessesBelow(directory)) {
      remains.push(`${command} (${pid}) was still running for an upgrade that was killed; it was ended`);
    }
    const mounts = listMounts().filter(({ mountPoint }) => mountPoint.startsWith(`${directory}/`));
    for (const { mountPoint, source } of mounts.reverse()) {
      await unmount(mountPoint);
      if (isTransition(source)) await detachLoop(source);
    }
    rmSync(directory, { recursive: true, force: true });
    remains.push(`${directory} was left by an upgrade that was killed; it was taken away`);
  }
  // Killed between attaching and mounting.
  for (const { device } of listLoops()) if (isTransition(device)) await detachLoop(device);
  return remains;
}

/** Whether a device is a loop device over a slot that an upgrade was building; an install has a lock of its own. */
function isTransition(device: string): boolean {
  const file = backingFileOf(device)?.replace(/ \(deleted\)$/, '') ?? '';
  const isUpgrade = file.startsWith(`${RUN_DIRECTORY}/upgrade-`) || file.startsWith(`${BOOTED_PARTITION}/`);
  return isUpgrade && file.endsWith(`/${TRANSITION_FILE}`);
}

function workDirectories(): string[] {
  try {
    return readdirSync(RUN_DIRECTORY).filter((name) => /^upgrade-\d+$/.test(name) && name !== `upgrade-${process.pid}`);
  } catch {
    // There was no upgrade since this machine was booted.
    return [];
  }
}
