// What a disk image costs to build, beside the least that anybody can do: mkfs.ext4 with the same tree, once, in the same
// run. A whole disk has three systems in it, an expandable one has one, as a squashfs.

import { mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../../lab/cache.ts';
import { ensureDemoImages } from '../../lab/demo/images.ts';
import { ensureExecutable } from '../../lab/executable.ts';
import { withWorkTree } from '../../lab/work-tree.ts';
import { runChecked } from '../../src/system/process.ts';
import { requireTools } from '../../src/system/tools.ts';
import { figureOf, showFigure } from '../figures.ts';
import { processorSeconds } from './processor-time.ts';

/** By what is said to build-disk beside the image. */
export const DISKS: Readonly<Record<string, readonly string[]>> = {
  whole: [],
  'whole, qcow2': ['--type', 'qcow2'],
  expandable: ['--expandable'],
};

/** Of one run; bytes are those that the file takes on its file system. */
export interface DiskCost {
  seconds: number;
  bytes: number;
}

export type DiskReport = Record<string, DiskCost[]>;

/** The row that the others are compared with. */
const PLAIN = 'mkfs.ext4';

/** Measures; takes about two minutes for each run. */
export async function benchDisks({ runs, log }: { runs: number; log: (line: string) => void }): Promise<DiskReport> {
  requireTools(['mkfs.ext4']);
  const demo = await ensureDemoImages({ log });
  const holdfast = await ensureExecutable(log);
  const source = `oci-layout:${demo.layout}:v1`;
  const report: DiskReport = {};
  await withWorkTree(join(cacheDirectory(), 'bench'), async (work) => {
    const tree = join(work, 'tree');
    await runChecked([holdfast, 'pull', source, tree]);
    const measure = async (name: string, file: string, argv: readonly string[]) => {
      const seconds = await processorSeconds(work, argv);
      const bytes = statSync(file).blocks * 512;
      log(`${name}: ${seconds.toFixed(1)} s`);
      report[name] = [...(report[name] ?? []), { seconds, bytes }];
    };
    for (let run = 0; run < runs; run++) {
      const out = join(work, 'out');
      rmSync(out, { recursive: true, force: true });
      mkdirSync(out);
      const plain = join(out, 'plain.img');
      writeFileSync(plain, '');
      truncateSync(plain, 2 * 2 ** 30);
      await measure(PLAIN, plain, ['mkfs.ext4', '-q', '-F', '-d', tree, plain]);
      for (const [name, flags] of Object.entries(DISKS)) {
        const file = join(out, `${name.replaceAll(/\W+/g, '-')}.disk`);
        await measure(name, file, [holdfast, 'build-disk', source, '-o', file, '--quiet', ...flags]);
        rmSync(file);
      }
    }
  });
  return report;
}

/** The report, line by line. */
export function showDiskReport(report: DiskReport): string[] {
  const column = (text: string) => text.padStart(22);
  const row = (title: string, cells: readonly string[]) => title.padEnd(14) + cells.map(column).join('');
  const plain = figureOf((report[PLAIN] ?? []).map(({ seconds }) => seconds));
  return [
    row('', ['s', 'ratio', 'MiB']),
    ...Object.entries(report).map(([name, costs]) => {
      const figure = figureOf(costs.map(({ seconds }) => seconds));
      const bytes = figureOf(costs.map((cost) => cost.bytes)).median;
      return row(name, [showFigure(figure), (figure.median / plain.median).toFixed(2), (bytes / 2 ** 20).toFixed(1)]);
    }),
  ];
}
