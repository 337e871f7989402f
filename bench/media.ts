// What an ISO costs to build, beside the least that anybody can do: mksquashfs and xorriso on the same tree, in the same run.
// Processor seconds, since they don't depend on what else the machine is doing.

import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../lab/cache.ts';
import { ensureDemoImages } from '../lab/demo/images.ts';
import { ensureExecutable } from '../lab/executable.ts';
import { withWorkTree } from '../lab/work-tree.ts';
import { runChecked } from '../src/system/process.ts';
import { requireTools } from '../src/system/tools.ts';
import { figureOf, showFigure } from './figures.ts';
import { processorSeconds } from './media/processor-time.ts';

export const COMPRESSIONS = ['lz4', 'gzip', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** One run of both. */
export interface MediaCost {
  plainSeconds: number;
  plainBytes: number;
  isoSeconds: number;
  isoBytes: number;
}

export type MediaReport = Record<Compression, MediaCost[]>;

/** Measures; takes about two minutes for each run. */
export async function benchMedia({ runs, log }: { runs: number; log: (line: string) => void }): Promise<MediaReport> {
  requireTools(['mksquashfs', 'xorriso']);
  const demo = await ensureDemoImages({ log });
  const holdfast = await ensureExecutable(log);
  const report: MediaReport = { lz4: [], gzip: [], zstd: [] };
  await withWorkTree(join(cacheDirectory(), 'bench'), async (work) => {
    const tree = join(work, 'tree');
    await runChecked([holdfast, 'pull', `oci-layout:${demo.layout}:v1`, tree]);
    for (let run = 0; run < runs; run++) {
      for (const compression of COMPRESSIONS) {
        const cost = await measure({ holdfast, tree, work, compression });
        log(`run ${run + 1}, ${compression}: ${cost.plainSeconds.toFixed(1)} s and ${cost.isoSeconds.toFixed(1)} s`);
        report[compression].push(cost);
      }
    }
  });
  return report;
}

async function measure(options: {
  holdfast: string;
  tree: string;
  work: string;
  compression: Compression;
}): Promise<MediaCost> {
  const { holdfast, tree, work, compression } = options;
  const [plain, out] = [join(work, 'plain'), join(work, 'out')];
  for (const directory of [plain, out]) {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
  }
  // As build-iso does it.
  const level = compression === 'zstd' ? ['-Xcompression-level', '9'] : [];
  const squashfs = ['-comp', compression, ...level, '-b', '256K', '-no-progress', '-quiet'];
  const plainIso = join(work, 'plain.iso');
  rmSync(plainIso, { force: true });
  const plainSeconds =
    (await processorSeconds(work, ['mksquashfs', tree, join(plain, 'rootfs.squashfs'), ...squashfs])) +
    (await processorSeconds(work, [
      'xorriso',
      '-as',
      'mkisofs',
      '-quiet',
      '-r',
      '-V',
      'COS_LIVE',
      '-o',
      plainIso,
      plain,
    ]));
  const argv = ['build-iso', `dir:${tree}`, '-o', out, '-n', 'os', '--compression', compression, '--quiet'];
  const isoSeconds = await processorSeconds(work, [holdfast, ...argv]);
  return {
    plainSeconds,
    plainBytes: statSync(plainIso).size,
    isoSeconds,
    isoBytes: statSync(join(out, 'os.iso')).size,
  };
}

/** The report, line by line. */
export function showMediaReport(report: MediaReport): string[] {
  const column = (text: string) => text.padStart(22);
  const row = (title: string, cells: readonly string[]) => title.padEnd(8) + cells.map(column).join('');
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const heads = ['plain s', 'build-iso s', 'ratio', 'plain MiB', 'build-iso MiB'];
  return [
    row('', heads),
    ...COMPRESSIONS.flatMap((compression) => {
      const costs = report[compression];
      const [last] = costs;
      if (last === undefined) return [];
      const plain = figureOf(costs.map(({ plainSeconds }) => plainSeconds));
      const iso = figureOf(costs.map(({ isoSeconds }) => isoSeconds));
      const ratio = (iso.median / plain.median).toFixed(2);
      return [row(compression, [showFigure(plain), showFigure(iso), ratio, mib(last.plainBytes), mib(last.isoBytes)])];
    }),
  ];
}
