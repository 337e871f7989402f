// The packages' part of a rebase, worked out and not carried out: reads three trees, writes nothing.

import { readFileSync } from 'node:fs';
import { HoldfastError } from '../../system/errors.ts';
import type { RunOptions, RunResult } from '../../system/process.ts';
import { Root } from '../../system/root.ts';
import { readContents } from './contents.ts';
import { decidePackages, type PackageChoices, packageDelta } from './decide.ts';
import { findKept } from './kept.ts';
import { databaseFiles, readPackages } from './lists.ts';
import type { PackageList, PackagePlan, PackageTree } from './model.ts';
import { type Contents, findOwned } from './owned.ts';

/** Directories of mounted trees. */
export interface PackageTrees {
  oldBase: string;
  oldView: string;
  /** With what hooks did in it. */
  newBase: string;
}

export interface PlanOptions {
  signal?: AbortSignal | undefined;
  /** Where the overlay's package files are kept ({@link archiveOf}): its own, and that of a view that is being made. */
  archive?: string | readonly string[] | undefined;
  winner?: PackageChoices['winner'];
  /** How a program of a tree is run in it; default: chroot(8). */
  run?: (directory: string, argv: readonly [string, ...string[]], options: RunOptions) => Promise<RunResult>;
}

/**
 * @returns undefined when the view has the packages of its base, or none that are known here.
 * @throws HoldfastError HF-COMMAND when a package manager fails, HF-STATE when a package is half installed.
 */
export async function planPackages(trees: PackageTrees, options: PlanOptions = {}): Promise<PackagePlan | undefined> {
  const { signal } = options;
  const [base, view, next] = [trees.oldBase, trees.oldView, trees.newBase].map((directory) =>
    treeAt(directory, options),
  );
  if (base === undefined || view === undefined || next === undefined) return undefined;
  if (haveSameDatabase(base, view)) return undefined;
  const is = await readPackages(view, signal);
  if (is === undefined) return undefined;
  const empty: PackageList = { ...is, packages: new Map(), remains: new Set(), foreignArchitectures: [] };
  const was = (await readPackages(base, signal)) ?? empty;
  const there = (await readPackages(next, signal)) ?? empty;
  for (const other of [was, there]) {
    if (other.database === is.database) continue;
    throw new HoldfastError('HF-UNSUPPORTED', `packages can't be carried from ${is.database} to ${other.database}`, {
      hint: 'upgrade with --no-overlay, and install them anew',
    });
  }
  const sides = { base: was, view: is, next: there };
  const delta = packageDelta(sides);
  const [inBase, inView] = [
    await readContents(base, is.database, delta, ({ before }) => before, signal),
    await readContents(view, is.database, delta, ({ wanted }) => wanted, signal),
  ];
  const decisions = decidePackages(sides, {
    ...(options.winner && { winner: options.winner }),
    imageOnly: (key) =>
      hasKernel(key, inView) || hasKernel(key, inBase) ? 'the kernel comes with its image' : undefined,
  });
  const { owned, absent } = await findOwned(
    is.database,
    delta,
    { root: base.root, contents: inBase },
    { root: view.root, contents: inView },
  );
  const { files, warnings } = findKept(decisions.install, is.database, [options.archive ?? []].flat(), view.root);
  const atHand = new Set(files.map(({ key }) => key));
  const unresolved = decisions.install.filter(({ key }) => !atHand.has(key)).map(({ key }) => key);
  return { ...decisions, files, unresolved, owned, absent, warnings };
}

function treeAt(directory: string, { run }: PlanOptions): PackageTree {
  const root = new Root(directory);
  return { root, run: (argv, options = {}) => (run ? run(directory, argv, options) : root.run(argv, options)) };
}

function haveSameDatabase(one: PackageTree, other: PackageTree): boolean {
  const [files, others] = [databaseFiles(one), databaseFiles(other)];
  return (
    files.join() === others.join() &&
    files.every((path) => readFileSync(one.root.resolve(path)).equals(readFileSync(other.root.resolve(path))))
  );
}

const KERNEL =
  /^\/boot\/(?:vmlinuz|vmlinux|Image|bzImage|kernel)|^(?:\/usr)?\/lib\/modules\/[^/]+\/(?:vmlinuz|kernel)(?:\/|$)/;

function hasKernel(key: string, contents: Contents): boolean {
  return contents.get(key)?.some(({ path }) => KERNEL.test(path)) ?? false;
}
