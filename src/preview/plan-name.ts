// What names a plan on the command line: its id, or a file that `--plan --json` or `--plan --html` has written.

import { existsSync } from 'node:fs';
import { readTextWithin } from '../system/boundedtext.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';

const MAX_BYTES = 256 << 20;
const ID = /^[0-9a-f]{4,12}$/;

/** @throws HoldfastError HF-USAGE when it names none. */
export function wantedPlanId(name: string): string {
  if (ID.test(name)) return name;
  if (!existsSync(name)) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(name)} is neither a plan's id nor a file with a plan`, {
      hint: 'an id has 12 hexadecimal digits; without one, --apply takes the kept plan',
    });
  }
  let text: string;
  try {
    text = readTextWithin(name, MAX_BYTES);
  } catch (error) {
    throw new HoldfastError('HF-USAGE', `${name} can't be read: ${messageOf(error)}`);
  }
  const id = idIn(text);
  if (id !== undefined) return id;
  throw new HoldfastError('HF-USAGE', `${name} holds no plan`, {
    hint: 'it must be what holdfast upgrade --plan --json has printed, or the page of --html',
  });
}

/** The id of a plan in a page, in its JSON, or in the lines of `--json`, of which the last one counts. Pure. */
export function idIn(text: string): string | undefined {
  const [, inPage] = /<meta name="holdfast-plan" content="([0-9a-f]{12})">/.exec(text) ?? [];
  if (inPage !== undefined) return inPage;
  for (const part of [text, ...text.trimEnd().split('\n').reverse()]) {
    let value: unknown;
    try {
      value = JSON.parse(part);
    } catch {
      continue;
    }
    const id = idOf(value) ?? idOf(fieldOf(value, 'plan'));
    if (id !== undefined) return id;
  }
  return undefined;
}

function idOf(value: unknown): string | undefined {
  const id = fieldOf(value, 'format') === 'holdfast-plan' ? fieldOf(value, 'id') : undefined;
  return typeof id === 'string' && /^[0-9a-f]{12}$/.test(id) ? id : undefined;
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
