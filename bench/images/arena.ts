// A file system of its own for each contestant, empty at the start. What a command takes of it is looked at while it runs:
// what is there at its worst moment, and what is left in the end.

import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../../src/system/errors.ts';
import { attachLoop } from '../../src/system/loopdevices.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { UndoStack } from '../../src/system/plan.ts';
import { runChecked } from '../../src/system/process.ts';
import { countersOf } from '../lifecycle/devices.ts';

const SIZE_BYTES = 8 * 1024 ** 3;
const LOOK_MS = 20;

export interface Run {
  seconds: number;
  /** Of the largest process. */
  memoryBytes: number;
}

/** What a command cost in an arena. */
export interface FillCost extends Run {
  writtenBytes: number;
  /** Used at the worst moment. */
  peakBytes: number;
  /** Used by what was wanted, in the end. */
  leftBytes: number;
}

/**
 * Runs a command and measures it until everything it wrote is on the disk. It runs beside this program, which may serve it.
 * @throws HoldfastError HF-COMMAND when it fails.
 */
export async function measureRun(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  await runChecked(['sync']);
  writeFileSync('/proc/sys/vm/drop_caches', '3');
  const started = performance.now();
  const child = spawn('/usr/bin/time', ['-f', '%M', ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-8192);
  });
  const status = await new Promise<number | null>((resolve) => {
    child.on('close', resolve);
    child.on('error', () => resolve(null));
  });
  if (status !== 0) throw new HoldfastError('HF-COMMAND', `${argv.join(' ')} failed`, { outputTail: stderr });
  await runChecked(['sync']);
  const seconds = (performance.now() - started) / 1000;
  return { seconds, memoryBytes: Number(stderr.trim().split('\n').at(-1)) * 1024 };
}

/**
 * Runs a command that fills an empty file system.
 * @param argvIn makes the command for the directory.
 * @param tidy removes what was not wanted, before what is left is counted.
 */
export async function measureFill(
  work: string,
  argvIn: (directory: string) => readonly string[],
  tidy: (directory: string) => void = () => {},
): Promise<FillCost> {
  const undo = new UndoStack();
  const file = join(work, 'arena.img');
  const directory = join(work, 'arena');
  try {
    rmSync(file, { force: true });
    writeFileSync(file, '');
    truncateSync(file, SIZE_BYTES);
    undo.always(`remove ${file}`, () => rmSync(file, { force: true }));
    mkdirSync(directory, { recursive: true });
    await runChecked(['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0', file]);
    const { device } = await attachLoop(undo, file);
    await mount(device, directory);
    undo.always(`unmount ${directory}`, () => unmount(directory));
    const used = () => {
      const { blocks, bfree, bsize } = statfsSync(directory);
      return (blocks - bfree) * bsize;
    };
    const empty = used();
    let peakBytes = 0;
    const timer = setInterval(() => {
      peakBytes = Math.max(peakBytes, used() - empty);
    }, LOOK_MS);
    const before = countersOf(device);
    const run = await measureRun(argvIn(directory), { TMPDIR: directory }).finally(() => clearInterval(timer));
    peakBytes = Math.max(peakBytes, used() - empty);
    const writtenBytes = countersOf(device).writtenBytes - before.writtenBytes;
    tidy(directory);
    await runChecked(['sync']);
    return { ...run, writtenBytes, peakBytes, leftBytes: used() - empty };
  } finally {
    await undo.unwind(false);
  }
}
