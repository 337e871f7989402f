// `environment` with `environment_file`: sets variables in a file of assignments. Only the given keys are replaced or
// added; comments, foreign keys, order and mode stay, where yip rewrites the file and loses what it can't parse.

import { HoldfastError } from '../../system/errors.ts';
import { placeText } from '../placement.ts';
import { expandText } from '../templates.ts';
import type { StepContext, StepHandler } from './handler.ts';

const DEFAULT_FILE = '/etc/environment';

export const environment: StepHandler<'environment'> = {
  key: 'environment',
  describe: (value) => (value.size === 0 ? [] : [`set ${[...value.keys()].join(', ')} in an environment file`]),
  async apply(value, context) {
    const { root, values, edited } = context;
    if (value.size === 0) return;
    const path = values.environment_file || DEFAULT_FILE;
    const settings = new Map<string, string>();
    for (const [key, raw] of value) {
      const text = await expandValue(key, raw, context);
      if (text !== undefined) settings.set(key, text);
    }
    const before = root.readTextIfThere(path) ?? '';
    for (const placed of placeText(root, path, setVariables(before, settings))) edited(placed);
  },
};

async function expandValue(key: string, raw: string, context: StepContext): Promise<string | undefined> {
  if (!/^[A-Za-z_][\w.-]*$/.test(key)) {
    context.fail(new HoldfastError('HF-CONFIG', `${JSON.stringify(key)} can't be the name of a variable`));
    return undefined;
  }
  return expandText(raw, `environment: ${key}`, context);
}

/** The text of an environment file with these variables set: replaced where the last assignment stands, else appended. */
export function setVariables(text: string, settings: ReadonlyMap<string, string>): string {
  const parts = splitAssignments(text);
  const last = new Map(parts.flatMap((part, index) => (part.key === undefined ? [] : [[part.key, index] as const])));
  const missing: string[] = [];
  // yip writes the keys of a new file in the order of their bytes.
  const inOrder = [...settings].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const [key, value] of inOrder) {
    const assignment = `${key}=${quoteValue(value)}`;
    const at = last.get(key);
    const old = at === undefined ? undefined : parts[at];
    if (at === undefined || old === undefined) missing.push(assignment);
    else parts[at] = { key, text: `${old.text.match(/^\s*export\s+/)?.[0] ?? ''}${assignment}\n` };
  }
  const kept = parts.map((part) => part.text).join('');
  const gap = kept === '' || kept.endsWith('\n') || missing.length === 0 ? '' : '\n';
  return kept + gap + missing.map((line) => `${line}\n`).join('');
}

/**
 * A value as systemd, shells and godotenv read it back: whole numbers of 64 bits bare, everything else in double quotes.
 * `!` is not escaped, since systemd would keep the backslash.
 */
export function quoteValue(value: string): string {
  if (/^(?:0|-?[1-9]\d{0,18})$/.test(value) && BigInt.asIntN(64, BigInt(value)) === BigInt(value)) return value;
  const escaped = value
    .replace(/[\\"$`]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}

interface Part {
  /** The variable that is assigned here; absent for comments, empty and unknown lines. */
  key?: string;
  /** As it stands in the file, with its line end. */
  text: string;
}

/** Splits a file into assignments, which may go over several lines inside of quotes, and everything else by line. */
function splitAssignments(text: string): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const head = rest.match(/^[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][\w.-]*)[^\S\n]*[=:][^\S\n]*/);
    const value = head === null ? 0 : head[0].length;
    const quoted = head === null ? '' : (rest.slice(value).match(/^(?:"(?:[^"\\]|\\[\s\S])*"|'[^']*')/)?.[0] ?? '');
    const end = rest.indexOf('\n', value + quoted.length);
    const length = end < 0 ? rest.length : end + 1;
    parts.push({ ...(head?.[1] && { key: head[1] }), text: rest.slice(0, length) });
    at += length;
  }
  return parts;
}
