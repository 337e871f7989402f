// `holdfast apply`, and `--now` and `--apply-live` of the commands that change what the owner wants: flags and settings in, plan
// out, result printed.

import { overlayJson } from '../lifecycle/carry-engine.ts';
import type { LiveResult } from '../lifecycle/go-live.ts';
import { displayName } from '../lifecycle/image-name.ts';
import { applyLocalChanges } from '../lifecycle/local-changes.ts';
import { choosePower, type PowerFlags, powerDown } from '../lifecycle/power.ts';
import type { PackagePolicy } from '../owner/policy.ts';
import { type LifecycleFlags, labelsOf, runOptions, strictnessOf } from './lifecycle-options.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { parseTakes } from './take-option.ts';
import { warningLines } from './warning-lines.ts';

export interface ApplyFlags extends LifecycleFlags, SettingsFlags, PowerFlags {
  live?: boolean;
  /** `false` with --no-overlay. */
  overlay?: boolean;
  take?: readonly string[];
  packages?: PackagePolicy;
  insecureRegistry?: string[];
}

export function applyCommand(context: CommandContext, _: string[], flags: ApplyFlags): Promise<number> {
  return applyNow(context, flags);
}

/**
 * Builds the installed image anew with what the owner's stage files say, and prints what came of it.
 * @returns the exit status; where it throws, the active and the passive system are what they were.
 */
export async function applyNow(context: CommandContext, flags: ApplyFlags): Promise<number> {
  const { reporter, signal } = context;
  const settings = await machineSettings(context, flags);
  const power = choosePower(flags, settings);
  const assess = settings.value('boot-assessment') ?? true;
  const result = await applyLocalChanges(
    {
      strictness: strictnessOf(flags.strict, settings),
      force: flags.force ?? false,
      live: flags.live ?? false,
      minimumBytes: (settings.value('upgrade.system.size') ?? 0) * 2 ** 20,
      assess,
      overlay: flags.overlay === false ? 'leave' : 'carry',
      packages: flags.packages,
      takes: parseTakes(flags.take),
      registry: { insecure: flags.insecureRegistry },
    },
    { ...runOptions(context, flags), labels: labelsOf(settings), hookSources: settings.value('cloud-init-paths') },
  );
  const { outcome, plan, warnings, durationMs, prettyName, facts, moved, overlay, live } = result;
  if (outcome === 'planned') {
    reporter.result({ outcome, plan }, planLines(plan));
    return 0;
  }
  if (outcome === 'up-to-date') {
    const waiting = facts.booted.replaced ? '; reboot to start it' : '';
    reporter.result({ outcome, image: facts.image }, [
      `Nothing to apply: the active system was built with what the stage files say${waiting}.`,
      '  --force builds it anew',
    ]);
    return 0;
  }
  const kept = plan.actions.some(({ kind }) => kind === 'copy-to-passive');
  const carried = overlay === undefined ? {} : { overlay: overlayJson(overlay) };
  const shown = live === undefined ? {} : { live: liveJson(live) };
  const value = { outcome, warnings, durationMs, system: prettyName, image: facts.image, moved, ...carried, ...shown };
  const back = assess ? '; unless it proves that it works, this machine goes back' : '';
  reporter.result(value, [
    ...warningLines('Apply', warnings),
    `  active     ${prettyName} with the changes in ${(durationMs / 1000).toFixed(1)} s, from ${displayName(facts.image.source)}`,
    `  passive    ${kept ? 'the system that is running now' : 'unchanged'}`,
    ...liveLines(live),
    `  next       reboot to start it${back}`,
  ]);
  if (power !== undefined) await powerDown(power, { events: reporter.events, signal });
  return 0;
}

function liveLines(live: LiveResult | undefined): string[] {
  if (live === undefined) return [];
  const { outcome, added, copied, later } = live;
  if (outcome === 'refused') return ['  running    stays as it is until then'];
  const rest = later.length === 0 ? '' : `; ${later.length} more with the next boot`;
  if (outcome === 'nothing') return [`  running    has the changes already${rest}`];
  return [`  running    has them too: ${added} paths are new, ${copied} files written until the reboot${rest}`];
}

function liveJson(live: LiveResult): Record<string, unknown> {
  const named = (paths: LiveResult['refused']) =>
    paths.map(({ path, reason }) => ({ path: `/${Buffer.from(path, 'latin1').toString('utf8')}`, reason }));
  return { ...live, later: named(live.later), refused: named(live.refused) };
}
