// The `mount` section of Elemental's config.yaml (elemental-toolkit v2, MountSpec), mapped onto this program's settings.
// Only what is written counts: Elemental's own defaults (PARTLABEL=persistent at /run/elemental/persistent, fewer writable
// paths) are those of machines that it installed, not of ours.

import { load } from 'js-yaml';
import { messageOf } from '../system/errors.ts';
import { isDevice, parsePaths, parsePlace, shown, type Volume } from './layout-words.ts';

export interface ElementalLayout {
  disabled: boolean;
  writeFstab: boolean;
  relabel: boolean;
  mode?: string;
  volumes: readonly Volume[];
  /** That of `volumes` which keeps the persistent paths. */
  stateVolume?: Volume;
  /** Spelled as OVERLAY. */
  overlay?: string;
  ephemeralPaths?: readonly string[];
  statePaths?: readonly string[];
  stateMode?: 'overlay' | 'bind';
  stateTarget?: string;
  problems: readonly string[];
}

type Section = Readonly<Record<string, unknown>>;

/**
 * Reads configuration files, a later one over the earlier ones: sections are merged key by key, lists are replaced.
 * @returns undefined when none of them has a `mount` section and nothing is wrong with them.
 */
export function readElementalLayout(files: readonly { name: string; text: string }[]): ElementalLayout | undefined {
  const problems: string[] = [];
  let mount: Section = {};
  for (const { name, text } of files) {
    try {
      // The type of what is in the file is checked below, key by key.
      const file: unknown = isEmpty(text) ? undefined : load(text, { maxAliases: 0 });
      if (isSection(file) && isSection(file['mount'])) mount = merged(mount, file['mount']);
      else if (isSection(file) && file['mount'] !== undefined && file['mount'] !== null) {
        problems.push(`${name}: mount is not a mapping`);
      }
    } catch (error) {
      problems.push(`${name}: ${shown(messageOf(error).split('\n')[0] ?? '')}`);
    }
  }
  if (Object.keys(mount).length === 0 && problems.length === 0) return undefined;
  return mapSection(new Reader('mount', mount, problems), problems);
}

function mapSection(mount: Reader, problems: string[]): ElementalLayout {
  mount.knows([
    'write-fstab',
    'disable',
    'sysroot',
    'mode',
    'selinux-relabel',
    'extra-volumes',
    'volumes',
    'ephemeral',
  ]);
  mount.knows(['persistent']);
  mount.complain();
  const ephemeral = mount.section('ephemeral', ['type', 'device', 'size', 'paths']);
  const persistent = mount.section('persistent', ['mode', 'paths', 'volume']);
  const stateVolume = persistent.has('volume') ? readVolume(persistent.section('volume', VOLUME_KEYS)) : undefined;
  const others = [...mount.sections('extra-volumes', VOLUME_KEYS), ...mount.sections('volumes', VOLUME_KEYS)];
  const mode = mount.text('mode');
  const stateMode = persistent.text('mode');
  if (stateMode !== undefined && stateMode !== 'overlay' && stateMode !== 'bind') {
    problems.push(`mount.persistent.mode: ${shown(stateMode)} is neither overlay nor bind`);
  }
  const ephemeralPaths = ephemeral.texts('paths');
  const statePaths = persistent.texts('paths');
  const overlay = readOverlay(ephemeral);
  return {
    disabled: mount.flag('disable') ?? false,
    writeFstab: mount.flag('write-fstab') ?? true,
    relabel: mount.flag('selinux-relabel') ?? true,
    ...(mode !== undefined && { mode }),
    volumes: [stateVolume, ...others.map(readVolume)].filter((volume) => volume !== undefined),
    ...(stateVolume && { stateVolume, stateTarget: `${stateVolume.mountPoint}/.state` }),
    ...(overlay !== undefined && { overlay }),
    ...(ephemeralPaths && { ephemeralPaths: parsePaths('mount.ephemeral.paths', ephemeralPaths, problems) }),
    ...(statePaths && { statePaths: parsePaths('mount.persistent.paths', statePaths, problems) }),
    ...((stateMode === 'overlay' || stateMode === 'bind') && { stateMode }),
    problems,
  };
}

const VOLUME_KEYS = ['mountpoint', 'device', 'options', 'fs'];

function readVolume(volume: Reader): Volume | undefined {
  const device = volume.text('device') ?? '';
  const mountPoint = parsePlace(volume.text('mountpoint') ?? '');
  if (!isDevice(device) || mountPoint === undefined) {
    volume.problem('a volume needs a device (LABEL=, UUID=, PARTLABEL= or below /dev) and an absolute mountpoint');
    return undefined;
  }
  const type = volume.text('fs');
  const options = volume.texts('options')?.flatMap((option) => option.split(','));
  const usable = options?.filter((option) => /^[\w.=:%+@/-]+$/.test(option));
  if (usable?.length !== options?.length) volume.problem('options with other characters than words have are left out');
  return {
    device,
    mountPoint,
    ...(type !== undefined && /^[\w.]+$/.test(type) && { type }),
    ...(usable !== undefined && usable.length > 0 && { options: usable }),
  };
}

function readOverlay(ephemeral: Reader): string | undefined {
  const type = ephemeral.text('type');
  const size = ephemeral.text('size');
  if (type === 'block') return ephemeral.text('device');
  if (type !== undefined && type !== 'tmpfs') ephemeral.problem(`type ${shown(type)} is neither tmpfs nor block`);
  return size === undefined ? undefined : `tmpfs:${size}`;
}

/** One mapping of the file: reads values of the right type, and says what has another one or isn't known. */
class Reader {
  readonly #name: string;
  readonly #values: Section;
  readonly #problems: string[];
  readonly #known: string[] = [];

  constructor(name: string, values: Section, problems: string[]) {
    this.#name = name;
    this.#values = values;
    this.#problems = problems;
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined && this.#values[key] !== null;
  }

  knows(keys: readonly string[]): void {
    this.#known.push(...keys);
  }

  complain(): void {
    for (const key of Object.keys(this.#values)) {
      if (!this.#known.includes(key)) this.problem(`${shown(key)} is no key of this section`);
    }
  }

  problem(text: string): void {
    this.#problems.push(`${this.#name}: ${text}`);
  }

  text(key: string): string | undefined {
    const value = this.#values[key];
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    this.problem(`${key} is not a text`);
    return undefined;
  }

  flag(key: string): boolean | undefined {
    const value = this.#values[key];
    if (typeof value === 'boolean' || value === undefined || value === null) return value ?? undefined;
    this.problem(`${key} is neither true nor false`);
    return undefined;
  }

  texts(key: string): string[] | undefined {
    const value = this.#values[key];
    if (value === undefined || value === null) return undefined;
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
      return value.filter((item) => item !== '').slice(0, 256);
    }
    this.problem(`${key} is not a list of texts`);
    return undefined;
  }

  section(key: string, keys: readonly string[]): Reader {
    const value = this.#values[key];
    if (value !== undefined && value !== null && !isSection(value)) this.problem(`${key} is not a mapping`);
    return this.#reader(key, isSection(value) ? value : {}, keys);
  }

  sections(key: string, keys: readonly string[]): Reader[] {
    const value = this.#values[key];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value) || !value.every(isSection)) {
      this.problem(`${key} is not a list of mappings`);
      return [];
    }
    return value.slice(0, 256).map((item, index) => this.#reader(`${key}[${index}]`, item, keys));
  }

  #reader(key: string, values: Section, keys: readonly string[]): Reader {
    const reader = new Reader(`${this.#name}.${key}`, values, this.#problems);
    reader.knows(keys);
    reader.complain();
    return reader;
  }
}

/** Nothing but comments and document markers, which this parser takes for an error. */
function isEmpty(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(?:#.*|---|\.\.\.)?\s*$/.test(line));
}

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function merged(low: Section, high: Section): Section {
  const result: Record<string, unknown> = { ...low };
  for (const [key, value] of Object.entries(high)) {
    const below = result[key];
    result[key] = isSection(below) && isSection(value) ? merged(below, value) : value;
  }
  return result;
}
