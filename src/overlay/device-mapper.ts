// Device-mapper tables of a root overlay, through dmsetup. It is told not to wait for udev: in an initramfs whose udev has no
// rules for device-mapper it would wait for ever; whether the device is there is seen by looking.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { UndoStack } from '../system/plan.ts';
import { run, tailOf } from '../system/process.ts';
import { AttachRefusal } from './attach-refusal.ts';

const MAPPER_DIRECTORY = '/dev/mapper';
const NODE_TIMEOUT_MS = 10_000;

/** A snapshot that survives reboots and says so when it is full instead of becoming invalid (`PO`, Linux 4.3). */
export function snapshotTable(sectors: number, origin: string, cow: string, chunkSectors: number): string {
  return `0 ${sectors} snapshot ${origin} ${cow} PO ${chunkSectors}`;
}

/** The same, for a COW that may only be read: dracut gives it no overflow, which nothing can cause. */
export function readOnlySnapshotTable(sectors: number, origin: string, cow: string, chunkSectors: number): string {
  return `0 ${sectors} snapshot ${origin} ${cow} P ${chunkSectors}`;
}

/** A name for a whole device. */
export function linearTable(sectors: number, device: string): string {
  return `0 ${sectors} linear ${device} 0`;
}

/**
 * Makes a device, which is removed again when the plan fails.
 * @returns its path, `/dev/mapper/NAME`.
 * @throws AttachRefusal no-device-mapper with dmsetup's words.
 */
export async function createMapping(
  undo: UndoStack,
  name: string,
  table: string,
  { readOnly = false }: { readOnly?: boolean } = {},
): Promise<string> {
  const argv: [string, ...string[]] = ['dmsetup', 'create', '--noudevsync'];
  if (readOnly) argv.push('--readonly');
  const result = await run([...argv, name], { input: `${table}\n`, timeoutMs: 60_000 });
  if (result.status !== 0) {
    throw new AttachRefusal('no-device-mapper', `device-mapper refuses ${name}: ${tailOf(result.stderr, 2)}`);
  }
  undo.onFailure(`remove ${name}`, () => removeMapping(name));
  const path = join(MAPPER_DIRECTORY, name);
  if (!(await appears(path))) await run(['dmsetup', 'mknodes', '--noudevsync', name]);
  if (!isBlockDevice(path)) throw new AttachRefusal('no-device-mapper', `${path} does not appear`);
  return path;
}

/** Removes a device; udev may have it open for a moment. */
export async function removeMapping(name: string): Promise<void> {
  await run(['dmsetup', 'remove', '--noudevsync', '--retry', name], { timeoutMs: 60_000 });
}

/** The kernel's words for a snapshot: `2440/131072 24`, `Overflow`, `Invalid`; undefined when it can't be asked. */
export async function snapshotStatus(name: string): Promise<string | undefined> {
  const { status, stdout } = await run(['dmsetup', 'status', name], { timeoutMs: 60_000 });
  return status === 0 ? /^\d+ \d+ snapshot (.*)$/m.exec(stdout.trim())?.[1] : undefined;
}

async function appears(path: string): Promise<boolean> {
  const end = Date.now() + NODE_TIMEOUT_MS;
  while (!isBlockDevice(path)) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

function isBlockDevice(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isBlockDevice() ?? false;
}
