// Carries out the packages' part of a rebase in the new tree, which nobody runs yet: whatever fails here fails before
// anything is switched.

import { copyFileSync, linkSync, mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import { Root } from '../../system/root.ts';
import { applyWithApk } from './apk.ts';
import { applyWithApt } from './apt.ts';
import { restoreAttributes } from './attributes.ts';
import { carryConfiguration } from './configuration.ts';
import { isNothing } from './decide.ts';
import { readPackages } from './lists.ts';
import type { PackageOutcome, PackagePlan, PackageStep, PackageTree, RunInTree } from './model.ts';
import type { PackageTrees } from './plan.ts';
import { applyWithRpm } from './rpm.ts';
import { keepServicesStopped } from './services.ts';
import { stagePackages } from './staging.ts';
import { compareVersions } from './versions.ts';

export interface ApplyPackagesOptions {
  /** The new tree, writable and fit for programs (/dev, /proc, /sys, /tmp, a resolver). */
  root: string;
  trees: Pick<PackageTrees, 'oldBase' | 'oldView'>;
  /** How a program is run in the new tree; default: chroot(8). */
  run?: RunInTree;
  signal?: AbortSignal | undefined;
  /** A line that a package manager printed. */
  onOutput?: (line: string) => void;
  /** Where the new view's package files will be: those that it needs again are linked there. */
  newArchive?: string | undefined;
}

/**
 * Installs and removes what the plan says, and checks the result.
 * @throws HoldfastError with exit status 4 when a package can't be had or can't be fitted in.
 */
export async function applyPackages(plan: PackagePlan, options: ApplyPackagesOptions): Promise<PackageOutcome> {
  const { signal, onOutput = () => {} } = options;
  const root = new Root(options.root);
  const view = new Root(options.trees.oldView);
  const tree: PackageTree = { root, run: options.run ?? ((argv, how = {}) => root.run(argv, how)) };
  const [warnings, alongside] = [[...plan.warnings], [] as string[]];
  const kept = new Set<string>();
  if (!isNothing(plan)) {
    if (plan.unresolved.length > 0) carryConfiguration(plan.database, new Root(options.trees.oldBase), view, root);
    const staging = stagePackages(root, plan.files);
    const letStart = keepServicesStopped(root);
    try {
      await MANAGERS[plan.database](plan, tree, {
        staging,
        signal,
        onOutput,
        alongside: (text) => alongside.push(text),
        keep: ({ key }, neededBy) => {
          kept.add(key);
          warnings.push(
            `${key} stays: ${neededBy.join(', ')} of the new base ${neededBy.length > 1 ? 'need' : 'needs'} it`,
          );
        },
      });
    } finally {
      letStart();
      staging.remove();
    }
    await checkResult(plan, tree, kept, signal);
  }
  for (const path of plan.absent) {
    if (root.lstat(path) === undefined) continue;
    // A directory took the place of the file that was removed: that is another thing.
    if (!root.lstat(path)?.isDirectory()) root.remove(path);
  }
  restoreAttributes(pathsOf(plan), view, root);
  if (options.newArchive !== undefined) warnings.push(...handOver(plan, options.newArchive));
  return {
    installed: plan.install.map(({ key }) => key),
    removed: plan.remove.map(({ key }) => key).filter((key) => !kept.has(key)),
    alongside,
    warnings,
  };
}

const MANAGERS = { dpkg: applyWithApt, rpm: applyWithRpm, apk: applyWithApk };

/** The paths of packages whose very version was installed. */
function pathsOf({ install, owned }: PackagePlan): string[] {
  const keys = new Set(install.map(({ key }) => key));
  return owned.filter(({ key }) => keys.has(key)).map(({ path }) => path);
}

/** The database says what the plan said. */
async function checkResult(
  plan: PackagePlan,
  tree: PackageTree,
  kept: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const list = await readPackages(tree, signal);
  const versionOf = ({ key, name }: PackageStep) =>
    list?.packages.get(key)?.version ?? [...(list?.packages.values() ?? [])].find((one) => one.name === name)?.version;
  const absent = plan.install.filter((step) => {
    const version = versionOf(step);
    return version === undefined || compareVersions(plan.database, version, step.wanted ?? '') < 0;
  });
  const present = plan.remove.filter(({ key }) => !kept.has(key) && list?.packages.has(key));
  if (absent.length === 0 && present.length === 0) return;
  const says = [
    ...absent.map(({ key, wanted }) => `${key} ${wanted} is not installed`),
    ...present.map(({ key }) => `${key} is still there`),
  ];
  throw new HoldfastError('HF-STATE', `the package manager did not do what was asked: ${says.join(', ')}`);
}

/** Keeps the files of the view's own packages for the next upgrade, without a second copy where that is possible. */
function handOver({ files, converged }: PackagePlan, directory: string): string[] {
  const warnings: string[] = [];
  const gone = new Set(converged.map(({ key }) => key));
  for (const { key, path } of files) {
    if (gone.has(key)) continue;
    const target = join(directory, basename(path));
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      rmSync(target, { force: true });
      linkOrCopy(path, target);
    } catch (error) {
      warnings.push(`the file of ${key} could not be kept for the next upgrade: ${String(error)}`);
    }
  }
  return warnings;
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP'].includes(errnoOf(error) ?? '')) throw error;
    copyFileSync(from, to);
  }
}
