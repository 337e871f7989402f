// What the mount layout shall look like: /run/cos/cos-layout.env and the kernel command line read together. The rules are
// those that cOS documents; where its script did something else (it lost command line mounts when merging, and took
// DEBUG_RW where its docs say DEBUGRW) the documentation is followed and both spellings are accepted.

import type { LayoutArguments } from './command-line.ts';
import { parseEnvironmentFile } from './environment-file.ts';

/** A file system that is mounted as it is. */
export interface Volume {
  /** `LABEL=…`, `UUID=…`, `PARTLABEL=…`, `PARTUUID=…` or a path below /dev. */
  device: string;
  /** Where in the new root, absolute and normalised. */
  mountPoint: string;
}

/** Where ephemeral changes go. */
export type OverlayBase = { type: 'tmpfs'; size: string } | { type: 'device'; device: string };

export interface LayoutSettings {
  debugRw: boolean;
  volumes: readonly Volume[];
  overlayBase: OverlayBase;
  /** Writable until the next boot. */
  rwPaths: readonly string[];
  /** Kept over reboots. */
  statePaths: readonly string[];
  stateTarget: string;
  stateMode: 'overlay' | 'bind';
  /** What was written and not understood, one sentence each. */
  problems: readonly string[];
}

/** cOS's defaults. */
export const DEFAULT_RW_PATHS = ['/etc', '/root', '/home', '/opt', '/srv', '/usr/local', '/var'];
const DEFAULT_OVERLAY = 'tmpfs:20%';
const DEFAULT_STATE_TARGET = '/usr/local/.state';

/**
 * @param layoutEnv the text of cos-layout.env; undefined when there is none, which is no error.
 */
export function readLayoutSettings(layoutEnv: string | undefined, argument: LayoutArguments): LayoutSettings {
  const env = parseEnvironmentFile(layoutEnv ?? '');
  const problems: string[] = [];
  const take = (what: string, text: string | undefined) =>
    words(text).flatMap((word) => {
      const volume = parseVolume(word);
      if (volume === undefined) problems.push(`${what}: ${word} is not DEVICE:/MOUNTPOINT`);
      return volume ?? [];
    });
  const paths = (what: string, text: string | undefined) =>
    words(text).flatMap((word) => {
      const path = normalise(word);
      // The last three separate or protect the options of an overlay mount.
      const usable = path !== undefined && !/[:,\\]/.test(path);
      if (!usable) problems.push(`${what}: ${word} is not an absolute path below / without any of : , \\`);
      return usable ? path : [];
    });

  const fromEnv = take('VOLUMES', env.get('VOLUMES'));
  // Anything but "true" drops the mounts of the command line; unset means true.
  const merge = (env.get('MERGE') ?? 'true') === 'true';
  const fromArguments = merge ? argument.mounts.flatMap((mount) => take('rd.cos.mount', mount)) : [];
  const volumes = new Map<string, Volume>();
  for (const volume of [...fromEnv, ...fromArguments]) {
    if (!volumes.has(volume.mountPoint)) volumes.set(volume.mountPoint, volume);
  }

  const rwPaths = env.get('RW_PATHS');
  return {
    debugRw: argument.debugRw || env.get('DEBUG_RW') === 'true' || env.get('DEBUGRW') === 'true',
    volumes: [...volumes.values()],
    overlayBase: readOverlay(env.get('OVERLAY') || argument.overlay || DEFAULT_OVERLAY, problems),
    // Set but empty means none, unset means the default.
    rwPaths: unique(rwPaths === undefined ? DEFAULT_RW_PATHS : paths('RW_PATHS', rwPaths)),
    statePaths: unique(paths('PERSISTENT_STATE_PATHS', env.get('PERSISTENT_STATE_PATHS'))),
    stateTarget: paths('PERSISTENT_STATE_TARGET', env.get('PERSISTENT_STATE_TARGET'))[0] ?? DEFAULT_STATE_TARGET,
    stateMode: env.get('PERSISTENT_STATE_BIND') === 'true' ? 'bind' : 'overlay',
    problems,
  };
}

/** Parses `LABEL=X:/path` and its kin; what follows the first colon is the mount point. */
export function parseVolume(text: string): Volume | undefined {
  const at = text.indexOf(':');
  const device = text.slice(0, Math.max(at, 0));
  const mountPoint = normalise(text.slice(at + 1));
  if (at < 0 || mountPoint === undefined || !isDevice(device)) return undefined;
  return { device, mountPoint };
}

function readOverlay(text: string, problems: string[]): OverlayBase {
  if (isDevice(text)) return { type: 'device', device: text };
  const size = /^tmpfs(?::(\d+[%kKmMgG]?))?$/.exec(text);
  if (size !== null) return { type: 'tmpfs', size: size[1] ?? '20%' };
  problems.push(`OVERLAY: ${text} is neither tmpfs:SIZE nor a device; ${DEFAULT_OVERLAY} is used`);
  return { type: 'tmpfs', size: '20%' };
}

function isDevice(text: string): boolean {
  return /^(?:(?:LABEL|UUID|PARTLABEL|PARTUUID)=.+|\/dev\/.+)$/.test(text);
}

/** Without double or trailing slashes; undefined for `/`, relative paths and paths that climb. */
function normalise(path: string): string | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  if (!path.startsWith('/') || parts.length === 0 || parts.some((part) => part === '.' || part === '..')) {
    return undefined;
  }
  return `/${parts.join('/')}`;
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

function unique(paths: readonly string[]): string[] {
  return [...new Set(paths)];
}
