// The command done again on a state of the disk, as its owner would: on this machine, from the slot that it was booted
// from. It finds partitions by their labels, so nothing else that does may run at the same time.

import { constants, copyFileSync, existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SLOT_FILES } from '../../src/slots/names.ts';
import { messageOf } from '../../src/system/errors.ts';
import { type RunResult, run } from '../../src/system/process.ts';
import type { CutPoint } from './cut-points.ts';
import { commandLine, IN_SLOT } from './delivery.ts';
import { readPlaces } from './examination.ts';
import { SLOT_PARTITIONS } from './expectation.ts';
import { Guest } from './guest.ts';
import type { GuestRoot } from './guest-root.ts';
import type { Finding } from './judge.ts';
import { LinuxView } from './linux-view.ts';
import type { Recording } from './recording.ts';
import { Replay } from './replay.ts';
import { argumentsOf } from './scenarios.ts';
import { readLog } from './write-log.ts';

/** What an install says to a disk that holds a system, with its exit status. */
const ALREADY_INSTALLED = /already holds an installed system/;

export interface AgainOptions {
  /** On a filesystem that can clone. */
  scratch: string;
  /** What the guest had at /run/delivery: as a directory, and as a disk. */
  delivery: { directory: string; delivery: string; root: GuestRoot };
}

/** Makes a state's disk and does the recorded command again on it. */
export async function doAgain(
  { recording, point, bootable }: { recording: Recording; point: CutPoint; bootable: boolean },
  { scratch, delivery }: AgainOptions,
): Promise<Finding[]> {
  const { scenario } = recording;
  const disk = join(scratch, 'again.img');
  makeDisk(recording, point, disk);
  try {
    // A partition without a file system is found by its name in the table, which loop devices don't have.
    // And this machine may have no device-mapper.
    const result =
      scenario.remakesOem || scenario.scripts !== undefined
        ? await runInGuest(recording, disk, { scratch, delivery })
        : await runHere(recording, disk, delivery.directory);
    const said = `${result.stdout}${result.stderr}`;
    // A disk that firmware starts is complete by then, which the look at this state has shown.
    if (scenario.name === 'install' && bootable && ALREADY_INSTALLED.test(said)) return [];
    if (result.status !== 0) {
      const words = said.trim().split('\n').slice(-4).join(' / ');
      return [{ kind: 'rerun', detail: `done again it ended with ${result.status}: ${words}` }];
    }
    return await lookAtResult(recording, disk, scratch);
  } catch (error) {
    return [{ kind: 'rerun', detail: messageOf(error) }];
  } finally {
    rmSync(disk, { force: true });
  }
}

type Ended = Pick<RunResult, 'status' | 'stdout' | 'stderr'>;

function runHere({ scenario }: Recording, disk: string, delivery: string): Promise<Ended> {
  const words = argumentsOf(scenario, disk);
  if (scenario.bootedFrom === 'live') {
    return run([join(delivery, 'holdfast'), ...words.map((word) => word.replace('/run/delivery', delivery))]);
  }
  const env = { ...process.env, IN_SLOT_DELIVERY: delivery };
  return run(['sh', IN_SLOT, disk, scenario.bootedFrom, '/run/delivery/holdfast', ...words], { env });
}

async function runInGuest({ scenario }: Recording, disk: string, options: AgainOptions): Promise<Ended> {
  const { root, delivery } = options.delivery;
  const guest = await Guest.boot({ root, delivery, disk, consoleLog: join(options.scratch, 'again.log') });
  try {
    const { output } = await guest.run(commandLine(scenario));
    await guest.off();
    return { status: 0, stdout: output, stderr: '' };
  } finally {
    await guest.cut();
  }
}

/** Makes the disk as it was at an instant; `disk` is replaced. */
export function makeDisk(recording: Recording, point: CutPoint, disk: string): void {
  const base = `${disk}.base`;
  for (const file of [base, disk]) {
    rmSync(file, { force: true });
    writeFileSync(file, '');
  }
  if (recording.before === undefined) truncateSync(base, recording.diskBytes);
  else copyFileSync(recording.before, base);
  const replay = new Replay({ base, logFile: recording.log, log: readLog(recording.log) });
  try {
    replay.makeState(point, disk);
  } finally {
    replay.close();
    rmSync(base);
  }
}

/** All slots of the disk hold whole systems now, with the names that those of the recording's end have. */
async function lookAtResult(recording: Recording, disk: string, scratch: string): Promise<Finding[]> {
  const [wanted, found] = [await namesOf(recording.disk, scratch), await namesOf(disk, scratch)];
  return Object.entries(wanted).flatMap(([slot, name]): Finding[] => {
    const other = found[slot];
    if (other === name) return [];
    return [{ kind: 'rerun', detail: `done again, ${slot} is ${other ?? 'missing'}, not ${name}` }];
  });
}

/** The systems in the slots of a disk by the names that they give themselves; damaged ones have none. */
async function namesOf(disk: string, scratch: string): Promise<Record<string, string>> {
  const copy = join(scratch, 'names.img');
  rmSync(copy, { force: true });
  writeFileSync(copy, '');
  truncateSync(copy, 4096 * 2 ** 20);
  const view = await LinuxView.open(copy, await readPlaces(disk), join(scratch, 'names'));
  try {
    copyFileSync(disk, copy, existsOnScratch(disk, scratch) ? constants.COPYFILE_FICLONE_FORCE : 0);
    const names: Record<string, string> = {};
    for (const slot of ['active', 'passive', 'recovery'] as const) {
      await view.lookLong(SLOT_PARTITIONS[slot], async (directory) => {
        const file = join(directory, SLOT_FILES[slot]);
        if (!existsSync(file)) return;
        const checked = await run(['e2fsck', '-fn', file]);
        const release = await run(['debugfs', '-R', 'cat /etc/os-release', file]);
        names[slot] = checked.status === 0 ? (/"(Crash \d)"/.exec(release.stdout)?.[1] ?? 'nameless') : 'damaged';
      });
    }
    return names;
  } finally {
    await view.close();
    rmSync(copy);
  }
}

function existsOnScratch(file: string, scratch: string): boolean {
  return file.startsWith(`${scratch}/`);
}
