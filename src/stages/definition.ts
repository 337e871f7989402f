// What a step is, as one short text: the digest of its keys and values. Two runs with the same one were asked for the same,
// wherever in a file it stood. Secrets are left out first: from the digest of a short password the password could be guessed.

import { createHash } from 'node:crypto';
import type { StepValues } from '../cloudconfig/stepkeys.ts';
import { maskerFor } from './secrets.ts';

/** `sha256:` and 64 hexadecimal digits. */
export function definitionOf(values: StepValues): string {
  const mask = maskerFor(values);
  // Values by themselves, since a secret may have letters that JSON writes in another way; then with the names before them.
  const text = mask(JSON.stringify(plain(values, mask)));
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** A step as values that JSON can hold, in one order whatever the file's is. Nothing is masked. */
export function plainStep(values: StepValues): unknown {
  return plain(values, (text) => text);
}

/** Keys in the order of their names, and maps as objects, so that the order in a file doesn't count. */
function plain(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === 'string') return mask(value);
  if (Array.isArray(value)) return value.map((one) => plain(one, mask));
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value !== 'object' || value === null) return value;
  const entries: [string, unknown][] =
    value instanceof Map ? [...value].map(([key, one]) => [String(key), one]) : Object.entries(value);
  return Object.fromEntries(
    entries
      .filter(([, one]) => one !== undefined)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, one]) => [key, plain(one, mask)]),
  );
}
