// `holdfast build-disk`: flags and settings in, a disk image out.

import { formatBytes } from '../lifecycle/sizes.ts';
import { buildDisk } from '../media/disk-build.ts';
import { type DiskFormat, FORMAT_FACTS, parseDiskFormat, parseDiskSize } from '../media/disk-formats.ts';
import { describeLayout } from '../media/disk-layout.ts';
import { overlayDirectory } from '../media/overlay-directory.ts';
import { requireX86 } from '../media/system-tree.ts';
import { DEFAULT_LABELS, type Labels, type PartitionRole } from '../slots/names.ts';
import { MIB, type PartitionWishes } from '../slots/partitions.ts';
import { HoldfastError } from '../system/errors.ts';
import { type ImageFlags, openNamedImage } from './image-option.ts';
import { type LifecycleFlags, labelsOf, strictnessOf } from './lifecycle-options.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { namedRecovery, openRecoveryText, type RecoveryFlags } from './recovery-option.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { readStageFiles } from './stage-file-option.ts';

export interface BuildDiskFlags extends ImageFlags, SettingsFlags, RecoveryFlags, LifecycleFlags {
  output?: string;
  type?: string;
  expandable?: boolean;
  size?: string;
  recovery?: string;
  cloudConfig?: string[];
  cloudInit?: string[];
  cloudInitPaths?: string;
  deployCommand?: string;
  stateFs?: string;
  recoverySize?: string;
  stateSize?: string;
  oemLabel?: string;
  recoveryLabel?: string;
  oem_label?: string;
  recovery_label?: string;
  overlayRootfs?: string[];
  efiOnly?: boolean;
  arch?: string;
}

export async function buildDiskCommand(
  context: CommandContext,
  [image]: string[],
  flags: BuildDiskFlags,
): Promise<number> {
  const { reporter, signal } = context;
  requireX86(flags.arch ?? 'x86_64');
  const format = parseDiskFormat(flags.type ?? 'raw');
  const labels = {
    oem: flags.oemLabel ?? flags.oem_label,
    recovery: flags.recoveryLabel ?? flags.recovery_label,
  };
  withLabels(DEFAULT_LABELS, labels);
  const stageFiles = [...(flags.cloudConfig ?? []), ...(flags.cloudInit ?? [])];
  const request = {
    output: flags.output ?? defaultOutput(format),
    format,
    expandable: flags.expandable ?? false,
    sizeBytes: flags.size === undefined ? undefined : parseDiskSize(flags.size),
    stateFilesystem: parseStateFilesystem(flags.stateFs),
    firmware: flags.efiOnly ? ('efi' as const) : undefined,
    overlays: (flags.overlayRootfs ?? []).map((each) => overlayDirectory(each, '--overlay-rootfs')),
    cloudInit: await readStageFiles(stageFiles, context),
    deployCommand: parseDeployCommand(flags.deployCommand),
    hookSources: flags.cloudInitPaths?.split(',').filter((path) => path !== ''),
    force: flags.force ?? false,
  };
  const settings = await machineSettings(context, flags);
  const sizesMib: NonNullable<PartitionWishes['sizesMib']> = {};
  for (const role of ['efi', 'oem', 'recovery', 'state', 'persistent'] as const) {
    const size = settings.value(`partitions.${role}.size`);
    if (size !== undefined) sizesMib[role] = size;
  }
  if (flags.recoverySize !== undefined) sizesMib.recovery = parseDiskSize(flags.recoverySize) / MIB;
  if (flags.stateSize !== undefined) sizesMib.state = parseDiskSize(flags.stateSize) / MIB;
  const opened = await openNamedImage(image, flags, context, { settings });
  const recoveryText = namedRecovery(flags) ?? flags.recovery;
  const recovery =
    recoveryText === undefined ? undefined : await openRecoveryText(recoveryText, flags, context, settings);
  const result = await buildDisk(
    {
      ...request,
      image: opened,
      recovery,
      labels: withLabels(labelsOf(settings), labels),
      sizesMib,
      strictness: strictnessOf(flags.strict, settings),
      menuEntry: settings.value('install.grub-entry-name'),
    },
    { events: reporter.events, signal, dryRun: flags.dryRun ?? false },
  );
  const { outcome, plan, warnings, durationMs, facts, made } = result;
  if (made === undefined) {
    reporter.result({ outcome, plan }, planLines(plan));
    return 0;
  }
  const { published, layout, system, timeBasis, bios } = made;
  const seconds = (durationMs / 1000).toFixed(1);
  const value = {
    outcome,
    warnings,
    durationMs,
    ...published,
    diskBytes: layout.sizeBytes,
    image: facts.image,
    system,
  };
  reporter.result(value, [
    `Built ${published.file} of ${system || facts.image.source} in ${seconds} s${warnings.length > 0 ? ` with ${warnings.length} warning(s)` : ''}.`,
    `  disk     ${formatBytes(layout.sizeBytes)} (${describeLayout(layout)}), boots by UEFI${bios ? ' and BIOS' : ''}`,
    `  file     ${formatBytes(published.sizeBytes)} (${format})`,
    `  time     ${timeBasis}`,
    `  sha256   ${published.sha256}`,
    ...(request.expandable ? ['  next     give it a larger disk; its first boot fills that'] : []),
    ...warnings.map((text) => `  ! ${text.split('\n')[0]}`),
  ]);
  return 0;
}

function defaultOutput(format: DiskFormat): string {
  return `disk${FORMAT_FACTS[format].suffix}`;
}

function parseStateFilesystem(text: string | undefined): 'xfs' | 'ext4' | undefined {
  if (text === undefined || text === 'xfs' || text === 'ext4') return text;
  throw new HoldfastError('HF-USAGE', `--state-fs is xfs or ext4, not ${JSON.stringify(text)}`);
}

/** @throws HoldfastError HF-USAGE for one that could not stand in a stage file. */
function parseDeployCommand(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (text.includes('{{')) {
    throw new HoldfastError('HF-USAGE', '--deploy-command has {{ in it, which is a template in a stage file', {
      hint: 'put the command into a script in the image, and name that',
    });
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
  if (text.trim() !== '' && text.length <= 4096 && !/[\x00-\x08\x0b-\x1f\x7f]/.test(text)) return text.trim();
  throw new HoldfastError('HF-USAGE', '--deploy-command is empty, too long or has control characters');
}

function withLabels({ partitions, slots }: Labels, chosen: Partial<Record<PartitionRole, string | undefined>>): Labels {
  const own = Object.entries(chosen).flatMap(([role, label]) => (label === undefined ? [] : [[role, label]]));
  for (const [role, label = ''] of own) {
    // As settings have them: they get into GRUB's menu and into stage files.
    if (/^[A-Za-z0-9_.-]{1,16}$/.test(label)) continue;
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(label)} is no label for the partition ${role}`, {
      hint: 'up to 16 letters, digits, and _ . -',
    });
  }
  return { partitions: { ...partitions, ...Object.fromEntries(own) }, slots };
}
