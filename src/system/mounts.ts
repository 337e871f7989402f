// Mounting and unmounting, and the kernel's own list of what is mounted.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { HoldfastError } from './errors.ts';
import type { UndoStack } from './plan.ts';
import { commandFailed, type RunResult, run, runChecked } from './process.ts';
import { kernelPath, processesBelow } from './processes.ts';

/** One line of /proc/self/mountinfo. */
export interface Mount {
  mountPoint: string;
  /** What the filesystem was mounted from, as the kernel names it (`/dev/vda3`, `tmpfs`, `overlay`). */
  source: string;
  /** The path inside the filesystem that is mounted: `/` unless it is a bind mount. */
  rootPath: string;
  type: string;
  /** Per-mount and per-filesystem options together; `ro` in either makes it read-only. */
  options: readonly string[];
  superOptions: readonly string[];
  /** `major:minor` of the filesystem's device. */
  device: string;
}

/** Parses the text of /proc/PID/mountinfo (proc(5)); lines that don't fit are left out. */
export function parseMountInfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const [left, right] = line.split(' - ');
    const [, , device, rootPath, mountPoint, options] = left?.split(' ') ?? [];
    const [type, source, superOptions] = right?.split(' ') ?? [];
    if (device === undefined || rootPath === undefined || mountPoint === undefined || type === undefined) continue;
    mounts.push({
      device,
      rootPath: unescapeOctal(rootPath),
      mountPoint: unescapeOctal(mountPoint),
      options: options?.split(',') ?? [],
      type,
      source: unescapeOctal(source ?? ''),
      superOptions: superOptions?.split(',') ?? [],
    });
  }
  return mounts;
}

/** What is mounted now, in the order of mounting. */
export function listMounts(): Mount[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** The mount that is visible at exactly this directory, if any. */
export function mountAt(mountPoint: string, mounts: readonly Mount[] = listMounts()): Mount | undefined {
  const real = kernelPath(mountPoint);
  return mounts.findLast((mount) => mount.mountPoint === real);
}

export interface MountOptions {
  type?: string;
  /** As for mount(8) `-o`. */
  options?: readonly string[];
}

/** Mounts a device, file or pseudo filesystem; the mount point is made if missing. */
export async function mount(source: string, mountPoint: string, { type, options }: MountOptions = {}): Promise<void> {
  // A file may be bind mounted over a file.
  if (!existsSync(mountPoint)) mkdirSync(mountPoint, { recursive: true });
  const argv: [string, ...string[]] = ['mount'];
  if (type !== undefined) argv.push('-t', type);
  if (options !== undefined && options.length > 0) argv.push('-o', options.join(','));
  const result = await run([...argv, source, mountPoint]);
  if (result.status !== 0) {
    const reason = result.stderr.trim().replace(/\s+/g, ' ');
    throw new HoldfastError('HF-MOUNT', `${source} could not be mounted at ${mountPoint}: ${reason}`, {
      cause: commandFailed(result),
    });
  }
}

/** Mounts and registers the unmounting. Returns a function that unmounts now. */
export async function mountUntilEnd(
  undo: UndoStack,
  source: string,
  mountPoint: string,
  options: MountOptions = {},
): Promise<() => Promise<void>> {
  await mount(source, mountPoint, options);
  return undo.always(`unmount ${mountPoint}`, () => unmount(mountPoint));
}

/** Bind mount; nothing that is mounted inside the tree later shows up outside of it. */
export async function bindMount(source: string, mountPoint: string): Promise<void> {
  await mount(source, mountPoint, { options: ['bind'] });
  await runChecked(['mount', '--make-private', mountPoint]);
}

/**
 * Unmounts, trying again for a short time while it is busy.
 * @throws HoldfastError HF-MOUNT that names the processes which hold it.
 */
export async function unmount(mountPoint: string): Promise<void> {
  let result: RunResult | undefined;
  for (const delayMs of [0, 50, 100, 200, 500, 1000, 2000]) {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (mountAt(mountPoint) === undefined) return;
    result = await run(['umount', mountPoint]);
    if (result.status === 0) return;
  }
  const holders = processesBelow(mountPoint).map(({ pid, command }) => `${command} (${pid})`);
  throw new HoldfastError(
    'HF-MOUNT',
    `${mountPoint} could not be unmounted: ${result?.stderr.trim() ?? 'it is busy'}`,
    holders.length === 0 ? {} : { hint: `still in use by ${holders.join(', ')}` },
  );
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Whether nothing can be written through this mount. */
export function isReadOnly({ options, superOptions }: Pick<Mount, 'options' | 'superOptions'>): boolean {
  return options.includes('ro') || superOptions.includes('ro');
}

/** Whether files on the filesystem that is mounted at `mountPoint` can share blocks, so that a copy costs nothing. */
export function canShareBlocks(mountPoint: string): boolean {
  // An XFS that was made without reflink is found out by trying.
  return ['xfs', 'btrfs', 'bcachefs'].includes(mountAt(mountPoint)?.type ?? '');
}
