// What a plan means, for people and for programs: how much is carried, what both sides changed and who keeps it. The same text
// before an upgrade, during it and after it.

import { conflictsOf } from './losers.ts';
import type { ConflictKind, Decision, Outcome, RebasePlan, Winner } from './model.ts';
import { jsonOfObject, type ObjectJson } from './object-json.ts';
import { type PathText, textOfPath } from './path-text.ts';
import type { ReplayResult } from './replay.ts';
import type { TreeObject } from './tree-object.ts';
import { show } from './walk.ts';

/** Lines that others add: packages, the new overlay's size. */
export interface ReportExtras {
  /** e.g. `overlay /persist.img  base 3f9c… -> 81d2…  used 118 of 300 MiB, healthy` */
  heading?: string;
  /** e.g. `install vim 9.0 (archived file)`, each a line of the heading `packages`. */
  packages?: readonly string[];
  /** Below everything: `new overlay: 3085 MiB, cannot overflow`. */
  closing?: readonly string[];
  /** Every path that is skipped, not just their number. */
  all?: boolean;
}

/** How many of each; conflicts that were decided by rule are among `conflicts` only. */
export type Counts = Readonly<Record<Outcome, number>>;

export function countOutcomes({ decisions }: Pick<RebasePlan, 'decisions'>): Counts {
  const counts: Record<Outcome, number> = {
    added: 0,
    changed: 0,
    deleted: 0,
    metadata: 0,
    merged: 0,
    converged: 0,
    skipped: 0,
    package: 0,
    conflict: 0,
  };
  for (const { outcome } of decisions) counts[outcome] += 1;
  return counts;
}

/** The report as lines of text. */
export function reportLines(plan: RebasePlan, extras: ReportExtras = {}): string[] {
  const counts = countOutcomes(plan);
  const { added, changed, deleted, metadata, merged, converged, skipped, conflict } = counts;
  const lines = extras.heading === undefined ? [] : [extras.heading];
  const parts = [`${added} added`, `${changed} changed`, `${deleted} deleted`];
  const touched = metadata > 0 ? `   metadata ${metadata}` : '';
  lines.push(heading('apply', added + changed + deleted, `${parts.join(', ')}${touched}`));
  if (merged > 0) lines.push(heading('merged', merged, someOf(plan, 'merged')));
  if (converged > 0) lines.push(heading('converged', converged, 'already in the new image'));
  const packages = extras.packages ?? [];
  if (packages.length > 0) lines.push(heading('packages', packages.length, packages.join(', ')));
  if (skipped > 0)
    lines.push(heading('skipped', skipped, `${reasonsOf(plan)}${extras.all ? '' : ' (list: overlay plan --all)'}`));
  if (extras.all) lines.push(...skippedLines(plan));
  const accounts = plan.accountConflicts;
  if (conflict + accounts.length > 0) lines.push(heading('CONFLICTS', conflict + accounts.length, '').trimEnd());
  for (const [index, decision] of conflictsOf(plan).entries()) {
    const { kind, winner } = decision.conflict;
    const flip = `--take ${winner === 'user' ? 'new' : 'mine'}:${index + 1}`;
    lines.push(
      `   ${index + 1} ${kind.padEnd(14)} ${show(decision.path).padEnd(40)} ${keeping(decision)} (${flip} to flip)`,
    );
  }
  for (const { path, record, text } of accounts) {
    lines.push(`   - ${'account'.padEnd(14)} ${`${show(path)}: ${record}`.padEnd(40)} ${text}`);
  }
  for (const warning of plan.warnings) lines.push(`  note: ${warning}`);
  lines.push(...(extras.closing ?? []));
  return lines;
}

function heading(name: string, count: number, text: string): string {
  return `  ${name.padEnd(10)} ${String(count).padStart(4)}   ${text}`;
}

function keeping({ conflict, base, view, alsoLost }: Decision): string {
  if (conflict?.kind === 'delete/grow' && conflict.winner === 'new')
    return 'keeping the directory for the new image’s files';
  if (conflict?.winner === 'user') {
    const saved = base === undefined && alsoLost === undefined ? '' : ' (the new image’s saved)';
    return `${view === undefined ? 'deleting it, as you did' : 'keeping yours'}${saved}`;
  }
  return `following new image${view === undefined ? '' : ' (yours saved)'}`;
}

function someOf({ decisions }: RebasePlan, outcome: Outcome): string {
  const paths = decisions.filter((decision) => decision.outcome === outcome).map(({ path }) => show(path));
  return paths.length > 5 ? `${paths.slice(0, 5).join(' ')} and ${paths.length - 5} more` : paths.join(' ');
}

function reasonsOf({ decisions }: RebasePlan): string {
  const reasons = new Set<string>();
  for (const { outcome, rule, class: name } of decisions) {
    if (outcome === 'skipped') reasons.add(rule.startsWith('class:') ? name : rule);
  }
  return [...reasons].sort().join(', ');
}

/** Every path that is left behind, with the reason. */
export function skippedLines({ decisions }: Pick<RebasePlan, 'decisions'>): string[] {
  const skipped = decisions.filter(({ outcome }) => outcome === 'skipped');
  return skipped.map(({ path, reason }) => `     ${show(path)}: ${reason}`);
}

export interface ReportJson {
  format: 'holdfast-rebase-1';
  counts: Counts;
  changedBytes: number;
  applied?: number;
  paths: (PathText & {
    target?: PathText;
    action: Outcome;
    reason: string;
    class: string;
    rule: string;
    result: 'user' | 'new' | 'merged' | 'deleted';
    conflict?: { number: number; kind: ConflictKind; winner: Winner };
    origin?: PathText;
    before: ObjectJson | null;
    view: ObjectJson | null;
    base: ObjectJson | null;
  })[];
  accounts: readonly { path: string; record: string; winner: Winner; text: string }[];
  warnings: readonly string[];
}

/** The report with everything that is known about each path, for programs. */
export function reportJson(plan: RebasePlan, result?: ReplayResult): ReportJson {
  let number = 0;
  return {
    format: 'holdfast-rebase-1',
    counts: countOutcomes(plan),
    changedBytes: plan.changes.changedBytes,
    ...(result !== undefined && { applied: result.applied }),
    paths: plan.decisions.map((decision) => {
      const { path, target, outcome, reason, rule, conflict, origin } = decision;
      if (conflict !== undefined) number += 1;
      return {
        ...textOfPath(path),
        ...(target !== path && { target: textOfPath(target) }),
        action: outcome,
        reason,
        class: decision.class,
        rule,
        result: resultOf(decision),
        ...(conflict !== undefined && { conflict: { number, ...conflict } }),
        ...(origin !== undefined && { origin: textOfPath(origin) }),
        before: jsonOrNull(decision.before),
        view: jsonOrNull(decision.view),
        base: jsonOrNull(decision.base),
      };
    }),
    accounts: plan.accountConflicts.map((conflict) => ({ ...conflict, path: show(conflict.path) })),
    warnings: plan.warnings,
  };
}

function resultOf({ wish }: Decision): 'user' | 'new' | 'merged' | 'deleted' {
  if (wish.want === 'absent') return 'deleted';
  if (wish.want === 'base') return 'new';
  return wish.content.from === 'view' ? 'user' : 'merged';
}

function jsonOrNull(object: TreeObject | undefined): ObjectJson | null {
  return object === undefined ? null : jsonOfObject(object);
}
