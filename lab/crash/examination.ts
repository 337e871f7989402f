// Looks at a share of a recording's states, one after the other: what one worker process does.

import { constants, copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDisk, readPartitions } from '../../src/slots/disk.ts';
import { SLOT_NAMES } from '../../src/slots/names.ts';
import type { CutPoint } from './cut-points.ts';
import { type Expectation, readDiskContent } from './expectation.ts';
import { Fingerprints } from './fingerprint.ts';
import type { PartitionPlace } from './hidden-loops.ts';
import { Judge, type Verdict } from './judge.ts';
import { LinuxView } from './linux-view.ts';
import { judgeOverlay } from './overlay-state.ts';
import { Replay } from './replay.ts';
import type { Scenario } from './scenarios.ts';
import type { SlotContent } from './slot-content.ts';
import { readLog } from './write-log.ts';

export interface ExaminationJob {
  /** On a filesystem that can clone: the finished disk, and the one from before. */
  disk: string;
  before?: string;
  log: string;
  diskBytes: number;
  /** The first request of the log that the command needn't have made: from there on its work has to be seen. */
  finishedFrom: number;
  remakesOem: boolean;
  overlay?: Scenario['overlay'];
  points: readonly CutPoint[];
  /** An own directory on the same filesystem. */
  work: string;
}

export interface Examined extends Verdict {
  point: CutPoint;
}

/** The partitions that `install` makes, in their order. */
const ORDER = ['efi', 'oem', 'recovery', 'state', 'persistent'] as const;
type Places = Record<(typeof ORDER)[number], PartitionPlace>;

/** Where the partitions of a finished disk are. */
export async function readPlaces(disk: string): Promise<Places> {
  const found = await readPartitions(await openDisk(disk));
  const place = (index: number): PartitionPlace => {
    const { startBytes, sizeBytes } = found[index] ?? { startBytes: 0, sizeBytes: 0 };
    return { startBytes, sizeBytes };
  };
  return { efi: place(0), oem: place(1), recovery: place(2), state: place(3), persistent: place(4) };
}

/** @param isStopped asked before each state; what was attached and mounted is taken away in any case. */
export async function examine(
  job: ExaminationJob,
  onResult: (result: Examined) => void,
  isStopped: () => boolean = () => false,
): Promise<void> {
  const log = readLog(job.log);
  const places = await readPlaces(job.disk);
  const image = join(job.work, 'state.img');
  const base = join(job.work, 'base.img');
  for (const file of [image, base]) {
    writeFileSync(file, '');
    truncateSync(file, job.diskBytes);
  }
  const view = await LinuxView.open(image, places, job.work);
  const replay = new Replay({ base, logFile: job.log, log });
  try {
    const expectation = await readExpectation(job, image, view);
    if (job.before !== undefined) copyFileSync(job.before, base, constants.COPYFILE_FICLONE_FORCE);
    const prints = (place: PartitionPlace) => new Fingerprints(log, place);
    const judge = new Judge({
      expectation,
      view,
      image,
      oemMayVanish: job.remakesOem,
      prints: {
        efi: prints(places.efi),
        oem: prints(places.oem),
        recovery: prints(places.recovery),
        state: prints(places.state),
      },
    });
    for (const point of job.points) {
      // A signal is only heard between two states.
      await new Promise((resolve) => setImmediate(resolve));
      if (isStopped()) return;
      replay.makeState(point, image);
      const finished = point.from >= job.finishedFrom;
      const verdict = judge.judge(point, { finished });
      // What a file system check of the view has to say about it costs more than all of the rest.
      const overlay = job.overlay && (await judgeOverlay(view, { work: job.work, overlay: job.overlay, finished }));
      onResult({ point, ...verdict, findings: [...verdict.findings, ...(overlay ?? [])] });
    }
  } finally {
    replay.close();
    await view.close();
  }
}

async function readExpectation(job: ExaminationJob, image: string, view: LinuxView): Promise<Expectation> {
  const systems = new Map<string, SlotContent>();
  const read = async (disk: string) => {
    copyFileSync(disk, image, constants.COPYFILE_FICLONE_FORCE);
    return await readDiskContent(image, view, systems);
  };
  const before = job.before === undefined ? undefined : await read(job.before);
  const after = await read(job.disk);
  const missing = SLOT_NAMES.filter((name) => after.slots[name] === undefined);
  if (missing.length > 0) throw new Error(`the command has left no ${missing.join(' and no ')}`);
  return { before, after, systems };
}
