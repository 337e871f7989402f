// `holdfast revert`: paths of the running system become again what the image has, as far as a running system can do that.

import { leftBelow, planRevert, type RevertAction, stepOfNextBoot } from '../ledger/plan-revert.ts';
import { type InspectedPath, type InspectPathOptions, inspectPath } from '../lifecycle/inspect-path.ts';
import { type RevertState, revertPerformers } from '../lifecycle/revert-path.ts';
import { OWNER_FILE_NAME } from '../owner/owner-file.ts';
import { OEM_DIRECTORY } from '../owner/owner-place.ts';
import { lockDirectoryUntilEnd } from '../system/lock.ts';
import { apply, type Plan } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { labelsOf } from './lifecycle-options.ts';
import { noteChange } from './note-change.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { workDirectoryOf } from './work-directory.ts';

interface RevertFlags extends SettingsFlags {
  dryRun?: boolean;
}

interface Decided {
  inspected: InspectedPath;
  plan: Plan<RevertAction>;
}

/** How long a second command waits for a first one that changes what is kept, in seconds. */
const PATIENCE_SECONDS = 10;

export async function revertCommand(context: CommandContext, paths: string[], flags: RevertFlags): Promise<number> {
  const { reporter, undo, signal } = context;
  const options: InspectPathOptions = {
    undo,
    labels: labelsOf(await machineSettings(context, flags)),
    workDirectory: workDirectoryOf(undo, 'revert'),
    views: new Map(),
    below: true,
    warn: (text) => reporter.events({ type: 'notice', level: 'warning', text }),
  };
  const decided: Decided[] = [];
  // All of them first: what can't be taken back leaves the others as they are.
  for (const path of new Set(paths)) {
    const inspected = await inspectPath(path, options);
    decided.push({ inspected, plan: planRevert(inspected.facts, OWNER_FILE_NAME) });
  }
  const plans = decided.map(({ plan }) => plan);
  if (flags.dryRun) {
    reporter.result(
      { outcome: 'planned', plans },
      plans.flatMap((plan) => planLines(plan)),
    );
    return 0;
  }
  await lockDirectoryUntilEnd(undo, OEM_DIRECTORY, PATIENCE_SECONDS);
  for (const { inspected, plan } of decided) {
    const { directory: slot, pristine: image } = inspected.view;
    const state: RevertState = { root: new Root('/'), slot, image, oemDirectory: OEM_DIRECTORY };
    if (plan.actions.length > 0) await apply(plan, revertPerformers, { state, events: reporter.events, signal });
  }
  const lineOf = ({ inspected, plan }: Decided) => `${inspected.facts.path}: ${outcomeOf(plan)}`;
  const done = decided.filter(({ plan }) => plan.actions.length > 0);
  if (done.length > 0) await noteChange(context, done.map(lineOf).join('; '));
  const lines = decided.flatMap((one) => {
    const { facts } = one.inspected;
    const step = stepOfNextBoot(facts, OWNER_FILE_NAME);
    const again = step === undefined || one.plan.actions.length === 0 ? [] : [`  next boot  ${step} writes it again`];
    const left = leftBelow(facts);
    const inIt = `  in it      ${left.length} ${left.length === 1 ? 'path differs' : 'paths differ'} still: ${left[0]}`;
    return [lineOf(one), ...again, ...(left.length > 0 ? [inIt] : [])];
  });
  const isNext = plans.some(({ actions }) => actions.some(({ kind }) => kind === 'forget'));
  reporter.result({ outcome: 'ok', plans }, [
    ...lines,
    ...(isNext ? ['  next       systems that are made from now on have what their image has: holdfast apply'] : []),
  ]);
  return 0;
}

function outcomeOf({ actions }: Plan<RevertAction>): string {
  if (actions.length === 0) return 'it is what its image has; nothing was changed';
  const words = { forget: 'not kept any more', restore: 'brought back', remove: 'removed' };
  return actions.map(({ kind }) => words[kind]).join(', ');
}
