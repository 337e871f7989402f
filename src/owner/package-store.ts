// The store that a hook in a new system is given: packages come from repositories and are kept, or from what was kept when
// no repository can be reached. What was installed is written down in the new system itself.

import { readPackages } from '../overlay/packages/lists.ts';
import type { PackageList } from '../overlay/packages/model.ts';
import type { PackageManager } from '../stages/packages/manager.ts';
import type { PackageStore } from '../stages/packages/store.ts';
import { commandError, runInRoot } from '../stages/shell.ts';
import type { StepContext } from '../stages/steps/handler.ts';
import { HoldfastError } from '../system/errors.ts';
import { tailOf } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { PackageCache } from './cache.ts';
import { PACKAGE_EXIT_STATUS, refusePackages } from './choice.ts';
import { type Attempt, type Installer, type KeptFile, outputOf, type Source, type TreeWork } from './installer.ts';
import { installerFor } from './installers/all.ts';
import { keptFilesFor } from './kept-files.ts';
import { readLock } from './lock-place.ts';
import { type Installation, noteInstalled } from './note-installed.ts';
import type { PackageChoice } from './policy.ts';
import { bareName, wantedName } from './request.ts';
import { makeWorkPlace, type WorkPlace } from './work-place.ts';

export interface StorePlaces {
  /** The owner's partitions on this machine; without the persistent one nothing is kept. */
  oem?: string | undefined;
  persistent?: string | undefined;
}

export interface StoreOptions {
  root: Root;
  places: StorePlaces;
  /** Digest or source of the image. */
  base: string | undefined;
  /** RFC 3339. */
  now: string;
  /** What was decided about packages that don't fit, by their names without a version. */
  choices?: ReadonlyMap<string, PackageChoice> | undefined;
}

export interface OpenStore extends PackageStore {
  /** Takes away what only this store needed. */
  close: () => void;
}

/** What is not installed, and what follows from that. */
const LEFT_OUT: ReadonlyMap<PackageChoice, string> = new Map([
  ['defer', 'the next upgrade tries it again'],
  ['drop', 'it is kept no more'],
]);

/** Makes a store for one new system. */
export function openPackageStore(options: StoreOptions): OpenStore {
  const { root, places } = options;
  const choices = options.choices ?? new Map<string, PackageChoice>();
  const cache = places.persistent === undefined ? undefined : new PackageCache(places.persistent);
  const { lock, problem } = places.oem === undefined ? { lock: undefined, problem: undefined } : readLock(places.oem);
  const choiceOf = (name: string) => choices.get(wantedName(name));
  const whyLeftOut = (name: string) => {
    const choice = choiceOf(name);
    return choice && LEFT_OUT.get(choice);
  };
  let work: WorkPlace | undefined;
  let told = problem === undefined;

  const installerOf = (manager: PackageManager, context: StepContext): Installer | undefined => {
    if (!told) context.warn(problem ?? '');
    told = true;
    work ??= makeWorkPlace(root, places.persistent);
    const { signal, env, events } = context;
    const tree: TreeWork = {
      root,
      manager,
      work,
      signal,
      env,
      onOutput: (text) => events({ type: 'output', text }),
    };
    return installerFor(tree);
  };

  return {
    refresh: async (manager, context) => {
      const installer = installerOf(manager, context);
      if (installer === undefined) return runPlainly(manager, manager.refresh, context);
      const attempt = await installer.refresh();
      if (attempt.outcome === 'ok') return;
      const failure = failureOf(attempt, manager.refresh, context);
      // Whatever needs the lists says so itself.
      if (attempt.outcome === 'failed' || lock === undefined || lock.packages.length === 0) throw failure;
      context.warn(`the lists of packages could not be fetched, kept package files are used: ${failure.message}`);
    },

    install: async (names, manager, context) => {
      const wanted = names.filter((name) => whyLeftOut(name) === undefined);
      for (const name of names) {
        const why = whyLeftOut(name);
        if (why !== undefined) context.warn(`${name} is left out of this system; ${why}`);
      }
      if (wanted.length === 0) return;
      const installer = installerOf(manager, context);
      if (installer === undefined || work === undefined) {
        await runPlainly(manager, manager.install(wanted), context);
        return;
      }
      const run: Run = { installer, context, work, cache, lock, options };
      const before = await packagesOf(root, context.signal);
      const held = wanted.filter((name) => choiceOf(name) === 'hold');
      const free = wanted.filter((name) => !held.includes(name));
      if (held.length > 0) await installHeld(held, run);
      if (free.length > 0) await installFree(free, manager, run);
      const after = await packagesOf(root, context.signal);
      await noteInstalled(wanted, before, after, run);
    },

    close: () => work?.remove(),
  };
}

interface Run extends Installation {
  context: StepContext;
  options: StoreOptions;
}

/** A manager that nothing is kept for is left to itself. */
async function runPlainly(
  manager: PackageManager,
  argv: readonly [string, ...string[]],
  context: StepContext,
): Promise<void> {
  const end = await runInRoot(argv, { ...context, env: { ...context.env, ...manager.environment } });
  if (end.status !== 0) throw commandError(argv, end, context);
}

async function installFree(names: readonly string[], manager: PackageManager, run: Run): Promise<void> {
  const { installer, context } = run;
  const repositories = { from: 'repositories' } as const;
  let attempt = await installer.simulate(names, repositories);
  if (attempt.outcome === 'ok') attempt = await installer.install(names, repositories);
  if (attempt.outcome === 'ok') {
    if (attempt.remark !== undefined) context.warn(attempt.remark);
    return;
  }
  if (attempt.outcome === 'unavailable') {
    const files = keptOf(names, run);
    if (files.length > 0) {
      await installKept(names, files, run);
      const versions = names.map((name) => versionIn(files, name) ?? name);
      context.warn(
        `${versions.join(', ')} from the files that were kept: no repository has it now, or none could be reached`,
      );
      return;
    }
  }
  if (attempt.outcome === 'conflict') {
    throw refusePackages([await installer.explain(names[0] ?? '', repositories, attempt.result)]);
  }
  throw failureOf(attempt, manager.install(names), context);
}

/** In the versions that were installed last. */
async function installHeld(names: readonly string[], run: Run): Promise<void> {
  const files = keptOf(names, run);
  if (files.length === 0) {
    const message = `${names.join(', ')} can't be held at the version installed last: its file was not kept`;
    throw new HoldfastError('HF-DEPLOY', message, {
      exitStatus: PACKAGE_EXIT_STATUS,
      hint: 'use --packages drop or --packages defer',
    });
  }
  await installKept(names, files, run);
  run.context.warn(`held: ${names.map((name) => versionIn(files, name) ?? name).join(', ')}, as installed last`);
}

/** From the kept files alone, then with what repositories have beside them. */
async function installKept(names: readonly string[], files: readonly KeptFile[], run: Run): Promise<void> {
  const { installer, context } = run;
  let refused: { source: Source; attempt: Exclude<Attempt, { outcome: 'ok' }> } | undefined;
  for (const from of ['kept', 'both'] as const) {
    const source: Source = { from, files };
    const tried = await installer.simulate(names, source);
    const attempt = tried.outcome === 'ok' ? await installer.install(names, source) : tried;
    if (attempt.outcome === 'ok') return;
    // That they don't fit says more than that nothing else is to be had.
    if (refused === undefined || attempt.outcome === 'conflict') refused = { source, attempt };
  }
  if (refused === undefined) return;
  const { source, attempt } = refused;
  if (attempt.outcome === 'conflict') {
    throw refusePackages([await installer.explain(names[0] ?? '', source, attempt.result)]);
  }
  throw failureOf(attempt, ['install', ...names], context);
}

function keptOf(names: readonly string[], { cache, lock, context, installer }: Run): KeptFile[] {
  if (cache === undefined || lock === undefined || lock.database !== installer.database) return [];
  const { files, problems } = keptFilesFor(names, lock, cache);
  for (const problem of problems) context.warn(problem);
  return files;
}

function versionIn(files: readonly KeptFile[], name: string): string | undefined {
  const file = files.find(({ locked }) => locked.name === bareName(name));
  return file && `${file.locked.name} ${file.locked.version}`;
}

async function packagesOf(root: Root, signal: AbortSignal | undefined): Promise<PackageList | undefined> {
  return readPackages({ root, run: (argv, options) => root.run(argv, options) }, signal);
}

function failureOf(
  attempt: Exclude<Attempt, { outcome: 'ok' }>,
  argv: readonly [string, ...string[]],
  context: StepContext,
): HoldfastError {
  const { status, signal } = attempt.result;
  const outputTail = tailOf(outputOf(attempt.result).trim());
  return commandError(argv, { status, signal, outputTail }, context);
}
