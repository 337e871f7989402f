// What install, upgrade and rollback cost: the demo system on a disk, each action beside `tar -x` of the same tree onto the
// same kind of file system, in the same run. The disk and the images are block devices of their own, so that the kernel
// counts what is read and written on each; nothing is left in memory from the action before.

import { join } from 'node:path';
import { cacheDirectory } from '../lab/cache.ts';
import { ensureDemoImages } from '../lab/demo/images.ts';
import { ensureExecutable } from '../lab/executable.ts';
import { withWorkTree } from '../lab/work-tree.ts';
import { UndoStack } from '../src/system/plan.ts';
import { figureOf, showFigure } from './figures.ts';
import { type Cost, extractWithTar, measureCommand } from './lifecycle/cost.ts';
import { BenchDisk, mountDelivery } from './lifecycle/devices.ts';

/** What is measured, in the order in which it happens on one disk. */
const ACTIONS = ['tar -x of the tree', 'install', 'first upgrade', 'no-change upgrade', 'rollback'] as const;
type ActionName = (typeof ACTIONS)[number];

export interface LifecycleReport {
  runs: Record<ActionName, Cost[]>;
}

/** Measures; takes about two minutes for each run. Nobody else may install or upgrade on this machine meanwhile. */
export async function benchLifecycle({
  runs,
  log,
}: {
  runs: number;
  log: (line: string) => void;
}): Promise<LifecycleReport> {
  const executable = await ensureExecutable(log);
  const demo = await ensureDemoImages({ log });
  const report: LifecycleReport = {
    runs: { 'tar -x of the tree': [], install: [], 'first upgrade': [], 'no-change upgrade': [], rollback: [] },
  };
  await withWorkTree(join(cacheDirectory(), 'bench'), async (work) => {
    for (let run = 0; run < runs; run++) {
      log(`run ${run + 1} of ${runs}`);
      const undo = new UndoStack();
      try {
        const delivery = await mountDelivery(undo, demo.layout, work);
        const image = (tag: string) => `oci-layout:${delivery.directory}:${tag}`;
        const plain = await BenchDisk.create(undo, join(work, 'plain.img'));
        report.runs['tar -x of the tree'].push(await extractWithTar(undo, plain, delivery, demo));
        const disk = await BenchDisk.create(undo, join(work, 'disk.img'));
        const measure = (...args: string[]) => measureCommand([executable, ...args, '--quiet'], disk, delivery);
        report.runs.install.push(await measure('install', disk.device, '--system', image('v1')));
        report.runs['first upgrade'].push(await measure('upgrade', image('v2')));
        report.runs['no-change upgrade'].push(await measure('upgrade', image('v2')));
        report.runs.rollback.push(await measure('rollback'));
      } finally {
        await undo.unwind(false);
      }
    }
  });
  return report;
}

const COLUMNS: readonly (readonly [title: string, of: (cost: Cost) => number, digits: number])[] = [
  ['s', ({ seconds }) => seconds, 1],
  ['MB read of the image', ({ imageReadBytes }) => imageReadBytes / 1e6, 0],
  ['MB read of the disk', ({ diskReadBytes }) => diskReadBytes / 1e6, 0],
  ['MB written to the disk', ({ diskWrittenBytes }) => diskWrittenBytes / 1e6, 0],
  ['MB of memory', ({ memoryBytes }) => memoryBytes / 1e6, 0],
];

/** The report as a table for a document. */
export function showLifecycleReport({ runs }: LifecycleReport): string[] {
  const tar = figureOf(runs['tar -x of the tree'].map(({ seconds }) => seconds)).median;
  return [
    `| | ${COLUMNS.map(([title]) => title).join(' | ')} | times tar |`,
    `|---|${COLUMNS.map(() => '---|').join('')}---|`,
    ...ACTIONS.map((action) => {
      const cells = COLUMNS.map(([, of, digits]) => showFigure(figureOf(runs[action].map(of)), digits));
      const ratio = figureOf(runs[action].map(({ seconds }) => seconds)).median / tar;
      return `| ${action} | ${cells.join(' | ')} | ${ratio.toFixed(2)} |`;
    }),
  ];
}
