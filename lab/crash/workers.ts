// Splits a recording's states among processes, since looking at one keeps a processor busy.

import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runChecked } from '../../src/system/process.ts';
import { PROJECT_DIRECTORY } from '../cache.ts';
import { bunProgram } from '../executable.ts';
import type { CutPoint } from './cut-points.ts';
import type { ExaminationJob, Examined } from './examination.ts';
import type { Recording } from './recording.ts';

export interface ExamineOptions {
  /** On a filesystem that can clone. */
  scratch: string;
  jobs: number;
  finishedFrom: number;
  signal?: AbortSignal | undefined;
}

/** Looks at states of a recording; the results come back in the order of the log. */
export async function examineAll(
  recording: Recording,
  points: readonly CutPoint[],
  { scratch, jobs, finishedFrom, signal }: ExamineOptions,
): Promise<Examined[]> {
  const { scenario, diskBytes, log, before } = recording;
  const work = join(scratch, scenario.name);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  const disks = { disk: join(work, 'disk.img'), ...(before === undefined ? {} : { before: join(work, 'before.img') }) };
  await runChecked(['cp', '--sparse=always', recording.disk, disks.disk]);
  if (before !== undefined && disks.before !== undefined) {
    await runChecked(['cp', '--sparse=always', before, disks.before]);
  }
  const share = Math.ceil(points.length / Math.max(1, Math.min(jobs, points.length)));
  const results: Promise<Examined[]>[] = [];
  for (let index = 0; index * share < points.length; index++) {
    const own = join(work, `worker-${index}`);
    mkdirSync(own);
    const part = points.slice(index * share, (index + 1) * share);
    const more = { log, diskBytes, finishedFrom, remakesOem: scenario.remakesOem === true, overlay: scenario.overlay };
    results.push(runWorker({ ...disks, ...more, points: part, work: own }, signal));
  }
  try {
    return (await Promise.all(results)).flat();
  } finally {
    await Promise.allSettled(results);
    rmSync(work, { recursive: true, force: true });
  }
}

async function runWorker(job: ExaminationJob, signal: AbortSignal | undefined): Promise<Examined[]> {
  const file = join(job.work, 'job.json');
  writeFileSync(file, JSON.stringify(job));
  const child = spawn(bunProgram(), [join(PROJECT_DIRECTORY, 'lab/crash/worker.ts'), file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-10_000);
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const stop = () => void child.kill('SIGTERM');
  signal?.addEventListener('abort', stop);
  const results: Examined[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    results.push(JSON.parse(line));
  }
  const status = await ended;
  signal?.removeEventListener('abort', stop);
  if (status !== 0) throw new Error(`a worker of the crash tests ended with ${status}: ${complaint}`);
  return results;
}
