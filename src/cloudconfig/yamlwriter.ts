// A stage file as YAML, from plain values: what `render` prints. Modes are written in octal, texts of several lines as
// blocks, and everything so that the originals and every YAML parser read the same.

import { DUMP_SCHEMA, defineScalarTag, dump, intYaml11Tag } from 'js-yaml';
import { HoldfastError } from '../system/errors.ts';
import { CLOUD_INIT_FIELDS } from './cloudinitkeys.ts';
import { LIMITS } from './yamltext.ts';

/** Keys that only files with the header `#cloud-config` have. */
const CLOUD_INIT_KEYS = Object.keys(CLOUD_INIT_FIELDS);

/** A file mode on its way to the text. */
class Mode {
  readonly bits: number;

  constructor(bits: number) {
    this.bits = bits;
  }
}

/** Whole numbers, among them modes. What resolves to one as YAML 1.1 reads it is quoted when it is meant as text. */
const numberTag = defineScalarTag<number>('tag:yaml.org,2002:int', {
  implicit: true,
  resolve: intYaml11Tag.resolve,
  identify: (value) => value instanceof Mode || Number.isSafeInteger(value),
  represent: (value) => (value instanceof Mode ? `0${value.bits.toString(8).padStart(3, '0')}` : String(value)),
});

/**
 * @param config a mapping as of a stage file: objects, maps, lists, texts, numbers, truth values, bytes.
 * @param comment goes to the top, line by line.
 * @throws HoldfastError HF-CONFIG that names the place of a value which YAML can't hold.
 */
export function writeStageFile(config: unknown, comment = ''): string {
  const value = plainValue(config, '', []);
  if (!isRecord(value)) throw unusable('', 'a stage file is an object with "stages"');
  const isCloudInit = CLOUD_INIT_KEYS.some((key) => Object.hasOwn(value, key));
  const head = [
    ...(isCloudInit ? ['#cloud-config'] : []),
    ...comment.split('\n').flatMap((line) => (line === '' ? [] : [`# ${line}`])),
  ];
  const schema = DUMP_SCHEMA.withTags(numberTag);
  const text = dump(value, { schema, lineWidth: -1, noRefs: true, quoteStyle: 'double' });
  return [...head, text].join('\n');
}

/** The value with what has no place in YAML left out or refused, and modes marked. */
function plainValue(value: unknown, path: string, above: readonly unknown[]): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw unusable(path, `${value} is no whole number`);
    return value;
  }
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'object') throw unusable(path, `${describe(value)} has no form in YAML`);
  if (above.includes(value)) throw unusable(path, 'it contains itself');
  if (above.length >= LIMITS.depth) throw unusable(path, `it nests deeper than ${LIMITS.depth} levels`);
  const inside = [...above, value];
  if (Array.isArray(value)) {
    return value.map((item, index) => {
      if (item === undefined) throw unusable(`${path}[${index}]`, 'an item of a list is undefined');
      return plainValue(item, `${path}[${index}]`, inside);
    });
  }
  if (!(value instanceof Map) && !isPlain(value)) throw unusable(path, `${describe(value)} has no form in YAML`);
  const entries: [string, unknown][] = [];
  for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
    if (typeof key !== 'string') throw unusable(path, `the key ${describe(key)} is no text`);
    if (item === undefined) continue;
    const place = path === '' ? key : `${path}.${key}`;
    entries.push([key, key === 'permissions' && isOurs(path) ? mode(item, place) : plainValue(item, place, inside)]);
  }
  return Object.fromEntries(entries);
}

/** Keys of other tools may be called the same. */
function isOurs(path: string): boolean {
  return /^(?:stages\.|write_files\[|milpa_files\[)/.test(path);
}

function mode(value: unknown, path: string): unknown {
  const isOctal = typeof value === 'string' && /^(?:0[oO]?)?[0-7]{1,4}$/.test(value);
  const bits = isOctal ? Number.parseInt(value.replace(/^0[oO]/, ''), 8) : value;
  if (typeof bits === 'number' && Number.isInteger(bits) && bits >= 0 && bits <= 0o7777) return new Mode(bits);
  throw unusable(path, `${describe(value)} is no file mode, write 0o644 or "0644"`);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // An object of another realm has another Object.prototype, which has no prototype itself.
  return prototype === null || (typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function describe(value: unknown): string {
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`;
  if (typeof value === 'object' && value !== null) return `an object of ${value.constructor?.name ?? 'no class'}`;
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function unusable(path: string, reason: string): HoldfastError {
  return new HoldfastError('HF-CONFIG', path === '' ? reason : `${path}: ${reason}`);
}
