// Go's durations: `1h30m`, in nanoseconds.

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  '\xc2\xb5s': 1_000n,
  '\xce\xbcs': 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
export const SECOND = 1_000_000_000n;
const MAX = (1n << 63n) - 1n;

/** Undefined for what is none. Texts are bytes. */
export function parseDuration(text: string): bigint | undefined {
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return 0n;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\xc2\xb5s|\xce\xbcs|ms|s|m|h))+$/.test(body)) return undefined;
  let sum = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of body.matchAll(/(\d*)(?:\.(\d*))?([^\d.]+)/g)) {
    const size = UNITS[unit] ?? 0n;
    sum += BigInt(whole || '0') * size;
    if (fraction !== '') sum += (BigInt(fraction) * size) / 10n ** BigInt(fraction.length);
  }
  if (sum > MAX) return undefined;
  return text.startsWith('-') ? -sum : sum;
}

/** `1h30m0s`, `1.5s`, `250ms`; below a second in the largest unit that fits. */
export function formatDuration(nanoseconds: bigint): string {
  const sign = nanoseconds < 0n ? '-' : '';
  const value = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (value === 0n) return '0s';
  if (value < SECOND) {
    const [unit, size] = value >= 1_000_000n ? ['ms', 6] : value >= 1_000n ? ['\xc2\xb5s', 3] : ['ns', 0];
    return `${sign}${decimal(value, Number(size))}${unit}`;
  }
  const minutes = value / (60n * SECOND);
  const seconds = `${decimal(value % (60n * SECOND), 9)}s`;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return `${sign}${hours > 0n ? `${hours}h` : ''}${minutes % 60n}m${seconds}`;
}

/** value / 10^places, without zeros at the end. */
function decimal(value: bigint, places: number): string {
  const digits = String(value).padStart(places + 1, '0');
  const fraction = places === 0 ? '' : digits.slice(-places).replace(/0+$/, '');
  const whole = places === 0 ? digits : digits.slice(0, -places);
  return fraction === '' ? whole : `${whole}.${fraction}`;
}
