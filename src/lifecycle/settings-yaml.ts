// Elemental's YAML files as settings: nested keys, keys with dots in them, and cOS-toolkit's flat ones. Loaded only where
// there is such a file, since the YAML parser costs more than all else that a command does at its start.

import { isMap, isScalar, isSeq, type Node } from '../cloudconfig/nodes.ts';
import type { Problem } from '../cloudconfig/problem.ts';
import { isNull } from '../cloudconfig/scalar.ts';
import { aliasName, scalarText, YamlError, YamlText } from '../cloudconfig/yamltext.ts';
import type { HoldfastError, SourceLocation } from '../system/errors.ts';
import { type Layer, read, settingsError, unknown, type Written } from './settings-files.ts';
import type { SettingName } from './settings-names.ts';
import type { Raw } from './settings-values.ts';

/** More values than any settings have; aliases count as often as they are used. */
const MOST_VALUES = 10_000;

type Located = Raw<SourceLocation>;

/**
 * The settings of one YAML file.
 * @param options.section read this key of the file alone, and everything else in it is somebody else's.
 * @throws HoldfastError HF-CONFIG with the place of what is broken or of the wrong type.
 */
export function readYamlSettings(
  file: string,
  text: string,
  names: ReadonlyMap<string, SettingName>,
  options: { section?: string } = {},
): Layer {
  let yaml: YamlText;
  try {
    yaml = new YamlText(text, file);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw refuse(error.message, error.location, error.hint);
  }
  const problems: Problem[] = [];
  if (yaml.furtherDocument !== undefined) {
    problems.push({
      severity: 'warning',
      message: 'only the first document of the file is read',
      location: yaml.furtherDocument,
    });
  }
  const root = yaml.contents === null ? undefined : new Converter(yaml, problems).convert(yaml.contents);
  if (root === undefined) return { settings: [], problems };
  if (root.kind !== 'map') {
    throw refuse(
      'the settings must be a mapping of keys to values',
      root.place,
      'for example "install:" with "target: /dev/sda" below it',
    );
  }
  const settings: Written[] = [];
  const { section } = options;
  const own = section === undefined ? root.entries : root.entries.filter(({ key }) => key.toLowerCase() === section);
  visit({ ...root, entries: own }, '', { file, names, settings, problems });
  return { settings, problems };
}

interface Visit {
  file: string;
  names: ReadonlyMap<string, SettingName>;
  settings: Written[];
  problems: Problem[];
}

function visit(map: Located & { kind: 'map' }, prefix: string, to: Visit): void {
  for (const { key, value, place } of map.entries) {
    const path = `${prefix}${key.toLowerCase()}`;
    const name = to.names.get(path);
    const isSection = [...to.names.keys()].some((known) => known.startsWith(`${path}.`));
    // "install.system" is a text or a mapping; "install" only a mapping.
    if (value.kind === 'map' && isSection) visit(value, `${path}.`, to);
    else if (name !== undefined)
      to.settings.push(...read(path, name, value, { text: `${to.file}:${place.line}`, location: place }));
    else if (isSection) {
      if (value.kind === 'text' && value.text === '') continue;
      throw refuse(`${path} must be a mapping of keys to values`, value.place, `put its keys below it, indented`);
    } else to.problems.push(unknown(path, place, [...to.names.keys()]));
  }
}

/** Nodes as plain values: aliases and merge keys followed, null as an empty text. */
class Converter {
  readonly #yaml: YamlText;
  readonly #problems: Problem[];
  readonly #open = new Set<Node>();
  #values = 0;

  constructor(yaml: YamlText, problems: Problem[]) {
    this.#yaml = yaml;
    this.#problems = problems;
  }

  convert(given: Node): Located {
    const node = this.#yaml.follow(given);
    const place = this.#yaml.locateNode(given);
    if (node === undefined) throw refuse(`there is no anchor for ${aliasName(given)}`, place);
    this.#values += 1;
    if (this.#values > MOST_VALUES || this.#open.has(node)) {
      throw refuse(
        `the file expands to more than ${MOST_VALUES} values`,
        place,
        'aliases (*name) multiply what they stand for',
      );
    }
    if (isScalar(node)) return { kind: 'text', text: isNull(scalarText(node)) ? '' : node.value, place };
    this.#open.add(node);
    try {
      if (isSeq(node)) return { kind: 'list', items: node.items.map((item) => this.convert(item)), place };
      if (isMap(node)) return { kind: 'map', entries: this.#entries(node), place };
    } finally {
      this.#open.delete(node);
    }
    throw refuse('it is no value', place);
  }

  #entries(map: Parameters<YamlText['entries']>[0]): { key: string; value: Located; place: SourceLocation }[] {
    const { own, merged } = this.#yaml.entries(map, (node, message, oddHint) => {
      const location = this.#yaml.locateNode(node);
      if (oddHint === undefined) throw refuse(message, location);
      this.#problems.push({ severity: 'warning', message, hint: oddHint, location });
    });
    const seen = new Set<string>();
    return [...merged, ...own].map(({ key, keyNode, value }) => {
      const place = this.#yaml.locateNode(keyNode);
      if (seen.has(key)) {
        const message = `the key ${key} is given twice; the later one counts`;
        this.#problems.push({ severity: 'warning', message, location: place });
      }
      seen.add(key);
      return { key, value: value === null ? { kind: 'text', text: '', place } : this.convert(value), place };
    });
  }
}

function refuse(message: string, location: SourceLocation, hint?: string): HoldfastError {
  return settingsError(message, {
    location,
    ...(hint && { hint }),
  });
}
