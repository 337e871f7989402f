// Carries out the plan of the mount layout in the initramfs. A boot that comes up with a notice is worth more than one
// that stops: only a missing base is an error, everything else falls back to an ephemeral overlay.

import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { bindMount, listMounts, mount, mountAt } from '../system/mounts.ts';
import { type ApplyContext, apply, type Performers } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { Root } from '../system/root.ts';
import { readLayoutArguments } from './command-line.ts';
import { type FstabEntry, renderFstab } from './fstab.ts';
import { flatName, type LayoutAction, type LayoutFound, type LayoutPlan, planLayout } from './layout.ts';
import { type LayoutSettings, readLayoutSettings } from './layout-settings.ts';
import { findDevices } from './volumes.ts';

export interface MountLayoutOptions {
  /** Where the image is mounted, normally /sysroot. */
  sysroot: string;
  /** Plan only. */
  dryRun?: boolean;
  events: EventSink;
  signal?: AbortSignal;
  /** Default: the text of /proc/cmdline. */
  commandLine?: string;
  /** The text of the layout's variables; default: /run/cos/cos-layout.env, if it is there. */
  layoutEnv?: string;
  /** How long to wait for volumes that aren't there yet; default 10 s. */
  deviceTimeoutMs?: number;
  /** Where the base of ephemeral changes is mounted; default /run/overlay. */
  overlayDirectory?: string;
}

export type MountLayoutResult =
  | { outcome: 'skipped'; reason: string }
  | { outcome: 'ok'; plan: LayoutPlan; warnings: readonly string[] };

/**
 * Mounts everything that a new root needs before the system switches to it.
 * @throws HoldfastError HF-MOUNT when the base for ephemeral changes can't be mounted or `sysroot` isn't a mount point.
 */
export async function mountLayout(options: MountLayoutOptions): Promise<MountLayoutResult> {
  const argument = readLayoutArguments(options.commandLine ?? readFileSync('/proc/cmdline', 'utf8'));
  if (argument.disabled) return { outcome: 'skipped', reason: 'rd.cos.disable is on the kernel command line' };
  const layoutEnv = options.layoutEnv ?? new Root('/').readTextIfThere('/run/cos/cos-layout.env');
  const settings = readLayoutSettings(layoutEnv, argument);
  const sysroot = new Root(options.sysroot);
  const plan = planLayout(settings, await inspect(sysroot, settings, options));
  const { events } = options;
  for (const text of plan.notices) events({ type: 'notice', level: 'warning', text });
  if (options.dryRun) return { outcome: 'ok', plan, warnings: plan.notices };
  const result = await apply(plan, performers, {
    state: { sysroot, overlayDirectory: options.overlayDirectory ?? OVERLAY_DIRECTORY, mounted: [] },
    events,
    ...(options.signal && { signal: options.signal }),
  });
  return { outcome: 'ok', plan, warnings: [...plan.notices, ...result.warnings] };
}

const OVERLAY_DIRECTORY = '/run/overlay';
/** The partition that holds the booted image is mounted here; its disk is searched first. */
const STATE_DIRECTORY = '/run/initramfs/cos-state';

async function inspect(sysroot: Root, settings: LayoutSettings, options: MountLayoutOptions): Promise<LayoutFound> {
  const mounts = listMounts();
  const root = mountAt(sysroot.directory, mounts);
  if (root === undefined) {
    throw new HoldfastError('HF-MOUNT', `${sysroot.directory} is not a mount point: no root is mounted there`, {
      hint: 'this is for the initramfs; name where the root is mounted with --sysroot',
    });
  }
  const names = settings.volumes.map(({ device }) => device);
  if (settings.overlayBase.type === 'device') names.push(settings.overlayBase.device);
  const paths = [...settings.rwPaths, ...settings.statePaths, ...settings.volumes.map((v) => v.mountPoint), '/tmp'];
  return {
    rootSource: root.source,
    rootType: root.type,
    devices: await findDevices(names, {
      bootDevice: mountAt(STATE_DIRECTORY, mounts)?.source,
      timeoutMs: options.deviceTimeoutMs ?? 10_000,
    }),
    directories: new Set(paths.filter((path) => sysroot.stat(path)?.isDirectory())),
    mounted: new Set(paths.filter((path) => mountAt(place(sysroot, path), mounts) !== undefined)),
    overlayDirectory: options.overlayDirectory ?? OVERLAY_DIRECTORY,
  };
}

interface LayoutState {
  sysroot: Root;
  overlayDirectory: string;
  /** What was really mounted, for fstab. */
  mounted: FstabEntry[];
}

const performers: Performers<LayoutAction, LayoutState> = {
  'mount-base': async ({ entry }, _context, state) => {
    await mount(entry.source, entry.mountPoint, { type: entry.type, options: entry.options });
    state.mounted.push(entry);
  },
  'mount-volume': async ({ entry, device }, context, state) => {
    try {
      await mount(device, place(state.sysroot, entry.mountPoint), { type: entry.type, options: entry.options });
      state.mounted.push(entry);
    } catch (error) {
      context.warn(messageOf(error));
      await mountEphemeral(entry.mountPoint, context, state);
    }
  },
  'mount-overlay': async ({ path, base, requires }, context, state) => {
    try {
      await mountOverlay(path, base, requires, state);
    } catch (error) {
      context.warn(messageOf(error));
      if (base !== state.overlayDirectory) await mountEphemeral(path, context, state);
    }
  },
  'bind-state': async ({ path, directory }, context, state) => {
    try {
      const target = place(state.sysroot, path);
      const kept = place(state.sysroot, directory);
      mkdirSync(target, { recursive: true });
      const isNew = makeLike(kept, target);
      // What the owner changed is newer than what the image brings and stays.
      await runChecked(['cp', '--archive', ...(isNew ? [] : ['--update']), '--no-target-directory', target, kept]);
      await bindMount(kept, target);
      state.mounted.push({ source: directory, mountPoint: path, type: 'none', options: ['defaults', 'bind'] });
    } catch (error) {
      context.warn(messageOf(error));
      await mountEphemeral(path, context, state);
    }
  },
  'mount-tmp': async ({ entry }, context, state) => {
    try {
      await mount(entry.source, place(state.sysroot, entry.mountPoint), entry);
      state.mounted.push(entry);
    } catch (error) {
      context.warn(messageOf(error));
    }
  },
  'write-fstab': ({ root }, { warn }, { sysroot, mounted }) => {
    try {
      // Not durable on purpose: /etc is an overlay in memory, and a sync of it would flush every disk.
      writeFileSync(sysroot.resolve('/etc/fstab'), renderFstab([...(root ? [root] : []), ...mounted]));
    } catch (error) {
      // Somebody left /etc out of RW_PATHS; the mounts are there all the same.
      warn(`/etc/fstab was not written: ${messageOf(error)}`);
    }
  },
};

/** Where a path of the new root is now; what lies below /run is there already, since /run moves into the new root. */
function place(sysroot: Root, path: string): string {
  return path.startsWith('/run/') ? path : sysroot.resolve(path);
}

async function mountEphemeral(path: string, context: ApplyContext, state: LayoutState): Promise<void> {
  // Live media have no base, and are writable without one.
  if (!state.mounted.some(({ mountPoint }) => mountPoint === state.overlayDirectory)) return;
  try {
    await mountOverlay(path, state.overlayDirectory, state.overlayDirectory, state);
    context.warn(`changes below ${path} last until the next boot`);
  } catch (error) {
    context.warn(messageOf(error));
  }
}

async function mountOverlay(path: string, base: string, requires: string, state: LayoutState): Promise<void> {
  const lower = place(state.sysroot, path);
  mkdirSync(lower, { recursive: true });
  const directories = (under: string) => ({
    upperdir: `${under}/${flatName(path)}.overlay/upper`,
    workdir: `${under}/${flatName(path)}.overlay/work`,
  });
  const here = directories(base === state.overlayDirectory ? base : place(state.sysroot, base));
  makeLike(here.upperdir, lower);
  mkdirSync(here.workdir, { recursive: true });
  const options = (lowerdir: string, { upperdir, workdir }: typeof here) => [
    'defaults',
    `lowerdir=${lowerdir}`,
    `upperdir=${upperdir}`,
    `workdir=${workdir}`,
  ];
  await mount('overlay', lower, { type: 'overlay', options: options(lower, here) });
  state.mounted.push({
    source: 'overlay',
    mountPoint: path,
    type: 'overlay',
    options: [...options(path, directories(base)), `x-systemd.requires-mounts-for=${requires}`],
  });
}

/** Makes a directory with the owner and mode of another, since an overlay shows those of its upper directory. */
function makeLike(directory: string, model: string): boolean {
  if (mkdirSync(directory, { recursive: true }) === undefined) return false;
  const { uid, gid, mode } = statSync(model);
  chownSync(directory, uid, gid);
  chmodSync(directory, mode & 0o7777);
  return true;
}
