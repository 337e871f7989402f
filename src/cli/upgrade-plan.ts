// `holdfast upgrade --plan`, `--apply` and `--discard-plan`: what an upgrade will do, told by what was really built, and doing
// exactly that.

import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { displayName } from '../lifecycle/image-name.ts';
import { applyPlanned, discardPlan, type PlanAheadResult, planAhead } from '../lifecycle/planned-upgrade.ts';
import type { SessionOptions } from '../lifecycle/session.ts';
import type { UpgradeRequest } from '../lifecycle/upgrade.ts';
import { describePlan } from '../preview/describe.ts';
import { planDocumentSchema } from '../preview/document.ts';
import { wantedPlanId } from '../preview/plan-name.ts';
import { planText } from '../preview/text.ts';
import { writeFileDurably } from '../system/durable.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { PlanFlags } from './plan-flags.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { warningLines } from './warning-lines.ts';

/** Builds the new system, keeps it and says what it changes. */
export async function planSystem(
  { reporter }: CommandContext,
  request: UpgradeRequest,
  options: SessionOptions,
  flags: PlanFlags,
): Promise<PlanAheadResult> {
  if (flags.html !== undefined) requirePlaceForPage(flags.html);
  const result = await planAhead(request, options, describePlan);
  const { outcome, plan, facts, document, durationMs, warnings } = result;
  if (outcome === 'planned') {
    reporter.result({ outcome, plan }, planLines(plan));
    return result;
  }
  if (outcome === 'up-to-date') {
    reporter.result({ outcome, image: facts.image }, [
      `Up to date: the active system already is ${displayName(facts.image.source)}.`,
      '  --force plans to build it anew',
    ]);
    return result;
  }
  const checked = planDocumentSchema.parse(document);
  reporter.result({ outcome, durationMs, warnings, plan: checked }, [
    ...planText(checked, { verbose: flags.verbose ?? false, paint: reporter.paint }),
    ...(flags.html === undefined ? [] : [`  page       ${flags.html}`]),
  ]);
  if (flags.html !== undefined) {
    const { planPage } = await import('../preview/page.ts');
    try {
      writeFileDurably(flags.html, planPage(checked), { mode: 0o600 });
    } catch (error) {
      throw new HoldfastError('HF-IO', `the page could not be written: ${messageOf(error)}`, {
        hint: `the plan ${checked.id} is kept all the same`,
      });
    }
  }
  return result;
}

/**
 * Before anything is built: minutes later it would be a pity.
 * @throws HoldfastError HF-USAGE
 */
function requirePlaceForPage(file: string): void {
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a directory');
    accessSync(dirname(resolve(file)), constants.W_OK);
  } catch (error) {
    throw new HoldfastError('HF-USAGE', `no page can be written to ${file}: ${messageOf(error)}`);
  }
}

/** Switches to what a plan has built. */
export async function applyPlan(
  { reporter }: CommandContext,
  wanted: { plan: string | true; image: string | undefined },
  options: SessionOptions,
): Promise<string> {
  const id = wanted.plan === true ? undefined : wantedPlanId(wanted.plan);
  const { outcome, plan, warnings, durationMs, prettyName, facts, planId } = await applyPlanned(
    { id, image: wanted.image },
    options,
  );
  if (outcome === 'planned') {
    reporter.result({ outcome, planId, plan }, planLines(plan));
    return outcome;
  }
  const kept = plan.actions.some(({ kind }) => kind === 'copy-to-passive')
    ? 'the system that was running'
    : 'unchanged';
  reporter.result({ outcome, planId, warnings, durationMs, system: prettyName, image: facts.image }, [
    ...warningLines('Upgrade', warnings),
    `  active     ${prettyName} in ${(durationMs / 1000).toFixed(1)} s, as planned (${planId})`,
    `  passive    ${kept}`,
    '  next       reboot to start the new system',
  ]);
  return outcome;
}

export async function discardKeptPlan({ reporter }: CommandContext, options: SessionOptions): Promise<void> {
  const { outcome, plan, name } = await discardPlan(options);
  if (outcome === 'planned') return reporter.result({ outcome, plan }, planLines(plan));
  const text = outcome === 'nothing' ? 'No plan is kept.' : `Discarded: ${name ?? 'what was left of a plan'}.`;
  reporter.result({ outcome, plan: name ?? null }, [text]);
}
