// `holdfast build-netboot IMAGE -o DIRECTORY`: kernel, initramfs, root and iPXE script, to be served as they are.

import { formatBytes } from '../lifecycle/sizes.ts';
import { parseExtraArguments } from '../media/live-arguments.ts';
import { parseBaseAddress, parseConfigAddress } from '../media/netboot-address.ts';
import { type NetbootState, netbootPerformers } from '../media/netboot-apply.ts';
import { inspectNetbootPlace, type NetbootRequest, planNetboot } from '../media/netboot-plan.ts';
import { ROOT_WAYS, type RootWay } from '../media/netboot-root.ts';
import { NETBOOT_FILES, type NetbootOptions, needsAddress, netbootArguments } from '../media/netboot-script.ts';
import { overlayDirectory } from '../media/overlay-directory.ts';
import { parseCompression, rootFileTool } from '../media/root-file.ts';
import { treeBytes } from '../media/system-tree.ts';
import { isUrl } from '../stages/sources.ts';
import { HoldfastError } from '../system/errors.ts';
import { apply } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { type ImageFlags, openNamedImage } from './image-option.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { readStageFiles } from './stage-file-option.ts';
import { warningLines } from './warning-lines.ts';

export interface BuildNetbootFlags extends ImageFlags, SettingsFlags {
  output: string;
  url?: string;
  root?: string;
  cloudConfig?: string;
  install?: boolean;
  extraCmdline?: string;
  overlayRootfs?: string[];
  compression?: string;
  force?: boolean;
  dryRun?: boolean;
}

export async function buildNetbootCommand(
  context: CommandContext,
  [text]: string[],
  flags: BuildNetbootFlags,
): Promise<number> {
  const { reporter, signal } = context;
  // Before anything is asked of a registry.
  const place = inspectNetbootPlace(flags.output, { force: flags.force ?? false });
  const wishes = {
    directory: place.directory,
    base: flags.url === undefined ? undefined : parseBaseAddress(flags.url),
    way: rootWay(flags.root),
    install: flags.install ?? false,
    extra: extraArguments(flags.extraCmdline ?? ''),
    compression: parseCompression('squashfs', flags.compression ?? 'xz'),
    overlays: (flags.overlayRootfs ?? []).map((path) => overlayDirectory(path, '--overlay-rootfs')),
  };
  const config = await cloudConfig(flags.cloudConfig, context);
  const settings = await machineSettings(context, flags);
  const image = await openNamedImage(text, flags, context, { settings });
  const request: NetbootRequest = {
    ...wishes,
    source: image.source,
    cloudConfig: config?.request,
    systemBytes: await treeBytes(image, signal),
  };
  const plan = planNetboot(request, place);
  if (flags.dryRun) {
    reporter.result({ outcome: 'planned', plan }, planLines(plan));
    return 0;
  }
  requireTools([rootFileTool('squashfs')]);
  const state: NetbootState = { image, request, configText: config?.text };
  const { warnings, durationMs } = await apply(plan, netbootPerformers, { state, events: reporter.events, signal });
  const { options, files = [], memoryMiB } = state;
  if (options === undefined) throw new TypeError('nothing was built');
  const cmdline = netbootArguments(options, options.base ?? 'http://SERVER/PATH/').join(' ');
  reporter.result(
    {
      outcome: 'ok',
      warnings,
      durationMs,
      directory: place.directory,
      image: { source: image.source, digest: image.digest },
      root: options.way,
      memoryMiB,
      rootDigest: options.rootDigest,
      cmdline,
      files,
    },
    [
      `Built a network boot of ${image.source} in ${place.directory} (${(durationMs / 1000).toFixed(1)} s).`,
      ...files.map(({ name, sizeBytes }) => `  ${name.padEnd(18)} ${formatBytes(sizeBytes)}`),
      `${options.way === 'http' ? 'The initramfs fetches the root' : 'The boot loader brings the root'}; a machine needs ${memoryMiB} MiB of memory.`,
      ...serveLines(options),
      `Other boot loaders give the kernel: ${cmdline}`,
      ...warningLines('Build', warnings).slice(1),
    ],
  );
  return 0;
}

function serveLines(options: NetbootOptions): string[] {
  if (options.base !== undefined) return [`Machines chain to ${options.base}${NETBOOT_FILES.script}.`];
  const newer = 'The script asks iPXE for its own address, which that of Debian 12 (2019) doesn’t know yet: see --url.';
  return [
    `Serve the directory; machines chain to its ${NETBOOT_FILES.script}.`,
    ...(needsAddress(options) ? [newer] : []),
  ];
}

function rootWay(text: string | undefined): RootWay | undefined {
  if (text === undefined || text === 'auto') return undefined;
  const way = ROOT_WAYS.find((each) => each === text);
  if (way !== undefined) return way;
  throw new HoldfastError('HF-USAGE', `--root is auto, http or initrd, not ${JSON.stringify(text)}`);
}

/** @throws HoldfastError HF-USAGE for words that would end the script's line. */
function extraArguments(text: string): string[] {
  const words = parseExtraArguments(text);
  const odd = words.find((word) => word === '&&' || word === '||' || word.startsWith('#'));
  if (odd === undefined) return words;
  throw new HoldfastError('HF-USAGE', `--extra-cmdline: iPXE reads ${odd} as its own`);
}

/** A file is served beside the script; an address is left to the machines, which may get different files there. */
async function cloudConfig(
  named: string | undefined,
  context: CommandContext,
): Promise<{ request: NetbootRequest['cloudConfig']; text: string | undefined } | undefined> {
  if (named === undefined) return undefined;
  if (isUrl(named)) return { request: { address: parseConfigAddress(named) }, text: undefined };
  const [file] = await readStageFiles([named], context);
  return { request: 'beside', text: file?.text };
}
