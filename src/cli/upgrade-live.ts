// An upgrade on a live system: what is upgraded is the active image of the system that is installed on a disk of this
// machine. Where no image is named or configured, the medium's own system is what it becomes.

import { cpSync, existsSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { liveSystem } from '../lifecycle/medium.ts';
import type { Settings } from '../lifecycle/settings.ts';
import { configuredImage } from '../lifecycle/settings-image.ts';
import { inspectBooted } from '../slots/booted.ts';
import { locatePartitions, requirePartition } from '../slots/locate.ts';
import type { Labels } from '../slots/names.ts';
import { HoldfastError } from '../system/errors.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import { mountUntilEnd } from '../system/mounts.ts';
import { type ImageFlags, namedImage, openNamedImage } from './image-option.ts';
import type { CommandContext } from './program.ts';

/** What there is to know of a live system before an upgrade. */
export interface LiveUpgrade {
  /** The system that the medium runs, in the words of `--system`. */
  system: string;
  /** Where the installed system remembers whom it trusts. */
  trustState: string | undefined;
}

/**
 * Says what will be upgraded, where this is a live system; undefined where it isn't one. COS_OEM of the installed system
 * is mounted until the command ends.
 * @throws HoldfastError HF-STATE when no system is installed, or when several disks hold one.
 */
export async function onLiveSystem(
  context: CommandContext,
  labels: Labels,
  { dryRun = false }: { dryRun?: boolean | undefined },
): Promise<LiveUpgrade | undefined> {
  const system = liveSystem();
  // cOS boots a recovery.squashfs the same way.
  if (system === undefined || (await inspectBooted()).slot !== undefined) return undefined;
  const partitions = await locatePartitions(labels);
  const { device } = requirePartition(partitions, 'state', labels);
  const text = `this is a live system: what is upgraded is the system that is installed on ${device}`;
  context.reporter.events({ type: 'notice', level: 'info', text });
  return { system, trustState: await trustOf(context, partitions.oem, dryRun) };
}

async function trustOf(
  { undo, reporter }: CommandContext,
  oem: { device: string; mountPoint: string | undefined; blank?: boolean } | undefined,
  dryRun: boolean,
): Promise<string | undefined> {
  if (oem === undefined || oem.blank) return undefined;
  if (oem.mountPoint !== undefined) return join(oem.mountPoint, 'holdfast/trust');
  const at = `/run/holdfast/installed-oem-${process.pid}`;
  try {
    undo.always(`remove ${at}`, () => rmdirSync(at));
    if (!dryRun) {
      await mountUntilEnd(undo, oem.device, at);
      return join(at, 'holdfast/trust');
    }
    // A disk that is only to be looked at stays as it is: what is learnt goes into a copy in memory.
    const type = (await probeFilesystem(oem.device)).type ?? '';
    const options = ['ro', ...(type.startsWith('ext') ? ['noload'] : type === 'xfs' ? ['norecovery'] : [])];
    const unmount = await mountUntilEnd(undo, oem.device, at, { options });
    const copy = `${at}.trust`;
    undo.always(`remove ${copy}`, () => rmSync(copy, { recursive: true, force: true }));
    const kept = join(at, 'holdfast/trust');
    if (existsSync(kept)) cpSync(kept, copy, { recursive: true });
    await unmount();
    return copy;
  } catch (error) {
    // Without COS_OEM the upgrade itself says what it can't do.
    if (!(error instanceof HoldfastError)) throw error;
    reporter.events({ type: 'notice', level: 'warning', text: `${error.message}: what it trusts is not known` });
    return undefined;
  }
}

/** The image that is named or configured, else the medium's own system. */
export function liveImage(
  live: LiveUpgrade,
  argument: string | undefined,
  flags: ImageFlags,
  context: CommandContext,
  settings: Settings,
): Promise<Image> {
  const otherwise = { text: live.system, why: 'the system of the medium that this machine runs from' };
  if (namedImage(argument, flags) !== undefined || isUsable(context, settings)) {
    return openNamedImage(argument, flags, context, { settings, setting: 'upgrade.system', otherwise });
  }
  return openNamedImage(argument, flags, context, { otherwise });
}

/** cOS's own defaults name a package of a channel, which nothing can be upgraded to; the medium has a system that can. */
function isUsable({ reporter }: CommandContext, settings: Settings): boolean {
  try {
    configuredImage(settings, 'upgrade.system');
    return true;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'HF-UNSUPPORTED') throw error;
    reporter.events({ type: 'notice', level: 'warning', text: `${error.message}; the medium’s own system is taken` });
    return false;
  }
}
