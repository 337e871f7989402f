// Floating-point numbers as Go prints them: shortest digits that read back the same, or a number of digits rounded from
// the exact value, half to even.

/** Digits `d.ddd` and the exponent of ten of the first one. */
interface Decimal {
  /** Without zeros at the end, at least one. */
  digits: string;
  exponent: number;
}

/** A double has no more digits than this behind the point; further ones are zeros. */
const MAX_FRACTION = 1100;

/**
 * A number without its sign's plus: `1.5`, `-2e+06`, `NaN`, `+Inf`.
 * @param precision digits behind the point, for `g` all digits; undefined for the shortest form.
 */
export function formatFloat(value: number, verb: 'e' | 'f' | 'g', precision?: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  return sign + formatPositive(Math.abs(value), verb, precision);
}

/** The exact value: `0x1.8p+01` with hexadecimal digits, `4503599627370496p-52` for `b`. */
export function formatBinary(value: number, verb: 'x' | 'b', precision?: number): string {
  if (!Number.isFinite(value)) return formatFloat(value, 'g');
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const { mantissa, exponent } = exact(Math.abs(value));
  if (verb === 'b') return `${sign}${mantissa}p${exponent < 0 ? '' : '+'}${exponent}`;
  // 53 bits, of which the first is the digit before the point; a fraction of 13 digits.
  const shift = mantissa === 0n ? 0 : 53 - mantissa.toString(2).length;
  let power = mantissa === 0n ? 0 : exponent - shift + 52;
  let digits = mantissa << BigInt(shift);
  const kept = Math.min(precision ?? 13, 13);
  const dropped = BigInt(52 - 4 * kept);
  if (dropped > 0n) digits = halfEven(digits, 1n << dropped);
  if (digits >> BigInt(4 * kept + 1) !== 0n) {
    digits >>= 1n;
    power++;
  }
  const hex = digits.toString(16).padStart(kept + 1, '0');
  const fraction = precision === undefined ? hex.slice(1).replace(/0+$/, '') : hex.slice(1).padEnd(precision, '0');
  const point = fraction === '' ? '' : `.${fraction}`;
  return `${sign}0x${hex[0]}${point}p${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

function formatPositive(value: number, verb: 'e' | 'f' | 'g', precision: number | undefined): string {
  if (verb === 'f') return precision === undefined ? plain(shortest(value)) : fixed(value, precision);
  if (verb === 'e') {
    const { digits, exponent } = precision === undefined ? shortest(value) : rounded(value, precision + 1);
    return scientific(digits.padEnd((precision ?? 0) + 1, '0'), exponent);
  }
  const wanted = precision === 0 ? 1 : precision;
  const decimal = wanted === undefined ? shortest(value) : rounded(value, wanted);
  const { digits, exponent } = decimal;
  let limit = wanted ?? 6;
  if (wanted !== undefined && limit > digits.length && digits.length >= exponent + 1) limit = digits.length;
  return exponent < -4 || exponent >= limit ? scientific(digits, exponent) : plain(decimal);
}

function scientific(digits: string, exponent: number): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function plain({ digits, exponent }: Decimal): string {
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = digits.slice(exponent + 1);
  return fraction === '' || fraction === '0' ? whole : `${whole}.${fraction}`;
}

function shortest(value: number): Decimal {
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  return { digits: mantissa.replace('.', ''), exponent: Number(exponent) };
}

/** A number of digits behind the point. */
function fixed(value: number, precision: number): string {
  const kept = Math.min(precision, MAX_FRACTION);
  const digits = String(scaledUp(value, kept)).padStart(kept + 1, '0');
  const fraction = digits.slice(digits.length - kept).padEnd(precision, '0');
  return precision === 0 ? digits : `${digits.slice(0, digits.length - kept)}.${fraction}`;
}

/** A number of significant digits. */
function rounded(value: number, count: number): Decimal {
  if (value === 0) return { digits: '0', exponent: 0 };
  let { exponent } = shortest(value);
  const kept = Math.min(count, MAX_FRACTION);
  let digits = String(scaledUp(value, kept - 1 - exponent));
  if (digits.length > kept) {
    exponent++;
    digits = digits.slice(0, -1);
  } else if (digits.length < kept) {
    // The shortest digits of the smallest numbers are rounded up: 1e-323 is 9.88e-324.
    exponent--;
    digits = String(scaledUp(value, kept - 1 - exponent));
  }
  return { digits: digits.replace(/(?<=.)0+$/, ''), exponent };
}

/** value × 10^power as a whole number, half to even. */
function scaledUp(value: number, power: number): bigint {
  const { mantissa, exponent } = exact(value);
  let numerator = mantissa;
  let denominator = 1n;
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  if (power >= 0) numerator *= 10n ** BigInt(power);
  else denominator *= 10n ** BigInt(-power);
  return halfEven(numerator, denominator);
}

function halfEven(numerator: bigint, denominator: bigint): bigint {
  const whole = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  const up = twice > denominator || (twice === denominator && whole % 2n === 1n);
  return up ? whole + 1n : whole;
}

/** value = mantissa × 2^exponent, for finite positive numbers. */
function exact(value: number): { mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  if (biased === 0) return { mantissa: fraction, exponent: -1074 };
  return { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}
