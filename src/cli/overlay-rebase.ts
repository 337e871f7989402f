// `holdfast overlay rebase` carries what was changed over another system to the one that runs; `overlay finalise`, for a
// unit at shutdown, what changed since an upgrade.

import { overlayJson } from '../lifecycle/carry-engine.ts';
import { finaliseOverlay } from '../lifecycle/finalise-overlay.ts';
import { rebaseOverlay } from '../lifecycle/rebase-overlay.ts';
import { type LifecycleFlags, labelsOf, runOptions } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { warningLines } from './warning-lines.ts';

interface RebaseFlags extends LifecycleFlags, SettingsFlags {
  from?: string;
}

export async function overlayRebaseCommand(
  context: CommandContext,
  [set]: string[],
  flags: RebaseFlags,
): Promise<number> {
  const settings = await machineSettings(context, flags);
  const request = { set, from: flags.from, strict: flags.strict !== undefined };
  const result = await rebaseOverlay(request, { ...runOptions(context, flags), labels: labelsOf(settings) });
  const { outcome, from, to, live, plan, warnings, actions } = result;
  const value = { outcome, from, to, live, warnings, ...(plan && { overlay: overlayJson(plan) }) };
  if (outcome === 'planned') {
    context.reporter.result(
      value,
      actions.actions.map(({ summary }) => summary),
    );
    return 0;
  }
  const conflicts = plan?.decided ?? 0;
  context.reporter.result(value, [
    ...warningLines('Rebase', warnings),
    `  overlay    what was changed over ${from.slice(0, 16)} is in that of ${to.slice(0, 16)} now${live ? ', which runs' : ''}`,
    ...(conflicts === 0 ? [] : [`  conflicts  rules decided ${conflicts}: holdfast overlay conflicts`]),
  ]);
  return 0;
}

export async function overlayFinaliseCommand(context: CommandContext): Promise<number> {
  const settings = await machineSettings(context, {});
  const result = await finaliseOverlay({ ...runOptions(context, {}), labels: labelsOf(settings) });
  const words = {
    nothing: 'No upgrade waits for this shutdown.',
    unchanged: 'Nothing has changed in the overlay since the upgrade.',
    carried: `What changed in the overlay since the upgrade is carried (${result.changed} paths).`,
    'put-back': `It could not be carried: ${result.problem ?? ''}. The old system boots, with its overlay.`,
    left: `It could not be carried: ${result.problem ?? ''}.`,
  };
  context.reporter.result({ ...result }, [words[result.outcome]]);
  return result.problem === undefined ? 0 : 5;
}
