// What the mount layout shall look like: the files of variables, Elemental's configuration and the kernel command line
// read together. The rules are those that cOS documents; where its script did something else (it lost command line mounts
// when merging, and took DEBUG_RW where its docs say DEBUGRW) the documentation is followed and both spellings hold.

import type { LayoutArguments } from './command-line.ts';
import type { ElementalLayout } from './elemental-layout.ts';
import { parseEnvironmentFile } from './environment-file.ts';
import {
  DEFAULT_OVERLAY_SIZE,
  isDevice,
  type OverlayBase,
  parseOverlayBase,
  parsePaths,
  parseVolume,
  shown,
  type Volume,
} from './layout-words.ts';

export interface StatePath {
  path: string;
  mode: 'overlay' | 'bind';
}

export interface LayoutSettings {
  debugRw: boolean;
  volumes: readonly Volume[];
  overlayBase: OverlayBase;
  /** Writable until the next boot. */
  rwPaths: readonly string[];
  /** Whether somebody asked for them; defaults that an image has no directory for are nobody's wish. */
  rwPathsAsked: boolean;
  /** Kept over reboots. */
  statePaths: readonly StatePath[];
  stateTarget: string;
  writeFstab: boolean;
  relabel: boolean;
  /** What was written and not understood, one sentence each. */
  problems: readonly string[];
}

/** Texts and configuration as found; later files win over earlier ones, variable by variable. */
export interface LayoutSources {
  environments: readonly { name: string; text: string }[];
  elemental?: ElementalLayout;
  /** The recovery system is booted: Elemental's persistent section doesn't count there. */
  recovery?: boolean;
  /** What couldn't be read, one sentence each. */
  problems?: readonly string[];
}

/** cOS's defaults. */
export const DEFAULT_RW_PATHS = ['/etc', '/root', '/home', '/opt', '/srv', '/usr/local', '/var'];
const DEFAULT_STATE_TARGET = '/usr/local/.state';

/** More than any machine has; a file that asks for more is broken, and each mount costs the boot time. */
const MOST_VOLUMES = 64;
const MOST_PATHS = 256;

const VARIABLES = [
  'VOLUMES',
  'MERGE',
  'OVERLAY',
  'RW_PATHS',
  'PERSISTENT_STATE_PATHS',
  'PERSISTENT_STATE_TARGET',
  'PERSISTENT_STATE_BIND',
  'DEBUG_RW',
  'DEBUGRW',
  'CUSTOM_BIND_MOUNTS',
];

/** Reads everything that was said about the layout; never throws, whatever the texts hold. */
export function readLayoutSettings(sources: LayoutSources, argument: LayoutArguments): LayoutSettings {
  const problems = [...(sources.problems ?? []), ...(sources.elemental?.problems ?? [])];
  const env = new Map<string, string>();
  for (const { name, text } of sources.environments) {
    for (const [key, value] of parseEnvironmentFile(text)) {
      if (VARIABLES.includes(key)) env.set(key, value);
      else problems.push(`${name}: ${shown(key)} is no variable of the layout`);
    }
  }
  const recovery = (sources.recovery ?? false) || argument.recovery;
  const elemental = withoutPersistent(sources.elemental, recovery || sources.elemental?.mode === 'recovery');
  const paths = (what: string, text: string | undefined) => parsePaths(what, limited(what, text, problems), problems);
  const state = (mode: StatePath['mode'], list: readonly string[]) => list.map((path) => ({ path, mode }));

  const rwPaths = env.get('RW_PATHS');
  const askedRwPaths = rwPaths === undefined ? elemental?.ephemeralPaths : paths('RW_PATHS', rwPaths);
  const target = env.get('PERSISTENT_STATE_TARGET') || elemental?.stateTarget;
  const statePaths = env.get('PERSISTENT_STATE_PATHS');
  return {
    debugRw: argument.debugRw || env.get('DEBUG_RW') === 'true' || env.get('DEBUGRW') === 'true',
    volumes: readVolumes(env, argument, elemental?.volumes ?? [], problems),
    overlayBase: readOverlay(env.get('OVERLAY') || argument.overlay || elemental?.overlay, problems),
    // Set but empty means none, unset means the default.
    rwPaths: [...new Set(askedRwPaths ?? DEFAULT_RW_PATHS)],
    rwPathsAsked: askedRwPaths !== undefined,
    statePaths: uniquePaths([
      ...state(
        readStateMode(env.get('PERSISTENT_STATE_BIND'), elemental?.stateMode, problems),
        statePaths === undefined ? (elemental?.statePaths ?? []) : paths('PERSISTENT_STATE_PATHS', statePaths),
      ),
      // immucore: these are bind mounts, whatever the others are.
      ...state('bind', paths('CUSTOM_BIND_MOUNTS', env.get('CUSTOM_BIND_MOUNTS'))),
    ]),
    stateTarget: paths('PERSISTENT_STATE_TARGET', target)[0] ?? DEFAULT_STATE_TARGET,
    writeFstab: elemental?.writeFstab ?? true,
    relabel: (elemental?.relabel ?? true) && !argument.selinuxOff,
    problems: problems.length > 50 ? [...problems.slice(0, 50), `${problems.length - 50} more like these`] : problems,
  };
}

/** Each place once: VOLUMES before the command line before Elemental's. */
function readVolumes(
  env: ReadonlyMap<string, string>,
  argument: LayoutArguments,
  fromElemental: readonly Volume[],
  problems: string[],
): Volume[] {
  const parse = (what: string, list: readonly string[]) =>
    list.flatMap((word) => {
      const volume = parseVolume(word);
      if (volume === undefined) problems.push(`${what}: ${shown(word)} is not DEVICE:/MOUNTPOINT`);
      return volume ?? [];
    });
  const volumes = new Map<string, Volume>();
  const fromEnv = parse('VOLUMES', limited('VOLUMES', env.get('VOLUMES'), problems));
  for (const volume of fromEnv) {
    const first = volumes.get(volume.mountPoint);
    if (first === undefined) volumes.set(volume.mountPoint, volume);
    else if (first.device !== volume.device) {
      problems.push(`VOLUMES: ${shown(volume.device)} is left out, ${first.device} has ${first.mountPoint}`);
    }
  }
  // Anything but "true" drops the mounts of the command line; unset means true.
  const merge = (env.get('MERGE') ?? 'true') === 'true';
  const fromArguments = merge ? argument.mounts.flatMap((mount) => parse('rd.cos.mount', words(mount))) : [];
  const oemLabel = `LABEL=${argument.elementalOemLabel ?? ''}`;
  const elementalOem: Volume[] = isDevice(oemLabel) ? [{ device: oemLabel, mountPoint: '/oem' }] : [];
  for (const volume of [...fromArguments, ...elementalOem, ...fromElemental]) {
    if (!volumes.has(volume.mountPoint)) volumes.set(volume.mountPoint, volume);
  }
  const all = [...volumes.values()];
  if (all.length > MOST_VOLUMES) problems.push(`only the first ${MOST_VOLUMES} of ${all.length} volumes are mounted`);
  return all.slice(0, MOST_VOLUMES);
}

function readOverlay(text: string | undefined, problems: string[]): OverlayBase {
  const base = text === undefined ? undefined : parseOverlayBase(text);
  if (base !== undefined) return base;
  const size = DEFAULT_OVERLAY_SIZE;
  if (text !== undefined)
    problems.push(`OVERLAY: ${shown(text)} is neither tmpfs:SIZE nor a device; tmpfs:${size} is used`);
  return { type: 'tmpfs', size };
}

function readStateMode(
  text: string | undefined,
  otherwise: StatePath['mode'] | undefined,
  problems: string[],
): StatePath['mode'] {
  if (text === undefined || text === '') return otherwise ?? 'overlay';
  if (text !== 'true' && text !== 'false') {
    problems.push(`PERSISTENT_STATE_BIND: ${shown(text)} is neither true nor false; overlays are used`);
  }
  return text === 'true' ? 'bind' : 'overlay';
}

function withoutPersistent(layout: ElementalLayout | undefined, recovery: boolean): ElementalLayout | undefined {
  if (layout === undefined || !recovery) return layout;
  const { statePaths: _paths, stateTarget: _target, stateVolume, ...rest } = layout;
  return { ...rest, volumes: layout.volumes.filter((volume) => volume !== stateVolume) };
}

function uniquePaths(paths: readonly StatePath[]): StatePath[] {
  return paths.filter(({ path }, index) => paths.findIndex((other) => other.path === path) === index);
}

function limited(what: string, text: string | undefined, problems: string[]): string[] {
  const all = words(text);
  if (all.length > MOST_PATHS) problems.push(`${what}: only the first ${MOST_PATHS} of ${all.length} words are read`);
  return all.slice(0, MOST_PATHS);
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}
