// A slot file mounted so that programs can work in it: with the kernel's filesystems, the owner's partitions and a
// resolver that works, as a hook that calls a package manager needs it. Everything is taken down again in order, also
// when the hook left daemons behind.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { readTime, setTime } from '../image/exact-time.ts';
import { HoldfastError } from '../system/errors.ts';
import { attachLoop } from '../system/loopdevices.ts';
import { bindMount, type Mount, mount, unmount } from '../system/mounts.ts';
import type { ApplyContext, UndoStack } from '../system/plan.ts';
import { endProcessesBelow } from '../system/processes.ts';
import { Root } from '../system/root.ts';
import { mountsBelow } from '../system/work-directory.ts';

/** Mounts a slot file; `close` unmounts and detaches it. Both also happen when the plan ends. */
export async function openSlotFile(
  undo: UndoStack,
  file: string,
  mountPoint: string,
  options: { readOnly?: boolean } = {},
): Promise<{ root: Root; close: () => Promise<void> }> {
  const { device, detach } = await attachLoop(undo, file, { readOnly: options.readOnly ?? false });
  await mount(device, mountPoint, {
    type: 'ext4',
    // Inode tables that mkfs left for later stay so: initialising them would write for nothing. No barriers: after a
    // crash the file is thrown away, and when it is finished all of it is flushed at once; a package manager that
    // flushes each of its files would wait for the disk thousands of times.
    options: options.readOnly ? ['ro', 'noload'] : ['rw', 'noinit_itable', 'nodiscard', 'nobarrier'],
  });
  const close = undo.always(`unmount ${mountPoint}`, () => unmount(mountPoint));
  return {
    root: new Root(mountPoint),
    close: async () => {
      await close();
      await detach();
    },
  };
}

/** Where the owner's partitions are mounted on this machine; absent ones don't exist here. */
export interface OwnerMounts {
  oem?: string | undefined;
  persistent?: string | undefined;
  /** The machine's own /usr/local/.holdfast, where something else stands in for COS_PERSISTENT: caches outlive that. */
  caches?: string | undefined;
}

/**
 * Makes a mounted slot fit for running programs (lifecycle of cOS: /dev, /dev/pts, /proc, /sys, COS_OEM at /oem and
 * COS_PERSISTENT at /usr/local; beyond it /run, an empty /tmp and working DNS). Returns the function that undoes it.
 */
export async function furnishTarget(
  context: ApplyContext,
  root: Root,
  owner: OwnerMounts,
): Promise<() => Promise<void>> {
  const { undo } = context;
  const steps: (() => Promise<void>)[] = [];
  const bind = async (source: string, path: string) => {
    root.makeDirectory(path);
    const at = root.resolve(path);
    await bindMount(source, at);
    steps.push(undo.always(`unmount ${at}`, () => unmount(at)));
  };
  for (const path of ['/dev', '/dev/pts', '/proc', '/sys', '/run']) {
    if (existsSync(path)) await bind(path, path);
  }
  root.makeDirectory('/tmp', 0o1777);
  const tmp = root.resolve('/tmp');
  await mount('tmpfs', tmp, { type: 'tmpfs', options: ['mode=1777', 'nosuid', 'nodev'] });
  steps.push(undo.always(`unmount ${tmp}`, () => unmount(tmp)));
  if (owner.oem !== undefined) await bind(owner.oem, '/oem');
  if (owner.persistent !== undefined) await bind(owner.persistent, '/usr/local');
  if (owner.caches !== undefined) await bind(owner.caches, '/usr/local/.holdfast');
  const removeResolver = await provideResolver(context, root);
  if (removeResolver !== undefined) steps.push(removeResolver);
  const own = mountsBelow(root.directory);
  const leftovers = () => unmountLeftovers(context, root, own);
  steps.push(undo.always(`unmount what was left in ${root.directory}`, leftovers));
  steps.push(undo.always(`end what runs in ${root.directory}`, () => endProcesses(context, root)));
  return async () => {
    for (const step of steps.reverse()) await step();
  };
}

/**
 * Lets the target resolve names as this machine does, without a lasting change to the target's own file. A copy is
 * mounted over that file, so that a step which writes to it doesn't write to this machine's. Where the target's name is
 * a link into /run, the bound /run answers for it if this machine has the same resolver; if not, a file stands in for the
 * link.
 */
async function provideResolver(context: ApplyContext, root: Root): Promise<(() => Promise<void>) | undefined> {
  const own = new Root('/').readTextIfThere(RESOLVER);
  if (own === undefined) {
    context.warn(`this machine has no ${RESOLVER}: hooks in the new system can resolve no names`);
    return undefined;
  }
  const target = root.resolve(RESOLVER);
  const link = root.resolve(RESOLVER, { followLast: false });
  if (target.startsWith(`${root.directory}/run/`)) {
    if (existsSync(target)) return undefined;
    return standIn(context, root, link, own);
  }
  if (!existsSync(target)) return standIn(context, root, target, own);
  const copy = `${root.directory}.resolv.conf`;
  writeFileSync(copy, own);
  await bindMount(copy, target);
  return context.undo.always(`unmount ${target}`, async () => {
    await unmount(target);
    rmSync(copy, { force: true });
  });
}

const RESOLVER = '/etc/resolv.conf';

/** Puts a file at a name that is free or a dangling link, and takes it away again unless a hook has changed it. */
function standIn(context: ApplyContext, root: Root, at: string, text: string): () => Promise<void> {
  const old = lstatSync(at, { throwIfNoEntry: false });
  const link = old?.isSymbolicLink() ? readlinkSync(at) : undefined;
  const time = readTime(at);
  rmSync(at, { force: true });
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, text, { flag: 'wx', mode: 0o644 });
  return context.undo.always(`restore ${at}`, () => {
    if (!existsSync(at) || readFileSync(at, 'utf8') !== text) {
      context.warn(`a hook changed ${at.slice(root.directory.length)}; it stays changed`);
      return;
    }
    rmSync(at);
    if (link === undefined) return;
    symlinkSync(link, at);
    if (time !== undefined) setTime(at, time);
  });
}

/** Ends daemons that a hook started inside the target (key agents, package services): they would keep it mounted. */
async function endProcesses(context: ApplyContext, root: Root): Promise<void> {
  for (const { pid, command } of await endProcessesBelow(root.directory)) {
    context.warn(`${command} (${pid}) was left running by a hook and was ended`);
  }
}

/** Takes down what a hook has mounted: it would keep the owner's partitions mounted here, and the slot busy. */
async function unmountLeftovers(context: ApplyContext, root: Root, own: readonly Mount[]): Promise<void> {
  const kept = own.map(nameOf);
  const found: Mount[] = [];
  for (const each of mountsBelow(root.directory)) {
    const at = kept.indexOf(nameOf(each));
    if (at < 0) found.push(each);
    else kept.splice(at, 1);
  }
  for (const { mountPoint, source } of found.reverse()) {
    await unmount(mountPoint);
    const path = mountPoint.slice(root.directory.length);
    context.warn(`${source} was left mounted at ${path} by a hook and was unmounted`);
  }
}

const nameOf = ({ mountPoint, device, rootPath }: Mount) => `${device} ${rootPath} ${mountPoint}`;

/** Directories that every root has, whatever its image left out, with their modes (elemental's skeleton). */
const SKELETON: readonly (readonly [string, number])[] = [
  ['/', 0o755],
  ['/run', 0o755],
  ['/dev', 0o755],
  ['/boot', 0o755],
  ['/usr/local', 0o755],
  ['/oem', 0o755],
  ['/proc', 0o555],
  ['/sys', 0o555],
  ['/tmp', 0o1777],
];

export function makeSkeleton(root: Root): void {
  for (const [path, mode] of SKELETON) {
    const found = root.lstat(path);
    if (found === undefined || path === '/') root.makeDirectory(path, mode);
    else if (!found.isDirectory() && !found.isSymbolicLink()) {
      throw new HoldfastError('HF-NOT-BOOTABLE', `${path} of the image is not a directory`);
    }
  }
}
