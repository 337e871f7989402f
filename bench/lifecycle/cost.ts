// What one action costs: time, what went over the disks, and memory. It begins with empty caches and ends when everything
// that it wrote is on the disk.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DemoImages } from '../../lab/demo/images.ts';
import { createSlotFile } from '../../src/slots/slot-file.ts';
import { HoldfastError } from '../../src/system/errors.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import type { UndoStack } from '../../src/system/plan.ts';
import { runChecked } from '../../src/system/process.ts';
import { type BenchDisk, countersOf, type Delivery } from './devices.ts';

export interface Cost {
  seconds: number;
  imageReadBytes: number;
  diskReadBytes: number;
  diskWrittenBytes: number;
  /** Of the largest process. */
  memoryBytes: number;
}

/**
 * Runs a command and measures it.
 * @throws HoldfastError HF-COMMAND when it fails.
 */
export async function measureCommand(
  argv: readonly [string, ...string[]],
  disk: BenchDisk,
  delivery: Delivery,
): Promise<Cost> {
  await runChecked(['sync']);
  writeFileSync('/proc/sys/vm/drop_caches', '3');
  const [image, before] = [countersOf(delivery.device), countersOf(disk.device)];
  const started = performance.now();
  const { status, stderr } = spawnSync('/usr/bin/time', ['-f', '%M', ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new HoldfastError('HF-COMMAND', `${argv.join(' ')} failed`, { outputTail: stderr });
  await runChecked(['sync']);
  const seconds = (performance.now() - started) / 1000;
  const after = countersOf(disk.device);
  return {
    seconds,
    imageReadBytes: countersOf(delivery.device).readBytes - image.readBytes,
    diskReadBytes: after.readBytes - before.readBytes,
    diskWrittenBytes: after.writtenBytes - before.writtenBytes,
    memoryBytes: Number(stderr.trim().split('\n').at(-1)) * 1024,
  };
}

/** What there is to compare with: the image's layer unpacked by tar(1) into a slot file on XFS. */
export async function extractWithTar(
  undo: UndoStack,
  disk: BenchDisk,
  delivery: Delivery,
  demo: DemoImages,
): Promise<Cost> {
  const [layer] = demo.tags.v1.layers;
  if (layer === undefined) throw new HoldfastError('HF-IMAGE', 'the demo image has no layer');
  const state = join(dirname(delivery.directory), 'plain-state');
  const target = join(dirname(delivery.directory), 'plain-target');
  for (const directory of [state, target]) mkdirSync(directory, { recursive: true });
  await runChecked(['mkfs.xfs', '-q', '-f', '-m', 'reflink=1', disk.device]);
  await mount(disk.device, state);
  const unmountState = undo.always(`unmount ${state}`, () => unmount(state));
  const file = join(state, 'slot.img');
  await createSlotFile(file, { sizeBytes: 1536 * 2 ** 20, label: 'PLAIN' });
  await mount(file, target, { options: ['loop'] });
  const unmountTarget = undo.always(`unmount ${target}`, () => unmount(target));
  const blob = join(delivery.directory, 'blobs/sha256', layer.digest.replace('sha256:', ''));
  const cost = await measureCommand(
    ['tar', '--zstd', '--extract', '--numeric-owner', '--xattrs', '--file', blob, '--directory', target],
    disk,
    delivery,
  );
  await unmountTarget();
  await unmountState();
  return cost;
}
