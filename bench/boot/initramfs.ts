// The initramfs of the image beside what it would be without our dracut module: built in the same tree by the same
// dracut, and compared file by file, so that each addition has a reason and a size.

import { mkdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { HoldfastError } from '../../src/system/errors.ts';
import { runChecked } from '../../src/system/process.ts';

/**
 * Runs a program in a root file system with what dracut expects there, in a mount namespace that takes it away again.
 * The file `in` is /run/in for it, and what it leaves in /run/out becomes the file `out`.
 */
const IN_TREE = `
set -e
tree=$1 in=$2 out=$3; shift 3
for directory in proc sys dev; do mount --rbind "/$directory" "$tree/$directory"; done
for directory in run tmp var/tmp; do mount -t tmpfs tmpfs "$tree/$directory"; done
cat "$in" > "$tree/run/in"
chroot "$tree" /usr/bin/env LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" >&2
cat "$tree/run/out" > "$out"
`;
const UNPACK = `set -e
mkdir /run/files; cd /run/files
zstd -dc < /run/in | cpio -id --quiet
[ -e etc/initrd-release ]
tar -cf /run/out .`;
/** What our configuration of dracut names beside the module of our own and those for live media. */
const SHARED_MODULES = 'base systemd systemd-initrd dracut-systemd udev-rules fs-lib';
/** Read after the image's own. */
const CONFIGURATION = 'etc/dracut.conf.d/99-bench.conf';

async function runInTree(tree: string, out: string, argv: readonly string[], input = '/dev/null'): Promise<void> {
  const namespace = ['unshare', '--mount', '--propagation', 'private'] as const;
  await runChecked([...namespace, 'sh', '-c', IN_TREE, 'sh', tree, input, out, ...argv]);
}

/**
 * Builds an initramfs for any machine.
 * @param settings.modules the closed list of dracut's modules; without it dracut chooses.
 * @param settings.compress as dracut.conf(5) has it.
 */
async function buildInitramfs(
  tree: string,
  out: string,
  settings: { modules?: string; drivers?: readonly string[]; compress: string },
): Promise<void> {
  const { modules, drivers = [], compress } = settings;
  const lines = ['hostonly="no"', 'hostonly_cmdline="no"', 'reproducible="yes"', `compress="${compress}"`];
  if (modules !== undefined) lines.push(`dracutmodules=" ${modules} "`);
  lines.push(`add_drivers+=" ${drivers.join(' ')} "`, '');
  writeFileSync(join(tree, CONFIGURATION), lines.join('\n'));
  try {
    await runInTree(tree, out, ['dracut', '--force', '--quiet', '--kver', kernelVersion(tree), '/run/out']);
  } finally {
    rmSync(join(tree, CONFIGURATION));
  }
}

/** What is compared, in bytes as packed. */
export interface Initramfses {
  /** The baseline's file. */
  baseline: string;
  baselineBytes: number;
  /** The image's own. */
  holdfastBytes: number;
  /** The image's own without dracut's modules for live media. */
  withoutLiveBytes: number;
  /** What dracut makes of the tree when nobody tells it what to leave out. */
  dracutBytes: number;
  /** What `withoutLive` has and the baseline doesn't have. */
  parts: InitramfsPart[];
}

/**
 * Builds the baseline's initramfs and compares. It has dracut's own module for a root partition in the place of ours,
 * and the drivers that ours brings for disks, so that both start on the same machines. Modules for live media count
 * apart: they are dracut's, and ours only switches them on.
 */
export async function buildInitramfses(trees: {
  work: string;
  holdfast: string;
  baseline: string;
}): Promise<Initramfses> {
  const { work, holdfast } = trees;
  const compress = compressionOf(holdfast);
  const build = async (tree: string, name: string, settings: { modules?: string; drivers?: readonly string[] }) => {
    const file = join(work, `${name}.initrd`);
    await buildInitramfs(tree, file, { ...settings, compress });
    return file;
  };
  const files = { withoutLive: join(work, 'without-live.files'), baseline: join(work, 'baseline.files') };
  const withoutLive = await build(holdfast, 'without-live', { modules: `${SHARED_MODULES} holdfast` });
  await unpackInitramfs(withoutLive, holdfast, files.withoutLive);
  const drivers = ['ext4', ...(await diskDrivers(files.withoutLive))];
  const baseline = await build(trees.baseline, 'baseline', { modules: `${SHARED_MODULES} rootfs-block`, drivers });
  await unpackInitramfs(baseline, trees.baseline, files.baseline);
  const dracut = await build(trees.baseline, 'dracut', {});
  return {
    baseline,
    baselineBytes: statSync(baseline).size,
    holdfastBytes: statSync(join(holdfast, 'boot/initrd')).size,
    withoutLiveBytes: statSync(withoutLive).size,
    dracutBytes: statSync(dracut).size,
    parts: await compareInitramfs(files.withoutLive, files.baseline),
  };
}

/** How the image's own configuration packs its initramfs. */
function compressionOf(tree: string): string {
  const text = readFileSync(join(tree, 'usr/lib/dracut/dracut.conf.d/30-holdfast.conf'), 'utf8');
  const compress = /^compress="(.+)"$/m.exec(text)?.[1];
  if (compress === undefined) throw new HoldfastError('HF-STATE', 'the configuration of dracut says no compression');
  return compress;
}

function kernelVersion(tree: string): string {
  const version = /^vmlinuz-(.+)$/.exec(basename(realpathSync(join(tree, 'boot/vmlinuz'))))?.[1];
  if (version === undefined) throw new HoldfastError('HF-STATE', 'the kernel of the image has no version in its name');
  return version;
}

/** What the files of an initramfs are for, in the order in which a path is asked; the last takes the rest. */
const PARTS: readonly [name: string, pattern: RegExp][] = [
  ['drivers of disks, buses and keyboards', /\/kernel\/drivers\/(?!block\/loop\.ko).*\.ko$/],
  ['btrfs', /\/(btrfs|zstd_compress|raid6_pq|xor|blake2b_generic)\.ko$/],
  ['xfs', /\/(xfs|libcrc32c)\.ko$/],
  ['other file systems, overlay and loop', /\.ko$/],
  ['units and scripts of holdfast', /holdfast|\/cos-/],
  ['programs and libraries', /\/s?bin\/|\/lib\/.*\.so/],
  ['indexes of modules and of libraries', /\/modules\.|ld\.so\.cache/],
  ['other', /^/],
];

export interface InitramfsPart {
  name: string;
  /** Packed by itself, which is a little more than what it takes among others. */
  packedBytes: number;
}

/** Unpacks an initramfs with the programs of a tree into a directory that doesn't exist yet. */
async function unpackInitramfs(initramfs: string, tree: string, directory: string): Promise<void> {
  await runInTree(tree, `${directory}.tar`, ['sh', '-c', UNPACK], initramfs);
  mkdirSync(directory);
  await runChecked(['tar', '-xf', `${directory}.tar`, '-C', directory]);
  rmSync(`${directory}.tar`);
}

/** The drivers in an unpacked initramfs that aren't about slots: another one is to have them as well. */
async function diskDrivers(directory: string): Promise<string[]> {
  const [, pattern] = PARTS[0] ?? [];
  return (await filesOf(directory)).filter((path) => pattern?.test(path)).map((path) => basename(path, '.ko'));
}

/** What an unpacked initramfs has that another doesn't have, or has otherwise. */
async function compareInitramfs(more: string, less: string): Promise<InitramfsPart[]> {
  const added = (await filesOf(more)).filter((path) => {
    const other = statSync(join(less, path), { throwIfNoEntry: false });
    return other?.size !== statSync(join(more, path)).size;
  });
  const parts = PARTS.map(([name]) => ({ name, paths: added.filter((path) => partOf(path) === name) }));
  return await Promise.all(
    parts
      .filter(({ paths }) => paths.length > 0)
      .map(async ({ name, paths }) => {
        const pack = 'tar -cf - --sort=name --no-recursion -T - | zstd -19 -q | wc -c';
        const bytes = await runChecked(['sh', '-c', pack], { cwd: more, input: `${paths.join('\n')}\n` });
        return { name, packedBytes: Number(bytes) };
      }),
  );
}

function partOf(path: string): string {
  return PARTS.find(([, pattern]) => pattern.test(path))?.[0] ?? '';
}

/** Regular files below a directory, relative to it; what links lead to counts once. */
async function filesOf(directory: string): Promise<string[]> {
  const found = await runChecked(['find', directory, '-type', 'f', '-printf', '%P\\0']);
  return found.split('\0').filter((path) => path !== '');
}
