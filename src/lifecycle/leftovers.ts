// What an action that was killed (not interrupted: that cleans up after itself) has left on this machine: mounts, loop
// devices, programs of a hook. The next one takes it away before it begins, while it holds the lock.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BOOTED_PARTITION,
  LIVE_PARTITION,
  OVERLAY_WORK_FILES,
  REHEARSAL_FILE,
  TRANSITION_FILE,
} from '../slots/names.ts';
import { backingFileOf, detachLoop, listLoops } from '../system/loopdevices.ts';
import { listMounts, mountAt, unmount } from '../system/mounts.ts';
import { endProcessesBelow } from '../system/processes.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';

/** What an action has attached while it was at work. */
const UNFINISHED = [TRANSITION_FILE, REHEARSAL_FILE, ...Object.values(OVERLAY_WORK_FILES)];

/** Where actions keep their work directories: `upgrade-PID` and so on. An install has a lock of its own. */
export const RUN_DIRECTORY = '/run/holdfast';

/** The actions that share one lock, as their work directories name them. */
export const ACTION_NAMES = [
  'upgrade',
  'plan',
  'upgrade-recovery',
  'rollback',
  'reset',
  'deploy',
  'boot',
  'rebrand',
  'assess',
  'carry',
  'rehearse',
  'apply',
  'record',
] as const;
export type ActionName = (typeof ACTION_NAMES)[number];
/** Commands that look into slots without the lock; one that is still running is left alone. */
const LOOKING_NAMES = ['doctor', 'promote', 'diff', 'why', 'why-next', 'adopt', 'revert', 'suc-upgrade'] as const;
const WORK_NAME = new RegExp(`^(?:${[...ACTION_NAMES, ...LOOKING_NAMES].join('|')})-\\d+$`);
const LOOKING_NAME = new RegExp(`^(?:${LOOKING_NAMES.join('|')})-(\\d+)$`);
const WORK_FILE = new RegExp(`^${RUN_DIRECTORY}/(?:${ACTION_NAMES.join('|')})-\\d+/`);

/** In a work directory: where else on this machine the action has mounted something, a path per line. */
export const EXPOSED_RECORD = 'exposed';

/**
 * Takes away what killed actions left. The caller holds the lock, so no other action is at work, and hasn't looked at
 * the machine yet: where COS_STATE is mounted may change here.
 * @returns what was found, one sentence each.
 */
export async function removeRemains(): Promise<string[]> {
  const remains: string[] = [];
  for (const name of workDirectories()) {
    const looker = LOOKING_NAME.exec(name)?.[1];
    if (looker !== undefined && existsSync(`/proc/${looker}`)) continue;
    const directory = join(RUN_DIRECTORY, name);
    for (const { command, pid } of await endProcessesBelow(directory)) {
      remains.push(`${command} (${pid}) was still running for an upgrade that was killed; it was ended`);
    }
    const exposed = linesOf(join(directory, EXPOSED_RECORD));
    const mounts = listMounts().filter(
      ({ mountPoint }) => mountPoint.startsWith(`${directory}/`) || exposed.includes(mountPoint),
    );
    for (const { mountPoint, source } of mounts.reverse()) {
      await unmount(mountPoint);
      // Whoever only looked has attached devices of its own, over slots too.
      const isOurs = isTransition(source) || isSlotCopy(source) || (looker !== undefined && isLoop(source));
      if (isOurs) await detachLoop(source);
    }
    removeWorkDirectory(directory);
    remains.push(`${directory} was left by an upgrade that was killed; it was taken away`);
  }
  // Killed between attaching and mounting.
  for (const { device } of listLoops()) if (isTransition(device)) await detachLoop(device);
  return remains;
}

function isLoop(source: string): boolean {
  return /^\/dev\/loop\d+$/.test(source);
}

/** Whether a device is a loop device over a slot that an action was building; an install has a lock of its own. */
function isTransition(device: string): boolean {
  const file = backingFileOf(device)?.replace(/ \(deleted\)$/, '') ?? '';
  const isOurs =
    WORK_FILE.test(file) || file.startsWith(`${BOOTED_PARTITION}/`) || file.startsWith(`${LIVE_PARTITION}/`);
  return isOurs && UNFINISHED.some((name) => file.endsWith(`/${name}`));
}

/** Whether a device that was mounted for an action is a loop device over a slot file, attached to be looked at. */
function isSlotCopy(device: string): boolean {
  const file = backingFileOf(device) ?? '';
  return /\/cOS\/[^/]+\.img(?: \(deleted\))?$/.test(file) && device !== mountAt('/')?.source;
}

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
}

function workDirectories(): string[] {
  try {
    return readdirSync(RUN_DIRECTORY).filter((name) => WORK_NAME.test(name) && !name.endsWith(`-${process.pid}`));
  } catch {
    // There was no action since this machine was booted.
    return [];
  }
}
