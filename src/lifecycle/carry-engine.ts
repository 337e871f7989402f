// What carrying an overlay asks of the parts that find changes, install packages, decide and replay: one place that joins
// the lifecycle with src/overlay/packages and src/overlay/rebase.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TreePath } from '../image/targettree.ts';
import { shortFingerprint } from '../overlay/fingerprint.ts';
import { applyPackages } from '../overlay/packages/apply.ts';
import { describePackageConflicts, describePackages } from '../overlay/packages/describe.ts';
import { archiveOf } from '../overlay/packages/kept.ts';
import type { PackagePlan } from '../overlay/packages/model.ts';
import { planPackages } from '../overlay/packages/plan.ts';
import { findChanges } from '../overlay/rebase/changes.ts';
import { conflictsOf, saveLosers } from '../overlay/rebase/losers.ts';
import type { Changes, RebasePlan, Winner } from '../overlay/rebase/model.ts';
import { planRebase } from '../overlay/rebase/plan-rebase.ts';
import { replay } from '../overlay/rebase/replay.ts';
import { type ReportJson, reportJson, reportLines } from '../overlay/rebase/report.ts';
import { parseRules, RULES_DIRECTORY, type Rule, takeRule } from '../overlay/rebase/rules.ts';
import * as seenIndex from '../overlay/rebase/seen-index.ts';
import { readStageWrites } from '../overlay/stage-writes.ts';
import { HoldfastError } from '../system/errors.ts';
import type { ApplyContext } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import type { Carried } from './find-overlay.ts';

/** Directories. The old two are read-only. */
export interface CarryTrees {
  oldBase: string;
  oldView: string;
  newBase: string;
}

export type FoundChanges = Changes;

/** The same by path, which stays when numbers change. */
export interface PathTake {
  path: TreePath;
  winner: Winner;
}

/** One conflict that somebody decided by hand: its number in the report. */
export interface Take {
  number: number;
  winner: Winner;
}

/** What will happen to each path and package; decided, and nothing written. */
export interface CarryPlan {
  /** What the new view needs at most beyond its base. */
  neededBytes: number;
  /** How many conflicts rules have decided. */
  decided: number;
  /** What the package manager is to do; undefined where nothing changed. */
  packages: PackagePlan | undefined;
  rebase: RebasePlan;
  /** Conflicts that somebody has decided, by path. */
  takes: readonly PathTake[];
  /** For the person. */
  report: readonly string[];
}

type Work = Pick<ApplyContext, 'signal' | 'progress' | 'warn' | 'events'>;

/** Compares a view with its base. */
export async function changesOf(
  trees: Pick<CarryTrees, 'oldBase' | 'oldView'>,
  { signal, progress, warn }: Work,
): Promise<FoundChanges> {
  const changes = await findChanges(trees, { signal, onProgress: progress });
  for (const text of changes.warnings) warn(text);
  return changes;
}

export interface PlanOptions {
  overlay: Carried;
  /** Decided by hand, by the numbers of the report without them, or by path. */
  takes?: readonly (Take | PathTake)[];
  /** The COW that an earlier carrying has made: what that fetched is in its archive. */
  newCow?: string;
  /** The new base is a view with a history of its own: what tells of that, and who it is, stays. */
  ontoView?: boolean;
}

/** Decides what becomes of each change and package. */
export async function planCarry(
  trees: CarryTrees,
  changes: FoundChanges,
  { overlay, takes = [], newCow, ontoView = false }: PlanOptions,
  { signal }: Work,
): Promise<CarryPlan> {
  const archive = [overlay.cow, ...(newCow === undefined ? [] : [newCow])].map(archiveOf);
  const packages = await planPackages(trees, { signal, archive });
  const owned = new Set(packages?.owned.map(({ path }) => path));
  const options = {
    changes,
    packaged: owned,
    stageWrites: readStageWrites(trees.oldView),
    signal,
  };
  const rules = ownRules(trees.oldView);
  let rebase = await planRebase(trees, { ...options, rules });
  let byPath: PathTake[] = [];
  if (takes.length > 0) {
    const conflicts = conflictsOf(rebase);
    byPath = takes.map((take) => ('path' in take ? take : pathTakeOf(take, conflicts)));
    const taken = byPath.map(({ path, winner }) => takeRule(path, winner));
    rebase = await planRebase(trees, { ...options, rules: [...taken, ...rules] });
  }
  if (ontoView)
    rebase = { ...rebase, decisions: rebase.decisions.filter(({ class: kind }) => !OWN_OF_A_VIEW.has(kind)) };
  const decided = conflictsOf(rebase).filter(({ rule }) => rule !== '--take').length + rebase.accountConflicts.length;
  return {
    neededBytes: changes.changedBytes,
    decided: decided + (packages?.conflicts.length ?? 0),
    packages,
    rebase,
    takes: byPath,
    report: reportLines(rebase, {
      heading: headingOf(overlay),
      packages: packages === undefined ? [] : describePackages(packages),
      closing: packages === undefined ? [] : describePackageConflicts(packages),
    }),
  };
}

const OWN_OF_A_VIEW: ReadonlySet<string> = new Set(['log', 'identity']);

function pathTakeOf({ number, winner }: Take, conflicts: ReturnType<typeof conflictsOf>): PathTake {
  const conflict = conflicts[number - 1];
  if (conflict !== undefined) return { path: conflict.path, winner };
  throw new HoldfastError('HF-USAGE', `there is no conflict ${number}`, {
    hint: `the report has ${conflicts.length}; see holdfast overlay plan`,
  });
}

/** The owner's rules, as they are in the view that is carried. */
function ownRules(oldView: string): Rule[] {
  const root = new Root(oldView);
  const names = root.list(RULES_DIRECTORY).filter((name) => /\.ya?ml$/.test(name));
  return names.sort().flatMap((name) => {
    const path = join(RULES_DIRECTORY, name);
    return parseRules(readFileSync(root.resolve(path), 'utf8'), path);
  });
}

function headingOf({ device, path, from }: Carried): string {
  return `overlay ${device}:${path}, changes over ${shortFingerprint(from)}`;
}

/** What the package manager is asked for, as a text to compare: where its files are doesn't count. */
export function packagesKey({ packages }: Pick<CarryPlan, 'packages'>): string {
  if (packages === undefined) return '';
  const { install, remove, hold, unhold, addArchitectures, absent } = packages;
  const steps = (list: typeof install) => list.map(({ key, wanted }) => `${key} ${wanted ?? ''}`);
  return JSON.stringify([steps(install), steps(remove), hold, unhold, addArchitectures, absent]);
}

/** Everything that was decided, for programs. */
export function overlayJson({ rebase, packages }: CarryPlan): ReportJson & { packages: PackagePlan | null } {
  return { ...reportJson(rebase), packages: packages ?? null };
}

/**
 * Runs the package manager in the new view, which is mounted and fit for programs.
 * @throws HoldfastError with exit status 4 when a package can't be had.
 */
export async function installPackages(
  { packages }: Pick<CarryPlan, 'packages'>,
  trees: CarryTrees,
  options: { newCow: string },
  { signal, warn, events }: Work,
): Promise<void> {
  if (packages === undefined) return;
  const outcome = await applyPackages(packages, {
    root: trees.newBase,
    trees,
    signal,
    onOutput: (text) => events({ type: 'output', text }),
    newArchive: archiveOf(options.newCow),
  });
  for (const text of outcome.warnings) warn(text);
  for (const text of outcome.alongside) events({ type: 'notice', level: 'info', text: `with that, ${text}` });
}

/** Writes everything else into the new view; what loses is kept first. */
export async function replayCarry(
  plan: Pick<CarryPlan, 'rebase'>,
  options: { directory: string; conflicts: string; to: string | undefined },
  { signal, progress, warn }: Work,
): Promise<void> {
  await saveLosers(plan.rebase, options.conflicts, { signal, to: options.to });
  await replay(plan.rebase, { target: options.directory, signal, onProgress: progress, warn });
  for (const text of plan.rebase.warnings) warn(text);
}

/** Keeps what the old view was like, for {@link changedSince}. */
export function writeSeen({ seen }: FoundChanges, file: string): void {
  seenIndex.writeSeen(file, seen);
}

/** Paths that have changed since and that would be carried. */
export function changedSince(file: string, oldView: string, { signal }: Work): Promise<readonly string[]> {
  return seenIndex.changedSince(seenIndex.readSeen(file), oldView, { signal });
}
