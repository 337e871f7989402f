// Reads settings where they are written: files of variables, Elemental's YAML files, the environment. Each place gives its
// settings in order with where each was written; which one counts is decided by whoever puts the places together.

import { readdirSync } from 'node:fs';
import { type Assignment, parseAssignments } from '../boot/environment-file.ts';
import type { Problem } from '../cloudconfig/problem.ts';
import { nearestWord } from '../cloudconfig/suggestion.ts';
import { readTextWithin } from '../system/boundedtext.ts';
import { errnoOf, HoldfastError, type HoldfastErrorOptions, messageOf, type SourceLocation } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import type { Reading } from './settings-keys.ts';
import type { SettingName } from './settings-names.ts';
import { type Raw, WrongValue } from './settings-values.ts';

/** Where a setting was written: a place in a file, or in words. */
export type Origin = { text: string; location?: SourceLocation };

/** A setting as one place has it. */
export type Written = Reading & { origin: Origin };

/** What a place has, and what is odd about it. */
export interface Layer {
  settings: readonly Written[];
  problems: readonly Problem[];
}

const LARGEST_BYTES = 1 << 20;
const MOST_FILES = 256;
const DEEPEST = 16;

/** elemental-toolkit's number for settings that can't be read. */
const EXIT_STATUS = 31;

/** The error for settings that can't be used. */
export function settingsError(message: string, options: HoldfastErrorOptions = {}): HoldfastError {
  return new HoldfastError('HF-CONFIG', message, { exitStatus: EXIT_STATUS, ...options });
}

/** A file's text; undefined when it isn't there. @throws HoldfastError HF-CONFIG when it can't be used. */
export function readSettingsText(root: Root, path: string): string | undefined {
  try {
    return readTextWithin(root.resolve(path), LARGEST_BYTES);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw settingsError(`the settings in ${path} can't be read: ${messageOf(error)}`, {
      hint: `mend or remove ${path}`,
    });
  }
}

/**
 * Elemental's files in the order in which they count: CONFIGDIR/config.yaml, then every `.yaml` below CONFIGDIR/config.d,
 * depth first, names by byte value (Go's filepath.Walk).
 */
export function listConfigFiles(root: Root, configDirectory: string): string[] {
  const files: string[] = [];
  const walk = (directory: string, depth: number): void => {
    if (depth > DEEPEST) throw settingsError(`${directory} is nested too deeply for settings`);
    for (const { name, isDirectory } of entriesOf(root, directory)) {
      const path = `${directory}/${name}`;
      if (isDirectory) walk(path, depth + 1);
      else if (name.endsWith('.yaml')) files.push(path);
      if (files.length > MOST_FILES) {
        throw settingsError(`${directory} has more than ${MOST_FILES} files with settings`);
      }
    }
  };
  const main = `${configDirectory}/config.yaml`;
  if (root.stat(main) !== undefined) files.push(main);
  walk(`${configDirectory}/config.d`, 0);
  return files;
}

function entriesOf(root: Root, directory: string): { name: string; isDirectory: boolean }[] {
  try {
    return readdirSync(root.resolve(directory), { withFileTypes: true })
      .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
      .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return [];
    throw settingsError(`${directory} can't be read: ${messageOf(error)}`);
  }
}

/**
 * The settings of a file of variables.
 * @param options.strangers false: names that are no settings are passed over without a word.
 * @throws HoldfastError HF-CONFIG with the line of a value that can't be used.
 */
export function readVariables(
  file: string,
  text: string,
  names: ReadonlyMap<string, SettingName>,
  options: { strangers: boolean },
): Layer {
  const lines = text.split('\n');
  const settings: Written[] = [];
  const problems: Problem[] = [];
  for (const { name, value, line } of parseAssignments(text)) {
    const location = locate(file, lines, { name, value, line });
    const found = names.get(name);
    if (found === undefined) {
      if (options.strangers) problems.push(unknown(name, location, [...names.keys()]));
      continue;
    }
    const origin = { text: `${file}:${line}`, location };
    settings.push(...read(name, found, { kind: 'text', text: value, place: location }, origin));
  }
  return { settings, problems };
}

function locate(file: string, lines: readonly string[], { name, line }: Assignment): SourceLocation {
  const lineText = lines[line - 1]?.replace(/\r$/, '') ?? '';
  return { file, line, column: Math.max(0, lineText.indexOf(`${name}=`)) + 1, lineText };
}

/** The settings of the environment. Variables that begin with ELEMENTAL_ and are no settings are told of. */
export function readEnvironment(environment: NodeJS.ProcessEnv, names: ReadonlyMap<string, SettingName>): Layer {
  const settings: Written[] = [];
  const problems: Problem[] = [];
  // In the order of the table: of two names for one setting the same one counts on every machine.
  for (const [variable, name] of names) {
    const value = environment[variable];
    if (value === undefined || value === '') continue;
    const what = `the variable ${variable} of the environment`;
    settings.push(...read(what, name, { kind: 'text', text: value, place: undefined }, { text: what }));
  }
  for (const variable of Object.keys(environment).sort()) {
    if (!variable.startsWith('ELEMENTAL_') || names.has(variable) || OTHER_VARIABLES.test(variable)) continue;
    const place = { file: 'the environment', line: 1, column: 1 };
    problems.push(unknown(variable, place, [...names.keys()]));
  }
  return { settings, problems };
}

/** Those of Elemental's other commands. */
const OTHER_VARIABLES = /^ELEMENTAL_(?:BUILD|INIT|MOUNT|SNAPSHOTTER|REPOSITORIES|DEBUG|LOGFILE|QUIET|CONFIG_DIR)/;

/**
 * What a name and its value set.
 * @param what the name as it was written.
 * @throws HoldfastError HF-CONFIG that points at the value which can't be used.
 */
export function read(what: string, name: SettingName, raw: Raw, origin: Origin): Written[] {
  if (typeof name === 'string') return [];
  // An empty value is none, as in every generation.
  if (raw.kind === 'text' && raw.text.trim() === '') return [];
  try {
    return name(raw).map((reading) => ({ ...reading, origin }));
  } catch (error) {
    if (!(error instanceof WrongValue)) throw error;
    const { place } = error.raw;
    throw settingsError(`${what} ${error.message}`, {
      ...(isLocation(place) && { location: place }),
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
}

function isLocation(place: unknown): place is SourceLocation {
  return typeof place === 'object' && place !== null && 'file' in place && 'line' in place && 'column' in place;
}

/** The warning for a name that is no setting. */
export function unknown(name: string, location: SourceLocation, known: readonly string[]): Problem {
  const nearest = nearestWord(name, known);
  return {
    severity: 'warning',
    message: `${name} is no setting and has no effect`,
    ...(nearest !== undefined && { hint: `did you mean ${nearest}?` }),
    location,
  };
}
