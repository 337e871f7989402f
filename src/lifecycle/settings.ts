// What was chosen for this machine, from everywhere it can be written. Later wins: the built-in values, /etc/os-release,
// /etc/cos/config, /etc/cos-upgrade-image, Elemental's config.yaml and config.d, the environment, the command line. Every
// value knows where it came from, so that a command can say so.

import type { Problem } from '../cloudconfig/problem.ts';
import type { Root } from '../system/root.ts';
import {
  type Layer,
  listConfigFiles,
  type Origin,
  readEnvironment,
  readSettingsText,
  readVariables,
  type Written,
} from './settings-files.ts';
import type { Reading, SettingKey, SettingValues } from './settings-keys.ts';
import { environmentVariables, fileVariables, yamlNames } from './settings-names.ts';

export type { Origin } from './settings-files.ts';
export type { NamedSystem, SettingKey, SettingValues } from './settings-keys.ts';

/** Where Elemental's files are unless `--config-dir` says otherwise. */
export const CONFIG_DIRECTORY = '/etc/elemental';

/** One setting and where it came from. */
export interface Setting<T> {
  value: T;
  origin: Origin;
}

/** A setting of the command line: it counts more than all others. `flag` is how it is written there. */
export type FlagSetting = Reading & { flag: string };

export interface SettingsRequest {
  /** Whose files are read. */
  root: Root;
  /** Default {@link CONFIG_DIRECTORY}. */
  configDirectory?: string | undefined;
  /** Default: none. */
  environment?: NodeJS.ProcessEnv;
  flags?: readonly FlagSetting[];
}

/** All settings of a machine. */
export class Settings {
  /** What is odd about the files; errors were thrown. */
  readonly problems: readonly Problem[];
  readonly #byKey = new Map<SettingKey, Setting<unknown>>();

  constructor(layers: readonly Layer[]) {
    this.problems = layers.flatMap(({ problems }) => problems);
    for (const { settings } of layers) {
      for (const { key, value, origin } of settings) this.#byKey.set(key, { value, origin });
    }
  }

  /** The value that counts with its origin; undefined when nobody chose one. */
  get<K extends SettingKey>(key: K): Setting<SettingValues[K]> | undefined {
    // What is kept under a key came from a Reading of that key.
    return this.#byKey.get(key) as Setting<SettingValues[K]> | undefined;
  }

  /** The value that counts; undefined when nobody chose one. */
  value<K extends SettingKey>(key: K): SettingValues[K] | undefined {
    return this.get(key)?.value;
  }
}

const COS_FILES = ['/etc/cos/config', '/etc/cos-upgrade-image'];

/**
 * Reads all settings. A file that isn't there is no error.
 * @throws HoldfastError HF-CONFIG, with the place, for a file that is broken and a value of the wrong type.
 */
export async function loadSettings(request: SettingsRequest): Promise<Settings> {
  const { root, configDirectory = CONFIG_DIRECTORY, environment = {}, flags = [] } = request;
  const layers: Layer[] = [];
  const osRelease = readSettingsText(root, '/etc/os-release');
  if (osRelease !== undefined) {
    layers.push(readVariables('/etc/os-release', osRelease, fileVariables('os-release'), { strangers: false }));
  }
  for (const file of COS_FILES) {
    const text = readSettingsText(root, file);
    if (text !== undefined) layers.push(readVariables(file, text, fileVariables('cos'), { strangers: true }));
  }
  layers.push(...(await readConfigFiles(root, configDirectory)));
  layers.push(readEnvironment(environment, environmentVariables()));
  layers.push({
    settings: flags.map(({ flag, ...reading }): Written => ({ ...reading, origin: { text: flag } })),
    problems: [],
  });
  return new Settings(layers);
}

async function readConfigFiles(root: Root, directory: string): Promise<Layer[]> {
  const files = listConfigFiles(root, directory);
  if (files.length === 0) return [];
  const { readYamlSettings } = await import('./settings-yaml.ts');
  return files.flatMap((file) => {
    const text = readSettingsText(root, file);
    return text === undefined ? [] : [readYamlSettings(file, text, yamlNames())];
  });
}
