// Go's Sprintf: formats with flags, widths, precisions, `*` and explicit indices. What is wrong with a format is said in
// the result, as there.

import type { Budget } from '../budget.ts';
import { runeAt } from '../values/bytes.ts';
import { Integer } from '../values/integer.ts';
import { typeOf } from '../values/types.ts';
import type { Value } from '../values/value.ts';
import { type Flags, NO_FLAGS } from './flags.ts';
import { formatValue } from './values.ts';
import { formatVerb } from './verbs.ts';

/** Widths and precisions beyond are none. */
const MAX_NUMBER = 1_000_000;

/** Formats values. Throws CallError when the result would be too long. */
export function printf(format: string, values: readonly Value[], budget: Budget): string {
  return new Formatter(format, values, budget).run();
}

class Formatter {
  readonly #format: string;
  readonly #values: readonly Value[];
  readonly #budget: Budget;
  #at = 0;
  #argument = 0;
  /** An explicit index was used somewhere; then nobody can say which arguments are left over. */
  #reordered = false;
  #goodIndex = true;
  #afterIndex = false;

  constructor(format: string, values: readonly Value[], budget: Budget) {
    this.#format = format;
    this.#values = values;
    this.#budget = budget;
  }

  run(): string {
    let result = '';
    while (this.#at < this.#format.length) {
      const percent = this.#format.indexOf('%', this.#at);
      const end = percent < 0 ? this.#format.length : percent;
      result += this.#format.slice(this.#at, end);
      this.#at = end;
      if (percent < 0) break;
      this.#at++;
      result += this.#directive();
      this.#budget.text(0);
    }
    result += this.#leftOver();
    this.#budget.text(result.length);
    return result;
  }

  #directive(): string {
    this.#goodIndex = true;
    this.#afterIndex = false;
    const flags = this.#flags();
    let complaint = '';
    this.#index();
    if (this.#format[this.#at] === '*') {
      this.#at++;
      const width = this.#numberArgument();
      if (width === undefined) complaint += '%!(BADWIDTH)';
      flags.width = width === undefined ? undefined : Math.abs(width);
      if (width !== undefined && width < 0) {
        flags.minus = true;
        flags.zero = false;
      }
      this.#afterIndex = false;
    } else {
      flags.width = this.#number();
      if (this.#afterIndex && flags.width !== undefined) this.#goodIndex = false;
    }
    complaint += this.#precision(flags);
    if (!this.#afterIndex) this.#index();
    if (this.#at >= this.#format.length) return `${complaint}%!(NOVERB)`;
    const { size } = runeAt(this.#format, this.#at);
    const verb = this.#format.slice(this.#at, this.#at + size);
    this.#at += size;
    return complaint + this.#value(verb, flags);
  }

  #flags(): Flags {
    const flags = { ...NO_FLAGS };
    for (; ; this.#at++) {
      switch (this.#format[this.#at]) {
        case '#':
          flags.sharp = true;
          break;
        case '0':
          flags.zero = true;
          break;
        case '+':
          flags.plus = true;
          break;
        case '-':
          flags.minus = true;
          break;
        case ' ':
          flags.space = true;
          break;
        default:
          return flags;
      }
    }
  }

  /** Sets the precision; returns what is wrong with it. */
  #precision(flags: Flags): string {
    if (this.#format[this.#at] !== '.') return '';
    this.#at++;
    if (this.#afterIndex) this.#goodIndex = false;
    this.#index();
    if (this.#format[this.#at] !== '*') {
      flags.precision = this.#number() ?? 0;
      return '';
    }
    this.#at++;
    const precision = this.#numberArgument();
    flags.precision = precision === undefined || precision < 0 ? undefined : precision;
    this.#afterIndex = false;
    return precision === undefined || precision < 0 ? '%!(BADPREC)' : '';
  }

  #value(verb: string, flags: Flags): string {
    if (verb === '%') return '%';
    if (!this.#goodIndex) return `%!${verb}(BADINDEX)`;
    if (this.#argument >= this.#values.length) return `%!${verb}(MISSING)`;
    const value = this.#values[this.#argument];
    this.#argument++;
    // `%#v` is Go syntax and `%+v` is for the names of fields; neither is a sign or a prefix.
    const own = verb === 'v' ? { ...flags, sharpV: flags.sharp, sharp: false, plus: false } : flags;
    return formatVerb(value, verb, own, this.#budget);
  }

  /** `[3]`: the next argument is the third. */
  #index(): void {
    if (this.#format[this.#at] !== '[') return;
    this.#reordered = true;
    const close = this.#format.indexOf(']', this.#at);
    const digits = close < 0 ? '' : this.#format.slice(this.#at + 1, close);
    this.#at = close < 0 ? this.#at + 1 : close + 1;
    const index = /^\d{1,7}$/.test(digits) ? Number(digits) : 0;
    if (index < 1 || index > this.#values.length) {
      this.#goodIndex = false;
      return;
    }
    this.#argument = index - 1;
    this.#afterIndex = true;
  }

  #number(): number | undefined {
    const digits = this.#format.slice(this.#at, this.#at + 20).match(/^\d+/)?.[0] ?? '';
    if (digits === '') return undefined;
    if (Number(digits.slice(0, -1)) > MAX_NUMBER) {
      // Go gives up on the whole format here; it looks before each digit.
      this.#at = this.#format.length;
      return undefined;
    }
    this.#at += digits.length;
    return Number(digits);
  }

  /** The argument that a `*` stands for. */
  #numberArgument(): number | undefined {
    const value = this.#values[this.#argument];
    if (this.#argument >= this.#values.length) return undefined;
    this.#argument++;
    if (!(value instanceof Integer)) return undefined;
    const number = Number(value.value);
    return Math.abs(number) > MAX_NUMBER ? undefined : number;
  }

  #leftOver(): string {
    if (this.#reordered || this.#argument >= this.#values.length) return '';
    const shown = this.#values
      .slice(this.#argument)
      .map((value) => (value === null || value === undefined ? '<nil>' : this.#typed(value)));
    return `%!(EXTRA ${shown.join(', ')})`;
  }

  #typed(value: Value): string {
    return `${typeOf(value)}=${formatValue(value, this.#budget)}`;
  }
}
