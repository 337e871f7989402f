// The environment blocks that GRUB reads and writes. Those on COS_STATE stand on a partition that is read-only while the machine
// runs, so the commands that make one anew have to open it first.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BLOCK_SIZE, parseGrubEnvironment } from '../boot/grub-environment.ts';
import type { LocatedPartition } from '../slots/locate.ts';
import { messageOf } from '../system/errors.ts';
import { isReadOnly, mountAt } from '../system/mounts.ts';

/** An environment block that GRUB reads. */
export interface FoundBlock {
  /** As a person names it: `grubenv on COS_OEM`. */
  name: string;
  /** Where it is for somebody who mends it. */
  path: string;
  /** What has to be done so that it can be written there, and afterwards. */
  access?: { before: string; after: string };
  state: 'ok' | 'missing' | { problem: string };
  /** Firmware and menus work without it, and what needs it makes it. */
  optional?: boolean;
}

const LOSS = 'the choice of the next boot, a failed boot and the menu’s title can’t be noted';

/** What is wrong with a block, what that costs, and the commands that make it anew. Pure. */
export function judgeBlock(block: FoundBlock): { problem: string; loss: string; mend: string }[] {
  const { name, path, access, state, optional = false } = block;
  if (state === 'ok' || (state === 'missing' && optional)) return [];
  const commands = [
    ...(access === undefined ? [] : [access.before]),
    ...(state === 'missing' ? [] : [`rm -r ${path}`]),
    // Any variable will do.
    ...(optional ? [] : [`holdfast grubenv --file ${path} set holdfast=1`]),
    ...(access === undefined ? [] : [access.after]),
  ];
  const problem = `${name} ${state === 'missing' ? 'is missing' : state.problem}`;
  return [{ problem, loss: LOSS, mend: commands.join('; ') }];
}

/**
 * @param directory where the partition can be read now.
 * @param partition where it is for everybody else.
 */
export function lookAtBlock(
  file: string,
  label: string,
  directory: string,
  partition: LocatedPartition | undefined,
): FoundBlock {
  const name = `${file} on ${label}`;
  const state = stateOfBlock(join(directory, file));
  const { device, mountPoint } = partition ?? {};
  if (mountPoint === undefined) {
    const access = { before: `mount ${device ?? `LABEL=${label}`} /mnt`, after: 'umount /mnt' };
    return { name, path: join('/mnt', file), access, state };
  }
  const path = join(mountPoint, file);
  const mounted = mountAt(mountPoint);
  if (mounted === undefined || !isReadOnly(mounted)) return { name, path, state };
  const remount = (mode: 'rw' | 'ro') => `mount -o remount,${mode} ${mountPoint}`;
  return { name, path, access: { before: remount('rw'), after: remount('ro') }, state };
}

/** GRUB writes a block in place, so one of another size or with holes can't be written by it. */
export function stateOfBlock(path: string): FoundBlock['state'] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'missing';
  if (!stat.isFile()) return { problem: 'is no file' };
  if (stat.size !== BLOCK_SIZE) return { problem: `has ${stat.size} bytes; GRUB can only write one of ${BLOCK_SIZE}` };
  try {
    parseGrubEnvironment(readFileSync(path));
  } catch (error) {
    return { problem: `is damaged: ${messageOf(error)}` };
  }
  return 'ok';
}
