// The two systems that are compared, each a disk with a kernel and an initramfs beside it: the demo system as `holdfast
// install` leaves it, and the same tree without anything of ours, as the plain writable root that Debian's own
// installer would make. Both are started with QEMU's own loader, so that firmware and boot menu count for neither.

import { copyFileSync, mkdirSync, realpathSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEMO_KERNEL_ARGUMENTS } from '../../lab/demo/content.ts';
import type { DemoImages } from '../../lab/demo/images.ts';
import { unpackTree } from '../../lab/demo/layer.ts';
import { OS_FILES } from '../../src/boot/os-files.generated.ts';
import { HoldfastError } from '../../src/system/errors.ts';
import { runChecked } from '../../src/system/process.ts';

export interface BenchSystem {
  name: 'baseline' | 'holdfast';
  disk: string;
  kernel: string;
  initrd: string;
  commandLine: string;
}

/** Where things are while the bench runs. */
export interface BenchTrees {
  /** Scratch directory. */
  work: string;
  /** The demo image, unpacked. */
  holdfast: string;
  /** The same without what is ours. */
  baseline: string;
}

const DISK_BYTES = 12 * 1024 ** 3;
/** Where the root partition of the baseline's disk begins, and how large it is. */
const ROOT_OFFSET = 1 << 20;
const ROOT_MIB = 4096;
const CONSOLE = 'console=tty1 console=ttyS0,115200 panic=5';

/** As os/etc/cos/bootargs.cfg has it for the active slot. */
const HOLDFAST_ARGUMENTS =
  'root=LABEL=COS_STATE cos-img/filename=/cOS/active.img cos.label=COS_ACTIVE rd.cos.oemlabel=COS_OEM ' +
  'rd.cos.mount=LABEL=COS_OEM:/oem rd.cos.mount=LABEL=COS_PERSISTENT:/usr/local';
const BASELINE_ARGUMENTS = 'root=LABEL=BENCH_ROOT rw';

/** Unpacks the demo image twice, and takes from the second what is ours. */
export async function unpackTrees(work: string, demo: DemoImages): Promise<BenchTrees> {
  const trees: BenchTrees = { work, holdfast: join(work, 'holdfast'), baseline: join(work, 'baseline') };
  const [layer] = demo.tags.v1.layers;
  if (layer === undefined) throw new HoldfastError('HF-IMAGE', 'version 1 of the demo has no layer');
  const blob = join(demo.layout, 'blobs/sha256', layer.digest.replace('sha256:', ''));
  for (const tree of [trees.holdfast, trees.baseline]) {
    mkdirSync(tree, { mode: 0o755 });
    await unpackTree(blob, tree);
  }
  for (const path of [...Object.keys(OS_FILES), '/usr/bin/holdfast', '/system']) {
    rmSync(join(trees.baseline, path), { recursive: true, force: true });
  }
  return trees;
}

/** The demo system installed as on any machine; its initramfs is the one in the image. */
export async function holdfastSystem(
  { work, holdfast }: BenchTrees,
  demo: DemoImages,
  executable: string,
): Promise<BenchSystem> {
  const disk = join(work, 'holdfast.img');
  writeFileSync(disk, '');
  truncateSync(disk, DISK_BYTES);
  await runChecked([executable, 'install', disk, '--system', `oci-layout:${demo.layout}:v1`]);
  return {
    name: 'holdfast',
    disk,
    kernel: realpathSync(join(holdfast, 'boot/vmlinuz')),
    initrd: realpathSync(join(holdfast, 'boot/initrd')),
    commandLine: `${CONSOLE} ${HOLDFAST_ARGUMENTS} ${DEMO_KERNEL_ARGUMENTS}`,
  };
}

/**
 * The tree as the root partition of a disk.
 * @param initrd the baseline's initramfs.
 */
export async function baselineSystem({ work, baseline }: BenchTrees, initrd: string): Promise<BenchSystem> {
  copyFileSync(initrd, realpathSync(join(baseline, 'boot/initrd')));
  const disk = join(work, 'baseline.img');
  writeFileSync(`${disk}.new`, '');
  truncateSync(`${disk}.new`, ROOT_OFFSET + (ROOT_MIB + 1) * 2 ** 20);
  const table = `label: gpt\nstart=${ROOT_OFFSET / 512},size=${ROOT_MIB * 2048},type=L\n`;
  await runChecked(['sfdisk', '--quiet', `${disk}.new`], { input: table });
  await runChecked([
    ...(['mkfs.ext4', '-q', '-F', '-L', 'BENCH_ROOT', '-E', `offset=${ROOT_OFFSET}`, '-d', baseline] as const),
    ...[`${disk}.new`, `${ROOT_MIB}M`],
  ]);
  renameSync(`${disk}.new`, disk);
  return {
    name: 'baseline',
    disk,
    kernel: realpathSync(join(baseline, 'boot/vmlinuz')),
    initrd,
    commandLine: `${CONSOLE} ${BASELINE_ARGUMENTS} ${DEMO_KERNEL_ARGUMENTS}`,
  };
}
