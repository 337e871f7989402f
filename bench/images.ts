// What images cost: the demo system as one layer, pulled by Holdfast, by skopeo and umoci, and by podman; then upgraded over
// an update of one package, in the ways that there are. Everything comes from a registry on this machine, all in one run.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../lab/cache.ts';
import { ensureDemoImages } from '../lab/demo/images.ts';
import { ensureExecutable } from '../lab/executable.ts';
import { pushImage, startRegistry } from '../lab/registry/registry.ts';
import { withWorkTree } from '../lab/work-tree.ts';
import { UndoStack } from '../src/system/plan.ts';
import { runChecked } from '../src/system/process.ts';
import { figureOf, showFigure } from './figures.ts';
import { type FillCost, measureFill, measureRun, type Run } from './images/arena.ts';
import { type CountingProxy, startCountingProxy } from './images/counting-proxy.ts';
import { type FlatImages, makeFlatImages, UPDATED_PACKAGE } from './images/flat-images.ts';
import { installOtherTools, updateByCasync, updateByRsync } from './images/other-tools.ts';
import { BenchDisk, countersOf } from './lifecycle/devices.ts';

const PULLS = ['holdfast pull', 'skopeo copy + umoci unpack', 'podman pull'] as const;
const UPGRADES = ['plain layer', 'with an index', 'zstd:chunked layer', 'nothing changed'] as const;

/** What an upgrade moved. */
export interface UpgradeCost extends Run {
  fetchedBytes: number;
  writtenBytes: number;
}

export interface ImagesReport {
  image: Pick<FlatImages, 'packedBytes' | 'tarBytes' | 'updatedBytes'> & { treeBytes: number; indexBytes: number };
  pulls: Record<(typeof PULLS)[number], FillCost[]>;
  upgrades: Record<(typeof UPGRADES)[number], UpgradeCost[]>;
  others: { rsync: number; casync: number };
}

/** Measures; takes about three minutes for each run. Nobody else may install or upgrade on this machine meanwhile. */
export async function benchImages({ runs, log }: { runs: number; log: (line: string) => void }): Promise<ImagesReport> {
  installOtherTools(log);
  const executable = await ensureExecutable(log);
  const demo = await ensureDemoImages({ log });
  return await withWorkTree(join(cacheDirectory(), 'bench'), async (work) => {
    const images = await makeFlatImages(demo, work, log);
    const registry = await startRegistry(join(work, 'registry'));
    const proxy = await startCountingProxy(registry.port);
    try {
      const indexBytes = await publish(images, registry.host, executable, log);
      const report: ImagesReport = {
        image: { ...images, treeBytes: await sizeOf(images.trees.v1), indexBytes },
        pulls: { 'holdfast pull': [], 'skopeo copy + umoci unpack': [], 'podman pull': [] },
        upgrades: { 'plain layer': [], 'with an index': [], 'zstd:chunked layer': [], 'nothing changed': [] },
        others: { rsync: 0, casync: 0 },
      };
      const bench = { images, work, executable, registry: registry.host, proxy, report };
      for (let run = 0; run < runs; run++) {
        log(`run ${run + 1} of ${runs}: pulls`);
        await measurePulls(bench);
        log(`run ${run + 1} of ${runs}: upgrades`);
        await measureUpgrades(bench);
      }
      log('rsync and casync');
      report.others.rsync = (await updateByRsync(images, work)).fetchedBytes;
      report.others.casync = (await updateByCasync(images, work)).fetchedBytes;
      return report;
    } finally {
      await proxy.close();
      await registry.close();
    }
  });
}

interface Bench {
  images: FlatImages;
  work: string;
  executable: string;
  registry: string;
  proxy: CountingProxy;
  report: ImagesReport;
}

/** Repositories for each way: what is published beside an image in one of them is not there in the others. */
const REPOSITORIES = { 'plain layer': 'os/plain', 'with an index': 'os/indexed', 'zstd:chunked layer': 'os/chunked' };

async function publish(
  { layout }: FlatImages,
  host: string,
  executable: string,
  log: (line: string) => void,
): Promise<number> {
  log('filling the registry');
  for (const tag of ['v1', 'v2'] as const) {
    await pushImage(layout, tag, `${host}/os/plain:${tag}`);
    await pushImage(layout, tag, `${host}/os/indexed:${tag}`);
  }
  await pushImage(layout, 'v1', `${host}/os/chunked:v1`);
  await runChecked([
    ...(['skopeo', '--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false'] as const),
    ...['--dest-compress-format', 'zstd:chunked'],
    // A packed layer would be taken as it is.
    ...[`oci:${layout}:v2-unpacked`, `docker://${host}/os/chunked:v2`],
  ]);
  const made = await runChecked([
    ...([executable, 'image', 'index', '--json', `docker:${host}/os/indexed:v2`] as const),
    ...['--since', `docker:${host}/os/indexed:v1`],
  ]);
  const result: unknown = JSON.parse(made.trim().split('\n').at(-1) ?? '');
  return numberAt(result, 'index', 'documentBytes') + numberAt(result, 'index', 'packBytes');
}

async function measurePulls({ images, work, executable, registry, report }: Bench): Promise<void> {
  const name = `${registry}/os/plain@${images.digests.v1}`;
  report.pulls['holdfast pull'].push(
    await measureFill(work, (directory) => [executable, 'pull', '--quiet', `docker:${name}`, `${directory}/root`]),
  );
  const skopeo = 'skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://$1" "oci:$2/image:v1"';
  const umoci = 'umoci raw unpack --image "$2/image:v1" "$2/root"';
  report.pulls['skopeo copy + umoci unpack'].push(
    await measureFill(
      work,
      (directory) => ['sh', '-ec', `${skopeo}\n${umoci}`, 'sh', name, directory],
      (directory) => rmSync(join(directory, 'image'), { recursive: true }),
    ),
  );
  const podman =
    'podman --root "$2/storage" --runroot "$2/run" --storage-driver overlay pull --quiet --tls-verify=false "$1"';
  report.pulls['podman pull'].push(
    await measureFill(work, (directory) => ['sh', '-ec', podman, 'sh', `docker://${name}`, directory]),
  );
}

async function measureUpgrades({ images, work, executable, proxy, report }: Bench): Promise<void> {
  for (const way of ['plain layer', 'with an index', 'zstd:chunked layer'] as const) {
    const repository = REPOSITORIES[way];
    const undo = new UndoStack();
    try {
      const disk = await BenchDisk.create(undo, join(work, 'disk.img'));
      const measure = async (...args: string[]): Promise<UpgradeCost> => {
        await runChecked(['sync']);
        const before = countersOf(disk.device);
        proxy.take();
        const run = await measureRun([executable, ...args, '--quiet']);
        const writtenBytes = countersOf(disk.device).writtenBytes - before.writtenBytes;
        return { ...run, writtenBytes, fetchedBytes: proxy.take() };
      };
      const v2 = await digestOf(`${proxy.host}/${repository}:v2`);
      await measure('install', disk.device, '--system', `docker:${proxy.host}/${repository}@${images.digests.v1}`);
      report.upgrades[way].push(await measure('upgrade', `docker:${proxy.host}/${repository}@${v2}`));
      if (way === 'with an index') {
        report.upgrades['nothing changed'].push(await measure('upgrade', `docker:${proxy.host}/${repository}@${v2}`));
      }
    } finally {
      await undo.unwind(false);
    }
  }
}

async function digestOf(name: string): Promise<string> {
  const inspect = ['skopeo', 'inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${name}`] as const;
  return (await runChecked([...inspect])).trim();
}

async function sizeOf(directory: string): Promise<number> {
  return Number((await runChecked(['du', '--summarize', '--block-size=1', directory])).split('\t')[0]);
}

function numberAt(value: unknown, ...path: string[]): number {
  let at = value;
  for (const key of path) {
    at = typeof at === 'object' && at !== null ? Object.entries(at).find(([name]) => name === key)?.[1] : undefined;
  }
  if (typeof at !== 'number') throw new TypeError(`there is no ${path.join('.')}`);
  return at;
}

const MB = 1e6;
const mb = (values: readonly number[], digits = 0) => showFigure(figureOf(values.map((value) => value / MB)), digits);

/** The report as tables for a document. */
export function showImagesReport({ image, pulls, upgrades, others }: ImagesReport): string[] {
  const { packedBytes, tarBytes, treeBytes, updatedBytes } = image;
  const seconds = (runs: readonly Run[]) => figureOf(runs.map((run) => run.seconds));
  const base = seconds(pulls['skopeo copy + umoci unpack']).median;
  const share = (values: readonly number[], whole: number) =>
    `${((figureOf(values).median / whole) * 100).toFixed(1)} %`;
  return [
    `The image: ${(packedBytes / MB).toFixed(0)} MB packed, ${(tarBytes / MB).toFixed(0)} MB unpacked, ${(treeBytes / MB).toFixed(0)} MB on a disk. ` +
      `The update: ${UPDATED_PACKAGE}, ${(updatedBytes / MB).toFixed(1)} MB of files.`,
    '',
    '| | s | times skopeo + umoci | MB of memory | MB written | MB of temporary disk |',
    '|---|---|---|---|---|---|',
    ...PULLS.map((name) => {
      const runs = pulls[name];
      const temporary = runs.map(({ peakBytes, leftBytes }) => Math.max(0, peakBytes - leftBytes));
      const cells = [
        showFigure(seconds(runs)),
        (seconds(runs).median / base).toFixed(2),
        mb(runs.map(({ memoryBytes }) => memoryBytes)),
        mb(runs.map(({ writtenBytes }) => writtenBytes)),
        mb(temporary),
      ];
      return `| ${name} | ${cells.join(' | ')} |`;
    }),
    '',
    '| upgrade | s | MB fetched | of the image | MB written | of the tree | MB of memory |',
    '|---|---|---|---|---|---|---|',
    ...UPGRADES.map((name) => {
      const runs = upgrades[name];
      const fetched = runs.map(({ fetchedBytes }) => fetchedBytes);
      const written = runs.map(({ writtenBytes }) => writtenBytes);
      const cells = [
        showFigure(seconds(runs)),
        mb(fetched, 2),
        share(fetched, packedBytes),
        mb(written, 1),
        share(written, treeBytes),
        mb(runs.map(({ memoryBytes }) => memoryBytes)),
      ];
      return `| ${name} | ${cells.join(' | ')} |`;
    }),
    ...(['rsync', 'casync'] as const).map(
      (name) => `| ${name} | | ${(others[name] / MB).toFixed(2)} | ${share([others[name]], packedBytes)} | | | |`,
    ),
  ];
}
