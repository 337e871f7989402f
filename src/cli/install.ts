// `holdfast install`: flags and settings in, plan out, result printed. What the command line leaves open, the settings say.

import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { install } from '../lifecycle/apply-install.ts';
import { displayName } from '../lifecycle/image-name.ts';
import type { InstallRequest, RecoverySource } from '../lifecycle/install.ts';
import { liveRecovery, liveSystem, openIso } from '../lifecycle/medium.ts';
import { choosePower, ejectAtShutdown, type PowerFlags, powerDown } from '../lifecycle/power.ts';
import type { FlagSetting, Setting, Settings } from '../lifecycle/settings.ts';
import { configuredImage } from '../lifecycle/settings-image.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { MACHINE_COMMAND_LINE } from '../stages/commandline.ts';
import { isUrl } from '../stages/sources.ts';
import { HoldfastError } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import { type ImageFlags, judgeMediumFile, namedImage, openNamedImage, TRUST_STATE } from './image-option.ts';
import { type DiskFlags, diskRequest } from './install-options.ts';
import { type LifecycleFlags, runOptions, strictnessOf } from './lifecycle-options.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { namedRecovery, openRecoveryText, type RecoveryFlags, requireNoMinimum } from './recovery-option.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { readStageFiles } from './stage-file-option.ts';
import { warningLines } from './warning-lines.ts';

interface InstallFlags extends ImageFlags, RecoveryFlags, LifecycleFlags, SettingsFlags, PowerFlags, DiskFlags {
  cloudInit?: string[];
  iso?: string;
  ejectCd?: boolean;
}

/** @param more.given settings that count more than those of files, as flags do. */
export async function installCommand(
  context: CommandContext,
  [disk]: string[],
  flags: InstallFlags,
  { given = [], unattendedMark }: { given?: readonly FlagSetting[]; unattendedMark?: string } = {},
): Promise<number> {
  const { reporter, signal } = context;
  const settings = await machineSettings(context, flags, given);
  const target = disk ?? settings.value('install.target');
  if (target === undefined) {
    throw new HoldfastError('HF-TARGET', 'at least a target device must be supplied', {
      hint: 'name a disk (lsblk lists them), or set install.target',
    });
  }
  const power = choosePower(flags, settings);
  const disks = await diskRequest(flags, settings, context);
  const cloudInit = await readStageFiles(flags.cloudInit ?? settings.value('install.cloud-init') ?? [], context);
  const systems = await openSystems(context, flags, settings);
  const result = await install(
    {
      ...systems,
      ...disks,
      target: resolve(target),
      strictness: strictnessOf(flags.strict, settings),
      force: flags.force ?? settings.value('install.force') ?? false,
      cloudInit,
      unattendedMark,
      hookSources: settings.value('cloud-init-paths'),
      trustDirectory: flags.trustState ?? TRUST_STATE,
    },
    runOptions(context, flags),
  );
  const { outcome, plan, warnings, durationMs, prettyName, facts, made } = result;
  if (outcome === 'planned' || made === undefined) {
    reporter.result({ outcome, plan }, planLines(plan));
    return 0;
  }
  const seconds = (durationMs / 1000).toFixed(1);
  const { boots, content } = made;
  const byBios = boots?.bios === true && plan.actions.some(({ kind }) => kind === 'install-bios-boot');
  const verifiedBy = systems.image.provenance?.verifiedBy;
  reporter.result({ outcome, warnings, durationMs, system: prettyName, image: facts.image, verifiedBy }, [
    `Installed ${prettyName} on ${target} in ${seconds} s${warnings.length > 0 ? ` with ${warnings.length} warning(s)` : ''}.`,
    ...warningLines('Install', warnings).slice(1),
    `  image      ${displayName(facts.image.source)}${facts.image.digest === undefined ? '' : ` (${facts.image.digest.slice(0, 19)}…)`}`,
    `  content    ${formatBytes(content.contentBytes)} in ${content.entries} files`,
    `  next       boot the machine from this disk (UEFI${boots?.secureBoot ? ' with or without Secure Boot' : ''}${byBios ? ', or BIOS' : ''})`,
  ]);
  if (flags.ejectCd ?? settings.value('eject-cd')) {
    const problem = ejectAtShutdown(new Root('/'), readFileSync(MACHINE_COMMAND_LINE, 'utf8'));
    if (problem !== undefined) reporter.events({ type: 'notice', level: 'warning', text: problem });
  }
  if (power !== undefined) await powerDown(power, { events: reporter.events, signal });
  return 0;
}

/** The system and the recovery system: named, configured, from an ISO, or those of the medium that this machine runs from. */
async function openSystems(
  context: CommandContext,
  flags: InstallFlags,
  settings: Settings,
): Promise<Pick<InstallRequest, 'image' | 'recovery'>> {
  const named = namedImage(undefined, flags);
  if (named !== undefined && flags.iso !== undefined) {
    throw new HoldfastError('HF-USAGE', `two systems are named: ${named} and the ISO ${flags.iso}`, {
      hint: 'name one of them',
    });
  }
  const recovery = await openRecovery(context, flags, settings);
  // What the command line names counts more than an ISO of the settings.
  const iso = flags.iso ?? (named === undefined ? settings.value('install.iso') : undefined);
  if (iso !== undefined) {
    const { withoutSecrets } = await import('../system/http.ts');
    // Before anything of it is fetched.
    const provenance = await judgeMediumFile(withoutSecrets(iso), flags, context, settings);
    const { system, recovery: own } = await openIsoOf(iso, context);
    if (recovery === undefined && own?.kind === 'file') requireNoMinimum(own.source, provenance);
    return { image: { ...system, provenance }, recovery: recovery ?? own };
  }
  const live = liveSystem();
  const otherwise =
    live === undefined ? undefined : { text: live, why: 'the system of the medium that this machine runs from' };
  const image = await openNamedImage(undefined, flags, context, { settings, setting: 'install.system', otherwise });
  const ownRecovery = image.source === live ? await liveRecovery() : undefined;
  return { image, recovery: recovery ?? ownRecovery };
}

async function openIsoOf(iso: string, { undo, signal, reporter }: CommandContext): ReturnType<typeof openIso> {
  if (!isUrl(iso)) {
    const path = resolve(iso.replace(/^file:(?:\/\/)?/, ''));
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) return openIso(path, path, undo);
    throw new HoldfastError('HF-NO-SOURCE', `the ISO ${iso} does not exist`, { hint: 'name a file or a web address' });
  }
  const [{ fetchIso }, { withoutSecrets }, { isLoopback }] = await Promise.all([
    import('../lifecycle/fetch-iso.ts'),
    import('../system/http.ts'),
    import('../trust/notary/server.ts'),
  ]);
  const name = withoutSecrets(iso);
  const warned = new Set<string>();
  // A redirect may leave TLS behind.
  const onAddress = (url: string) => {
    const { protocol, hostname } = new URL(url);
    if (protocol !== 'http:' || isLoopback(hostname) || warned.has(url)) return;
    warned.add(url);
    const text = `${withoutSecrets(url)} is NOT VERIFIED and comes without TLS: anybody on the way to ${hostname} can put another system there; use https://, or an image with a digest`;
    reporter.events({ type: 'notice', level: 'warning', text });
  };
  onAddress(iso);
  reporter.events({ type: 'notice', level: 'info', text: `downloading ${name}` });
  const onProgress = (progress: { done: number; total?: number; unit: 'bytes' | 'files' }) =>
    reporter.events({ type: 'action-progress', index: -1, ...progress });
  return openIso(await fetchIso(iso, { undo, signal, onProgress, onAddress }), name, undo);
}

async function openRecovery(
  context: CommandContext,
  flags: InstallFlags,
  settings: Settings,
): Promise<RecoverySource | undefined> {
  const flag = namedRecovery(flags);
  const setting: Setting<string> | undefined =
    flag === undefined ? configuredImage(settings, 'install.recovery-system') : undefined;
  const text = flag ?? setting?.value;
  if (text === undefined) return undefined;
  if (setting !== undefined) {
    const from = `recovery system ${setting.value} from ${setting.origin.text}`;
    context.reporter.events({ type: 'notice', level: 'info', text: from });
  }
  return openRecoveryText(text, flags, context, settings);
}
