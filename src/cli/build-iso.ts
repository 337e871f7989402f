// `holdfast build-iso`: flags and settings in, an ISO out.

import { join, resolve } from 'node:path';
import { formatBytes } from '../lifecycle/sizes.ts';
import { buildIso } from '../media/build-iso.ts';
import { DEFAULT_ISO_LABEL, isoFileName, parseIsoLabel } from '../media/iso-request.ts';
import { parseExtraArguments } from '../media/live-arguments.ts';
import { overlayDirectory } from '../media/overlay-directory.ts';
import { inspectOutput } from '../media/publish.ts';
import { parseCompression, ROOT_FORMATS, type RootFormat } from '../media/root-file.ts';
import { sourceDateEpoch } from '../media/source-time.ts';
import { requireX86 } from '../media/system-tree.ts';
import { HoldfastError } from '../system/errors.ts';
import { type ManifestFlags, readBuildManifest } from './build-manifest.ts';
import { imageUri } from './compat/lifecycle.ts';
import { type ImageFlags, namedImage, openNamedImage } from './image-option.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { namedRecovery, openRecoveryText, type RecoveryFlags } from './recovery-option.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { readStageFiles } from './stage-file-option.ts';

export interface BuildIsoFlags extends ImageFlags, SettingsFlags, RecoveryFlags, ManifestFlags {
  name?: string;
  output?: string;
  date?: boolean;
  label?: string;
  overlayRootfs?: string[];
  overlayUefi?: string[];
  overlayIso?: string[];
  cloudConfig?: string[];
  format?: string;
  compression?: string;
  extraCmdline?: string;
  efiOnly?: boolean;
  arch?: string;
  force?: boolean;
  dryRun?: boolean;
}

export async function buildIsoCommand(
  context: CommandContext,
  [image]: string[],
  flags: BuildIsoFlags,
): Promise<number> {
  const { reporter, signal, undo } = context;
  requireX86(flags.arch ?? 'x86_64');
  const manifest = readBuildManifest(context, flags);
  const day =
    (flags.date ?? manifest?.date) ? new Date((sourceDateEpoch(process.env) ?? Date.now() / 1000) * 1000) : undefined;
  const directory = resolve(flags.output ?? manifest?.output ?? '.');
  const output = inspectOutput(join(directory, isoFileName(flags.name ?? manifest?.name ?? 'holdfast', day)), {
    force: flags.force ?? false,
    directoryMayLack: true,
  });
  const format = parseFormat(flags.format ?? 'squashfs');
  const compression = flags.compression ?? manifest?.compression;
  const overlays = (directories: readonly string[], flag: string) =>
    directories.map((each) => overlayDirectory(each, flag));
  const request = {
    label: parseIsoLabel(flags.label ?? manifest?.label ?? DEFAULT_ISO_LABEL),
    output,
    overlays: {
      rootfs: overlays([...(manifest?.overlays.rootfs ?? []), ...(flags.overlayRootfs ?? [])], '--overlay-rootfs'),
      uefi: overlays([...(manifest?.overlays.uefi ?? []), ...(flags.overlayUefi ?? [])], '--overlay-uefi'),
      iso: overlays([...(manifest?.overlays.iso ?? []), ...(flags.overlayIso ?? [])], '--overlay-iso'),
    },
    format,
    compression: compression === undefined ? undefined : parseCompression(format, compression),
    extraArguments: parseExtraArguments(flags.extraCmdline ?? manifest?.extraArguments ?? ''),
    efiOnly: flags.efiOnly ?? false,
    stageFiles: await readStageFiles(flags.cloudConfig ?? [], context),
  };
  const settings = await machineSettings(context, flags);
  const opened = await openNamedImage(image ?? manifestImage(flags, manifest?.system), flags, context, { settings });
  const recoveryText = namedRecovery(flags);
  const recovery =
    recoveryText === undefined ? undefined : await openRecoveryText(recoveryText, flags, context, settings);
  const options = { undo, events: reporter.events, signal, dryRun: flags.dryRun ?? false };
  const { outcome, plan, warnings, durationMs, made } = await buildIso(
    { ...request, image: opened, recovery },
    options,
  );
  if (made === undefined) {
    reporter.result({ outcome, plan }, planLines(plan));
    return 0;
  }
  const seconds = (durationMs / 1000).toFixed(1);
  reporter.result({ outcome, warnings, durationMs, ...made }, [
    `Built ${made.file} of ${made.system} in ${seconds} s${warnings.length > 0 ? ` with ${warnings.length} warning(s)` : ''}.`,
    `  ${formatBytes(made.sizeBytes)}, boots by UEFI${made.secureBoot ? ' with Secure Boot' : ''}${made.bios ? ' and BIOS' : ''}, from CD and stick`,
    `  system:  ${made.source}`,
    `  time:    ${made.time} (${made.timeBasis})`,
    `  sha256:  ${made.sha256}`,
    ...warnings.map((text) => `  ! ${text.split('\n')[0]}`),
  ]);
  return 0;
}

function parseFormat(text: string): RootFormat {
  const found = ROOT_FORMATS.find((each) => each === text);
  if (found !== undefined) return found;
  throw new HoldfastError('HF-USAGE', `--format is ${ROOT_FORMATS.join(' or ')}, not ${JSON.stringify(text)}`);
}

/** What the command line names counts. */
function manifestImage(flags: BuildIsoFlags, system: string | undefined): string | undefined {
  return system === undefined || namedImage(undefined, flags) !== undefined ? undefined : imageUri(system);
}
