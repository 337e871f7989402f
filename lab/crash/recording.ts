// A command's recording: the finished disk and the log of how it came about, kept in the cache for as long as nothing that
// they were made from changes, so that a failure can be looked at again without running a guest.

import { mkdirSync, readFileSync, renameSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';
import { cacheDirectory, cached, keyOf, keyOfFiles, PROJECT_DIRECTORY, pruneCache } from '../cache.ts';
import { commandLine, IN_SLOT, SHORTEN_MENU } from './delivery.ts';
import { Guest } from './guest.ts';
import type { GuestRoot } from './guest-root.ts';
import type { Scenario } from './scenarios.ts';

const DISK_BYTES = 4096 * 2 ** 20;
/** What decides about the content of a recording beside the program. */
const SOURCES = ['lab/crash/systems.ts', 'lab/crash/guest.ts', 'lab/crash/delivery.ts', 'os'];
const KEPT = 40;

export interface Recording {
  scenario: Scenario;
  directory: string;
  /** The finished disk. */
  disk: string;
  /** The disk from before; undefined for an empty one. */
  before: string | undefined;
  log: string;
  /** Bytes of the log when the command had ended. */
  doneBytes: number;
  diskBytes: number;
}

export interface RecordOptions {
  root: GuestRoot;
  delivery: string;
  /** Of the program that the guest runs. */
  programKey: string;
  before: Recording | undefined;
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** Returns a scenario's recording, running a guest when there is none. */
export async function record(scenario: Scenario, options: RecordOptions): Promise<Recording> {
  const { before, programKey, root } = options;
  const sources = keyOfFiles([...SOURCES.map((path) => join(PROJECT_DIRECTORY, path)), IN_SLOT]);
  const key = keyOf(programKey, sources, root.image, JSON.stringify(scenario), before?.directory ?? '');
  const directory = join('crash-recordings', `${scenario.name}-${key}`);
  const { path, made } = await cached(directory, async (work) => {
    options.log(`recording ${scenario.title}`);
    mkdirSync(work, { recursive: true });
    const disk = join(work, 'disk.img');
    if (before === undefined) {
      writeFileSync(disk, '');
      truncateSync(disk, DISK_BYTES);
    } else {
      await runChecked(['cp', '--sparse=always', before.disk, disk]);
    }
    const guest = await Guest.boot({
      root,
      delivery: options.delivery,
      disk,
      log: join(work, 'log.img'),
      consoleLog: join(work, 'console.log'),
      signal: options.signal,
    });
    try {
      const { output, logBytes } = await guest.run(commandLine(scenario));
      writeFileSync(join(work, 'output.txt'), output);
      if (scenario.bootedFrom === 'live') await guest.run(SHORTEN_MENU);
      await guest.off();
      writeFileSync(join(work, 'done'), `${logBytes}\n`);
    } finally {
      await guest.cut();
    }
    for (const file of [disk, join(work, 'log.img')]) {
      // What the guest has discarded is allocated, though it was never written.
      await runChecked(['cp', '--sparse=always', file, `${file}.new`]);
      renameSync(`${file}.new`, file);
    }
  });
  const now = new Date();
  utimesSync(path, now, now);
  if (made) await pruneCache(join(cacheDirectory(), 'crash-recordings'), /-[0-9a-f]{16}$/, KEPT);
  return {
    scenario,
    directory: path,
    disk: join(path, 'disk.img'),
    before: before?.disk,
    log: join(path, 'log.img'),
    doneBytes: Number(readFileSync(join(path, 'done'), 'utf8')),
    diskBytes: DISK_BYTES,
  };
}
