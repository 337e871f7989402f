// Foreign command lines, read as Go's pflag reads them: options and arguments in any order, `--name value` and
// `--name=value`, switches that take `=false`. The shell tools of cOS fit in with two switches that may have a value.

import { HoldfastError } from '../../system/errors.ts';

export interface FlagSpec {
  name: string;
  short?: string;
  /**
   * What follows: nothing (a switch), a value (the last one counts), a list (commas separate, and it may be repeated), or,
   * as with cos-upgrade's `--docker-image IMAGE` and `--docker-image=IMAGE`, a switch that says what the argument is.
   */
  takes?: 'value' | 'list' | 'texts' | 'argument';
  about: string;
}

/** What a command line says: by option all its values in order, `true` and `false` for a switch. */
export class Flags {
  readonly positional: string[] = [];
  readonly #values = new Map<string, string[]>();

  has(name: string): boolean {
    return this.#values.has(name);
  }

  hasAny(...names: readonly string[]): boolean {
    return names.some((name) => this.has(name));
  }

  /** Whether a switch is on; one that was never named is off. */
  isOn(name: string): boolean {
    return this.value(name) === 'true';
  }

  value(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  set(name: string, ...values: readonly string[]): void {
    this.#values.set(name, [...values]);
  }

  delete(name: string): void {
    this.#values.delete(name);
  }

  add(name: string, ...values: readonly string[]): void {
    this.#values.set(name, [...this.all(name), ...values]);
  }
}

/** Go's strconv.ParseBool, and the words that shell scripts write. */
export function booleanOf(text: string): boolean | undefined {
  if (/^(?:1|t|true|yes|on)$/i.test(text)) return true;
  if (/^(?:0|f|false|no|off|)$/i.test(text)) return false;
  return undefined;
}

/**
 * @throws HoldfastError HF-USAGE for an option that is not among `specs`, one without its value, or a switch with a word
 *   that is neither true nor false.
 */
export function parseFlags(argv: readonly string[], specs: readonly FlagSpec[]): Flags {
  const flags = new Flags();
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      flags.positional.push(...rest);
      break;
    }
    if (word === '-' || !word.startsWith('-')) flags.positional.push(word);
    else if (word.startsWith('--')) parseLong(word, rest, specs, flags);
    else parseShort(word, rest, specs, flags);
  }
  return flags;
}

function parseLong(word: string, rest: string[], specs: readonly FlagSpec[], flags: Flags): void {
  const [, name = '', value] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
  const spec = specs.find((each) => each.name === name);
  if (spec === undefined) throw new HoldfastError('HF-USAGE', `unknown flag: --${name}`);
  take(spec, `--${name}`, value, rest, flags);
}

/** `-x value`, `-xvalue`, `-x=value`, and several switches in one word. */
function parseShort(word: string, rest: string[], specs: readonly FlagSpec[], flags: Flags): void {
  for (let at = 1; at < word.length; at++) {
    const letter = word.charAt(at);
    const spec = specs.find((each) => each.short === letter);
    if (spec === undefined) throw new HoldfastError('HF-USAGE', `unknown shorthand flag: '${letter}' in ${word}`);
    const tail = word.slice(at + 1);
    const isSwitch = spec.takes === undefined || spec.takes === 'argument';
    if (isSwitch && !tail.startsWith('=')) {
      take(spec, `-${letter}`, undefined, [], flags);
      continue;
    }
    take(spec, `-${letter}`, tail === '' ? undefined : tail.replace(/^=/, ''), rest, flags);
    return;
  }
}

function take(spec: FlagSpec, written: string, given: string | undefined, rest: string[], flags: Flags): void {
  const { name } = spec;
  if (spec.takes === 'argument') {
    flags.set(name, ...(given === undefined ? [] : [given]));
    return;
  }
  if (spec.takes === undefined) {
    const on = given === undefined ? true : booleanOf(given);
    if (on === undefined)
      throw new HoldfastError('HF-USAGE', `${written} is true or false, not ${JSON.stringify(given)}`);
    flags.set(name, String(on));
    return;
  }
  const value = given ?? rest.shift();
  if (value === undefined) throw new HoldfastError('HF-USAGE', `flag needs an argument: ${written}`);
  if (spec.takes === 'list') flags.add(name, ...splitList(value));
  else if (spec.takes === 'texts') flags.add(name, value);
  else flags.set(name, value);
}

/** At commas; inside a web address only at one with which another path or address begins. */
export function splitList(text: string): string[] {
  const parts = text.includes('://') ? text.split(/,(?=\/|[a-z][a-z0-9+.-]*:\/\/)/i) : text.split(',');
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** Options as lines of a help text. */
export function flagLines(specs: readonly FlagSpec[]): string[] {
  const terms = specs.map(({ name, short, takes }) => {
    const value = takes === undefined ? '' : takes === 'argument' ? '[=VALUE]' : ' VALUE';
    return `  ${short === undefined ? '    ' : `-${short}, `}--${name}${value}`;
  });
  const width = Math.max(...terms.map((term) => term.length));
  return specs.map(({ about }, index) => `${(terms[index] ?? '').padEnd(width)}  ${about}`);
}
