// What our boot costs: the demo image booted as it is, and the same tree booted as a plain root partition without
// anything of ours, in turn. Where there is no KVM the machine's clock counts instructions, which gives the same seconds
// on a busy host as on an idle one; even so, only ratios travel from one machine to another.

import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../lab/cache.ts';
import { ensureDemoImages } from '../lab/demo/images.ts';
import { ensureExecutable } from '../lab/executable.ts';
import { chooseAccelerator } from '../lab/machine/accelerator.ts';
import { type BootOptions, Machine } from '../lab/machine/machine.ts';
import { removeTree, withWorkTree } from '../lab/work-tree.ts';
import { BOOT_QUESTIONS, type BootFigures, readBootFigures } from './boot/boot-figures.ts';
import { buildInitramfses } from './boot/initramfs.ts';
import type { BootReport } from './boot/report.ts';
import { type BenchSystem, baselineSystem, holdfastSystem, unpackTrees } from './boot/systems.ts';

export interface BootBenchOptions {
  /** Of each system, after its first boot. */
  runs: number;
  /** Two processors and the host's clock, without KVM too. */
  wallClock?: boolean;
  log: (line: string) => void;
}

/** Measures; takes about a minute for each boot under emulation. */
export async function benchBoot({ runs, wallClock, log }: BootBenchOptions): Promise<BootReport> {
  const executable = await ensureExecutable(log);
  const demo = await ensureDemoImages({ log });
  return await withWorkTree(join(cacheDirectory(), 'bench'), async (work) => {
    log('building both systems');
    const trees = await unpackTrees(work, demo);
    const initramfs = await buildInitramfses(trees);
    const systems = [
      await baselineSystem(trees, initramfs.baseline),
      await holdfastSystem(trees, demo, executable),
    ] as const;
    const [baseline, holdfast] = systems;
    const accelerator = await chooseAccelerator();
    const machine: Machinery =
      accelerator === 'tcg' && wallClock !== true ? { accelerator: 'tcg-counted', cpus: 1 } : { accelerator, cpus: 2 };
    const first = {
      baseline: await bootOnce(baseline, { work, machine, keep: true, log }),
      holdfast: await bootOnce(holdfast, { work, machine, keep: true, log }),
    };
    const boots: Record<BenchSystem['name'], BootFigures[]> = { baseline: [], holdfast: [] };
    for (let run = 0; run < runs; run++) {
      for (const system of systems) boots[system.name].push(await bootOnce(system, { work, machine, log }));
    }
    return {
      accelerator: machine.accelerator,
      cpus: machine.cpus,
      first,
      boots,
      initramfs,
      executableBytes: statSync(executable).size,
    };
  });
}

type Machinery = Required<Pick<BootOptions, 'accelerator' | 'cpus'>>;

interface BootOnce {
  work: string;
  machine: Machinery;
  /** What the boot writes to the disk stays. */
  keep?: boolean;
  log: (line: string) => void;
}

async function bootOnce(system: BenchSystem, { work, machine, keep = false, log }: BootOnce): Promise<BootFigures> {
  const directory = join(work, 'machine');
  await removeTree(directory);
  mkdirSync(directory);
  const booted = await Machine.boot({
    ...machine,
    disks: [{ file: system.disk, serial: 'system', throwAway: !keep }],
    logFile: join(directory, 'console.log'),
    direct: { kernel: system.kernel, initrd: system.initrd, commandLine: system.commandLine },
  });
  try {
    const { stdout } = await booted.run(BOOT_QUESTIONS);
    const figures = readBootFigures(stdout);
    log(
      `${system.name}: ${figures.initrdSeconds.toFixed(1)} s initrd, ${figures.userspaceSeconds.toFixed(1)} s userspace`,
    );
    if (keep) await booted.powerOff();
    return figures;
  } finally {
    await booted.powerCut();
  }
}
