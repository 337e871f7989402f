// `holdfast upgrade`: flags and settings in, plan out, result printed. The system, the recovery system, or both.

import { type UpgradeResult, upgrade } from '../lifecycle/apply-upgrade.ts';
import { upgradeRecovery } from '../lifecycle/apply-upgrade-recovery.ts';
import { type CarryPlan, overlayJson } from '../lifecycle/carry-engine.ts';
import type { Moved } from '../lifecycle/fill-slot.ts';
import { displayName } from '../lifecycle/image-name.ts';
import { choosePower, type PowerFlags, powerDown } from '../lifecycle/power.ts';
import type { SessionOptions } from '../lifecycle/session.ts';
import type { Settings } from '../lifecycle/settings.ts';
import { configuredImage } from '../lifecycle/settings-image.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import type { UpgradeRequest } from '../lifecycle/upgrade.ts';
import type { PackagePolicy } from '../owner/policy.ts';
import { HoldfastError } from '../system/errors.ts';
import { type ImageFlags, namedImage, openImageText, openNamedImage } from './image-option.ts';
import { type LifecycleFlags, labelsOf, runOptions, strictnessOf } from './lifecycle-options.ts';
import { checkPlanFlags, type PlanFlags } from './plan-flags.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { parseTakes } from './take-option.ts';
import { mayDowngrade } from './trust-option.ts';
import { type LiveUpgrade, liveImage, onLiveSystem } from './upgrade-live.ts';
import { warningLines } from './warning-lines.ts';

type UpgradePlan = UpgradeResult['plan'];

interface UpgradeFlags extends ImageFlags, LifecycleFlags, SettingsFlags, PowerFlags, PlanFlags {
  recovery?: boolean;
  recoverySystem?: string;
  'recoverySystem.uri'?: string;
  /** `false` with --no-overlay. */
  overlay?: boolean;
  take?: readonly string[];
  packages?: PackagePolicy;
}

export async function upgradeCommand(
  context: CommandContext,
  [argument]: string[],
  flags: UpgradeFlags,
): Promise<number> {
  const settings = await machineSettings(context, flags);
  const power = choosePower(flags, settings);
  checkPlanFlags(flags);
  const live = await onLiveSystem(context, labelsOf(settings), flags);
  // Whom the installed system trusts, it trusts when it is repaired, too.
  if (live?.trustState !== undefined) flags.trustState ??= live.trustState;
  const session = sessionOptions(context, flags, settings);
  if (flags.discardPlan) {
    await (await import('./upgrade-plan.ts')).discardKeptPlan(context, session);
    return 0;
  }
  if (flags.apply !== undefined) {
    const { applyPlan } = await import('./upgrade-plan.ts');
    const outcome = await applyPlan(context, { plan: flags.apply, image: namedImage(argument, flags) }, session);
    return finish(context, power, outcome.startsWith('ok'));
  }
  const { system, recovery } = whatToUpgrade(argument, flags, settings);
  if (flags.plan || flags.rehearse) {
    if (recovery) {
      const text = 'the settings have the recovery system upgraded; the plan is of the system alone';
      context.reporter.events({ type: 'notice', level: 'warning', text });
    }
    const { planSystem } = await import('./upgrade-plan.ts');
    const planned = await planSystem(
      context,
      await systemRequest(context, argument, flags, settings, live),
      session,
      flags,
    );
    if (!flags.rehearse || planned.outcome !== 'plan-kept') return 0;
    return (await import('./rehearse.ts')).rehearseKeptPlan(context, planned.id, session);
  }
  const outcomes: string[] = [];
  if (system) outcomes.push(await upgradeSystem(context, argument, flags, settings, live));
  if (recovery) outcomes.push(await upgradeRecoverySystem(context, argument, flags, settings, { both: system }));
  return finish(
    context,
    power,
    outcomes.some((outcome) => outcome.startsWith('ok')),
  );
}

async function finish(context: CommandContext, power: ReturnType<typeof choosePower>, done: boolean): Promise<number> {
  if (power !== undefined && done) {
    await powerDown(power, { events: context.reporter.events, signal: context.signal });
  }
  return 0;
}

function sessionOptions(context: CommandContext, flags: UpgradeFlags, settings: Settings): SessionOptions {
  return { ...runOptions(context, flags), labels: labelsOf(settings), hookSources: settings.value('cloud-init-paths') };
}

/** What is asked for about the system. */
async function systemRequest(
  context: CommandContext,
  argument: string | undefined,
  flags: UpgradeFlags,
  settings: Settings,
  live: LiveUpgrade | undefined,
): Promise<UpgradeRequest> {
  return {
    image:
      live === undefined
        ? await openNamedImage(argument, flags, context, { settings, setting: 'upgrade.system' })
        : await liveImage(live, argument, flags, context, settings),
    strictness: strictnessOf(flags.strict, settings),
    // Who comes with a medium has a reason: what is installed may say that it is this image and be damaged.
    force: flags.force ?? (live !== undefined || (settings.value('upgrade.force') ?? false)),
    minimumBytes: (settings.value('upgrade.system.size') ?? 0) * 2 ** 20,
    assess: settings.value('boot-assessment') ?? true,
    allowDowngrade: mayDowngrade(flags, settings),
    overlay: flags.overlay === false ? 'leave' : 'carry',
    packages: flags.packages,
    takes: parseTakes(flags.take),
  };
}

/** How little of an image had to be moved; trees have nothing to compare it with. */
function movedLine(moved: Moved | undefined): string[] {
  if (moved === undefined || moved.fullBytes === 0) return [];
  const [fetched, full, written] = [moved.fetchedBytes, moved.fullBytes, moved.writtenBytes].map(formatBytes);
  return [`  moved      fetched ${fetched} of ${full}, wrote ${written}`];
}

/** What became of the overlay, in a line. */
function overlayLine(plan: UpgradePlan, overlay: CarryPlan | undefined): string[] {
  if (plan.actions.some(({ kind }) => kind === 'blank-overlay')) return ['  overlay    a blank one'];
  if (overlay === undefined) return [];
  const { decided } = overlay;
  if (decided === 0) return ['  overlay    carried'];
  return [`  overlay    carried; rules decided ${decided} conflicts: holdfast overlay conflicts`];
}

/** `--recovery` is the recovery system only; naming an image for each is both. */
function whatToUpgrade(
  argument: string | undefined,
  flags: UpgradeFlags,
  settings: Settings,
): { system: boolean; recovery: boolean } {
  const recoveryNamed = recoveryText(flags) !== undefined;
  const wanted = flags.recovery ?? settings.value('upgrade.recovery') ?? false;
  if (!recoveryNamed) return { system: !wanted, recovery: wanted };
  return { system: !wanted && namedImage(argument, flags) !== undefined, recovery: true };
}

function recoveryText(flags: UpgradeFlags): string | undefined {
  const { recoverySystem: named, 'recoverySystem.uri': uri } = flags;
  if (named !== undefined && uri !== undefined) {
    throw new HoldfastError('HF-USAGE', `two images for the recovery system are named: ${named} and ${uri}`, {
      hint: 'name one of them',
    });
  }
  return named ?? uri;
}

async function upgradeSystem(
  context: CommandContext,
  argument: string | undefined,
  flags: UpgradeFlags,
  settings: Settings,
  live: LiveUpgrade | undefined,
): Promise<string> {
  const { reporter } = context;
  const request = await systemRequest(context, argument, flags, settings, live);
  const { image } = request;
  const result = await upgrade(request, sessionOptions(context, flags, settings));
  const { outcome, plan, warnings, durationMs, prettyName, facts, moved, overlay } = result;
  if (outcome === 'planned') {
    const isCarried = plan.actions.some(({ kind }) => kind === 'plan-overlay');
    const hint = isCarried ? ['  what becomes of the overlay, path by path: holdfast overlay plan --to IMAGE'] : [];
    reporter.result({ outcome, plan }, [...planLines(plan), ...hint]);
    return outcome;
  }
  if (outcome === 'up-to-date') {
    const waiting = facts.booted.replaced ? '; reboot to start it' : '';
    reporter.result({ outcome, image: facts.image }, [
      `Up to date: the active system already is ${displayName(facts.image.source)}${waiting}.`,
      '  --force builds it anew',
    ]);
    return outcome;
  }
  const seconds = (durationMs / 1000).toFixed(1);
  const kept = plan.actions.some(({ kind }) => kind === 'copy-to-passive')
    ? 'the system that is running now'
    : 'unchanged';
  const verifiedBy = image.provenance?.verifiedBy;
  const carried = overlay === undefined ? {} : { overlay: overlayJson(overlay) };
  const value = {
    outcome,
    warnings,
    durationMs,
    system: prettyName,
    image: facts.image,
    verifiedBy,
    moved,
    ...carried,
  };
  reporter.result(value, [
    ...warningLines('Upgrade', warnings),
    `  active     ${prettyName} in ${seconds} s${live === undefined ? '' : `, on ${facts.stateDevice}`}`,
    ...movedLine(moved),
    ...overlayLine(plan, overlay),
    `  passive    ${kept}`,
    `  next       ${live === undefined ? 'reboot' : 'take the medium out and reboot'} to start the new system${settings.value('boot-assessment') === false ? '' : '; unless it proves that it works, this machine goes back'}`,
  ]);
  return outcome;
}

/** Its image: the one for recovery, else the one that was named, else what is configured for either. */
async function upgradeRecoverySystem(
  context: CommandContext,
  argument: string | undefined,
  flags: UpgradeFlags,
  settings: Settings,
  { both }: { both: boolean },
): Promise<string> {
  const { reporter } = context;
  const named = recoveryText(flags);
  const configured = configuredImage(settings, 'upgrade.recovery-system');
  const image =
    named !== undefined
      ? await openImageText(named, flags, context, settings)
      : await openNamedImage(argument, flags, context, {
          settings,
          setting: configured === undefined ? 'upgrade.system' : 'upgrade.recovery-system',
        });
  const size = settings.value('upgrade.recovery-system.size') ?? 0;
  const result = await upgradeRecovery(
    {
      image,
      strictness: strictnessOf(flags.strict, settings),
      force: flags.force ?? settings.value('upgrade.force') ?? false,
      minimumBytes: size * 2 ** 20,
      allowDowngrade: mayDowngrade(flags, settings),
    },
    { ...runOptions(context, flags), labels: labelsOf(settings), hookSources: settings.value('cloud-init-paths') },
  );
  const { outcome, plan, warnings, durationMs, prettyName, facts, moved } = result;
  if (outcome === 'planned') {
    reporter.result({ outcome, plan }, planLines(plan));
    return outcome;
  }
  if (outcome === 'up-to-date') {
    reporter.result({ outcome, image: facts.image }, [
      `Up to date: the recovery system already is ${displayName(facts.image.source)}.`,
      '  --force builds it anew',
    ]);
    return outcome;
  }
  const seconds = (durationMs / 1000).toFixed(1);
  const verifiedBy = image.provenance?.verifiedBy;
  reporter.result({ outcome, warnings, durationMs, recovery: prettyName, image: facts.image, verifiedBy, moved }, [
    ...warningLines(both ? 'Recovery upgrade' : 'Upgrade', warnings),
    `  recovery   ${prettyName} in ${seconds} s`,
    ...movedLine(moved),
    ...(both ? [] : ['  active     unchanged', '  passive    unchanged']),
  ]);
  return outcome;
}
