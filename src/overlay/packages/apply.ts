// Carries out the packages' part of a rebase in the new tree, which nobody runs yet: whatever fails here fails before
// anything is switched.

import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import { HoldfastError, messageOf } from '../../system/errors.ts';
import { Root } from '../../system/root.ts';
import { applyWithApk } from './apk.ts';
import { applyWithApt } from './apt.ts';
import { archiveFile } from './archive.ts';
import { parseFileName } from './archive-names.ts';
import { restoreAttributes } from './attributes.ts';
import { carryConfiguration } from './configuration.ts';
import { isNothing } from './decide.ts';
import { readPackages } from './lists.ts';
import type { PackageOutcome, PackagePlan, PackageStep, PackageTree, RunInTree } from './model.ts';
import type { PackageTrees } from './plan.ts';
import { applyWithRpm } from './rpm.ts';
import { keepServicesStopped } from './services.ts';
import { stagePackages } from './staging.ts';
import { TreeFiles, textOfTreePath } from './tree-files.ts';
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
      if (options.newArchive !== undefined) {
        const downloads = staging.downloads().map((path) => ({ path, link: false }));
        const files = plan.files.map(({ path }) => ({
          path,
          link: parseFileName(basename(path))?.sha256 !== undefined,
        }));
        warnings.push(...handOver(plan, [...files, ...downloads], options.newArchive));
      }
    } finally {
      letStart();
      staging.remove();
    }
    await checkResult(plan, tree, kept, signal);
  }
  const inTarget = new TreeFiles(root);
  for (const path of plan.absent.map(textOfTreePath)) {
    const stats = inTarget.lstat(path);
    // A directory took the place of the file that was removed: that is another thing.
    if (stats === undefined || stats.isDirectory()) continue;
    if (inTarget.isRootsOwn(path)) rmSync(inTarget.at(path), { force: true });
    else warnings.push(`${path} is there again: you removed it, and its directory isn't root's alone`);
  }
  for (const path of restoreAttributes(pathsOf(plan), view, root).left) {
    warnings.push(`${path} has the mode and owner of its package again: its directory isn't root's alone`);
  }
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

/**
 * Keeps the files of what was installed for the next upgrade, and for one more try of this one.
 * @param files `link`: it is of an archive, where nobody writes into files.
 */
function handOver(
  { install, files: known, database }: PackagePlan,
  files: readonly { path: string; link: boolean }[],
  directory: string,
): string[] {
  const warnings: string[] = [];
  for (const { path, link } of files) {
    const file = parseFileName(basename(path));
    const step = install.find(
      ({ name, architecture }) => file?.name === name && (database === 'apk' || file.architecture === architecture),
    );
    if (file === undefined || step === undefined) continue;
    // A file's own name may lack the epoch or the architecture.
    const version = known.find((one) => one.path === path)?.version ?? withEpoch(database, file.version, step);
    try {
      const name = archiveFile(
        path,
        directory,
        { name: step.name, version, architecture: step.architecture },
        { link },
      );
      if (name === undefined) warnings.push(`the file of ${step.key} is not kept: the overlay’s disk is almost full`);
    } catch (error) {
      warnings.push(`the file of ${step.key} could not be kept for the next upgrade: ${messageOf(error)}`);
    }
  }
  return warnings;
}

function withEpoch(database: PackagePlan['database'], version: string, { wanted = '' }: PackageStep): string {
  return database === 'rpm' ? `${/^\d+:/.exec(wanted)?.[0] ?? ''}${version}` : version;
}
