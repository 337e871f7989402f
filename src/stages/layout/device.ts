// Finds the disk that a layout means: by label first, then by path (Elemental and yip up to 1.18; yip 1.19 looks at the
// path first). In another root only what its /dev has counts, so that a rehearsal on a directory can't reach a disk.

import { existsSync, realpathSync, statSync } from 'node:fs';
import { HoldfastError } from '../../system/errors.ts';
import { listMounts } from '../../system/mounts.ts';
import { run, tailOf } from '../../system/process.ts';
import { findProgram } from '../../system/tools.ts';
import { commandEnvironment } from '../shell.ts';
import type { StepContext } from '../steps/handler.ts';
import {
  blockNames,
  deviceNumber,
  kernelName,
  kernelPartitions,
  loopBacking,
  nodeOf,
  parentDisk,
  sizeOf,
  usesOfDevice,
  wholeLoopOf,
} from './blockdevices.ts';
import { readTable } from './inspect.ts';
import { partitionProbe } from './probe.ts';
import type { LayoutRequest } from './request.ts';

const SCRIPT = 'script://';
/** Elemental: disks may show up late while a machine boots. */
const TRIES = 5;
const TRY_AGAIN_MS = 1000;

type Context = Pick<StepContext, 'root' | 'signal' | 'env'>;

/**
 * The disk, as the node of a whole block device or as an image file.
 * @throws HoldfastError HF-TARGET when it isn't there, or when a label is on several disks.
 */
export async function findDisk(request: Pick<LayoutRequest, 'label' | 'path'>, context: Context): Promise<string> {
  const { label, path } = request;
  if (label !== '') {
    const disk = await untilFound(() => diskWithLabel(label, context), context);
    if (disk !== undefined) return disk;
    if (path === '') {
      throw new HoldfastError('HF-TARGET', `no filesystem or partition with the label ${label} was found`, {
        hint: 'blkid lists the labels; to add "path:" as well names the disk where the label is not there yet',
      });
    }
  }
  const named = path.startsWith(SCRIPT) ? await runScript(path, context) : path;
  const disk = await untilFound(() => diskAtPath(named, context), context);
  if (disk === undefined) {
    throw new HoldfastError('HF-TARGET', `${named} is not there`, { hint: 'lsblk lists the disks' });
  }
  return disk;
}

async function untilFound<T>(look: () => Promise<T | undefined> | T | undefined, { signal }: Context) {
  for (let attempt = 1; ; attempt++) {
    const found = await look();
    if (found !== undefined || attempt === TRIES) return found;
    await settle();
    await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while waiting for a disk');
  }
}

/** Waits until udev has handled what the kernel told it, where there is an udev. */
export async function settle(): Promise<void> {
  if (!existsSync('/run/udev/control') || findProgram('udevadm') === undefined) return;
  await run(['udevadm', 'settle', '--timeout=30']);
}

async function runScript(path: string, { root, signal, env }: Context): Promise<string> {
  const [command, ...args] = path.slice(SCRIPT.length).trim().split(/\s+/);
  if (!command) throw new HoldfastError('HF-CONFIG', `"${path}" names no command`);
  const result = await root.run([command, ...args], { signal, env: commandEnvironment(root, env) });
  const printed = result.stdout.trim();
  if (result.status === 0 && printed !== '') return printed;
  throw new HoldfastError('HF-COMMAND', `${[command, ...args].join(' ')} named no device`, {
    outputTail: tailOf(result.stderr),
    hint: 'it must print a path to its standard output and end with status 0',
  });
}

/** The disk of what is at this path: a disk, a partition, a loop device, an image file, or where one is mounted. */
function diskAtPath(path: string, context: Context): string | undefined {
  if (!path.startsWith('/')) throw new HoldfastError('HF-CONFIG', `"${path}" is no absolute path`);
  const there = context.root.resolve(path);
  const stat = statSync(there, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (stat.isDirectory()) return diskMountedAt(path, there, context);
  return diskOf(there, context);
}

/** cloud-init's growpart names a mount point, usually "/". */
function diskMountedAt(path: string, there: string, context: Context): string {
  const mount = listMounts().findLast(({ mountPoint }) => mountPoint === there);
  const source = mount?.source.startsWith('/dev/') ? mount.source : undefined;
  const name = mount === undefined ? undefined : blockNames().find((one) => numberOf(one) === mount.device);
  const node = name === undefined ? source : nodeOf(name);
  const disk = node === undefined ? undefined : diskOf(node, context);
  if (disk !== undefined) return disk;
  throw new HoldfastError('HF-TARGET', `${path} is a directory, and no partition of a disk is mounted there`, {
    hint: 'name the disk (lsblk lists them)',
  });
}

function numberOf(name: string): string | undefined {
  const stat = statSync(nodeOf(name), { throwIfNoEntry: false });
  return stat?.isBlockDevice() ? deviceNumber(stat.rdev) : undefined;
}

/** From a node or an image file to the disk that it is, or is a part of. */
function diskOf(there: string, context: Context): string | undefined {
  const stat = statSync(there, { throwIfNoEntry: false });
  if (stat?.isFile()) {
    const file = realpathSync(there);
    const loop = wholeLoopOf(file);
    // While a loop device shows the file, writing past it would leave the two different.
    return loop === undefined ? file : nodeOf(loop);
  }
  const name = kernelName(there);
  if (name === undefined) {
    throw new HoldfastError('HF-TARGET', `${there} is neither a disk nor an image file`, {
      hint: 'lsblk lists the disks',
    });
  }
  const disk = parentDisk(name);
  if (disk !== undefined) return allowed(nodeOf(disk), context);
  const backing = loopBacking(name);
  if (backing !== undefined && (backing.offsetBytes > 0 || backing.limitBytes > 0))
    return diskOf(backing.file, context);
  return allowed(nodeOf(name), context);
}

/** In another root a device counts only if its /dev has it. */
function allowed(node: string, { root }: Context): string {
  if (root.isHost) return node;
  const inside = root.stat(node);
  const outside = statSync(node, { throwIfNoEntry: false });
  if (inside?.isBlockDevice() && inside.rdev === outside?.rdev) return node;
  throw new HoldfastError('HF-TARGET', `${node} is not in the /dev of ${root.directory}`, {
    hint: 'mount /dev there if disks of this machine are meant',
  });
}

async function diskWithLabel(label: string, context: Context): Promise<string | undefined> {
  for (const token of [`LABEL=${label}`, `PARTLABEL=${label}`]) {
    const argv: [string, ...string[]] = ['blkid', '--cache-file', '/dev/null', '--match-token', token];
    const result = await run([...argv, '--output', 'device'], { signal: context.signal });
    const nodes = result.stdout.split('\n').filter((line) => line !== '');
    const disk = onlyOne(label, new Set(nodes.flatMap((node) => diskOf(node, context) ?? [])));
    if (disk !== undefined) return disk;
  }
  return onlyOne(label, await unseenDisksWithLabel(label));
}

/** Looks into the tables of disks that the kernel shows no partitions of. */
async function unseenDisksWithLabel(label: string): Promise<Set<string>> {
  const disks = new Set<string>();
  for (const name of blockNames()) {
    if (parentDisk(name) !== undefined || sizeOf(name) === 0 || kernelPartitions(name).length > 0) continue;
    const node = nodeOf(name);
    const table = await readTable(node, sizeOf(name));
    if (table === undefined || 'other' in table) continue;
    for (const partition of table.partitions) {
      const labels = [partition.name, (await partitionProbe(node, partition)).label];
      if (labels.includes(label)) disks.add(node);
    }
  }
  return disks;
}

/** Of several disks the one that is in use is meant: that the machine runs from. */
function onlyOne(label: string, disks: ReadonlySet<string>): string | undefined {
  const all = [...disks];
  if (all.length < 2) return all[0];
  const used = all.filter((node) => {
    const name = kernelName(node);
    return name !== undefined && [name, ...kernelPartitions(name).map((part) => part.name)].some(isMounted);
  });
  if (used.length === 1) return used[0];
  throw new HoldfastError('HF-TARGET', `the label ${label} is on several disks: ${all.join(', ')}`, {
    hint: 'name the disk by "path:" without a label',
  });
}

function isMounted(name: string): boolean {
  return usesOfDevice(name).some(({ mount }) => mount !== undefined);
}
