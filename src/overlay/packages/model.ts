// What is known of packages: the lists of three trees (the old base, the view, the new base), what to do about their
// difference, and where a package's file can be had. Plain data; deciding is in decide.ts, acting in apply.ts.

import type { TreePath } from '../../image/targettree.ts';
import type { RunOptions, RunResult } from '../../system/process.ts';
import type { Root } from '../../system/root.ts';

/** Whose database it is; apt, dnf and zypper only use it. */
export type DatabaseName = 'dpkg' | 'rpm' | 'apk';

/** Runs a program of a tree in that tree. */
export type RunInTree = (argv: readonly [string, ...string[]], options?: RunOptions) => Promise<RunResult>;

export interface PackageTree {
  root: Root;
  run: RunInTree;
}

export interface InstalledPackage {
  name: string;
  architecture: string;
  /** As the manager writes it, epoch included. */
  version: string;
  /** It came as a dependency, and may go again with what needs it. */
  automatic: boolean;
  /** The owner wants it to stay as it is. */
  held: boolean;
}

/** All packages of a tree, by {@link packageKey}. */
export interface PackageList {
  database: DatabaseName;
  packages: ReadonlyMap<string, InstalledPackage>;
  /** Packages that were removed and whose configuration is still there (dpkg). */
  remains: ReadonlySet<string>;
  /** Architectures besides the machine's own that packages may have (dpkg). */
  foreignArchitectures: readonly string[];
}

/** What a package is called: `vim:amd64`. */
export function packageKey({ name, architecture }: Pick<InstalledPackage, 'name' | 'architecture'>): string {
  return `${name}:${architecture}`;
}

/** A file, directory or link of a package. */
export interface PackagedEntry {
  /** As the package names it: absolute; directories above it may be links. */
  path: string;
  isConfig: boolean;
  /** Of a file's content as it was packaged, where the database has it; apk: of a link's target, too. */
  digest?: { algorithm: string; hex: string };
}

/** Below the key in plans: one package of the view that isn't as in the old base. */
export interface PackageStep {
  key: string;
  name: string;
  architecture: string;
  /** In the old base; absent: it was added. */
  before?: string;
  /** In the view; absent: it was removed. */
  wanted?: string;
  /** In the new base; absent: it hasn't got it. */
  next?: string;
  automatic: boolean;
  /** It was removed with its configuration (dpkg). */
  purge: boolean;
}

export type PackageConflict = PackageStep & {
  /**
   * downgrade: the view has a newer one than the new base. held-back: the view has an older one, on purpose, and the new
   * base a newer one. needed: something of the new base needs what was removed.
   */
  kind: 'downgrade' | 'held-back' | 'needed';
  winner: 'user' | 'new';
};

/** What becomes of the difference between the old base and the view. Every package of it is in exactly one list. */
export interface PackageDecisions {
  database: DatabaseName;
  install: readonly PackageStep[];
  remove: readonly PackageStep[];
  /** The new base has it in this version or a newer one, or lacks it as well. */
  converged: readonly PackageStep[];
  /** Those that the user wins are among the packages to install, too. */
  conflicts: readonly PackageConflict[];
  /** Kernels and what else comes with the image only. */
  skipped: readonly (PackageStep & { reason: string })[];
  /** Packages that the owner holds, and that aren't held in the new base. */
  hold: readonly string[];
  unhold: readonly string[];
  /** To be known before packages of them can be installed. */
  addArchitectures: readonly string[];
}

/** A package's file that was kept. */
export interface KeptPackage {
  key: string;
  version: string;
  /** On this machine. */
  path: string;
  sizeBytes: number;
}

/** All that is to be done about packages: plain data, the same for the same trees. */
export interface PackagePlan extends PackageDecisions {
  /** Files of the packages to install, as far as they are at hand. */
  files: readonly KeptPackage[];
  /** Packages to install whose file isn't at hand: they need a repository. */
  unresolved: readonly string[];
  /** Paths that the file replay leaves to the package manager, with their package, in order. */
  owned: readonly { key: string; path: TreePath }[];
  /** Packaged files that the user removed: they go again once the package is there. */
  absent: readonly TreePath[];
  warnings: readonly string[];
}

export interface PackageOutcome {
  installed: readonly string[];
  removed: readonly string[];
  /** Other packages that the manager changed along the way, as `name before -> after`. */
  alongside: readonly string[];
  warnings: readonly string[];
}
