// A ledger as a file beside its slot: lines of JSON, packed. The first line has what many entries share; each other line is one
// path. Only this machine writes it, but it is read as if somebody else had: a disk may lie.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { isCount, isRecord } from '../overlay/rebase/json-value.ts';
import { jsonOfObject, objectOfJson } from '../overlay/rebase/object-json.ts';
import { pathOfText, textOfPath } from '../overlay/rebase/path-text.ts';
import type { Field } from '../overlay/rebase/tree-object.ts';
import { ledgerFile } from '../slots/names.ts';
import { writeFileDurably } from '../system/durable.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import type { Cause, Ledger, LedgerEntry, LedgerOrigin, PackageName, StepCause } from './entry.ts';

const VERSION = 1;
const MAX_PACKED_BYTES = 64 << 20;
const MAX_BYTES = 256 << 20;
const MAX_ENTRIES = 1_000_000;

/** Writes a slot's ledger; only root reads it. */
export function writeLedger(stateDirectory: string, ledger: Ledger): void {
  const file = join(stateDirectory, ledgerFile(ledger.origin.uuid));
  writeFileDurably(file, gzipSync(renderLedger(ledger), { level: 6 }), { mode: 0o600 });
}

/**
 * The ledger of a slot, by the UUID of its file system; undefined when none was written.
 * @throws HoldfastError HF-STATE when it can't be used.
 */
export function readLedger(stateDirectory: string, uuid: string): Ledger | undefined {
  const file = join(stateDirectory, ledgerFile(uuid));
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) throw new Error('it is no regular file');
      if (stats.size > MAX_PACKED_BYTES) throw new Error(`it is larger than ${MAX_PACKED_BYTES >> 20} MiB`);
      const ledger = parseLedger(gunzipSync(readFileSync(fd), { maxOutputLength: MAX_BYTES }).toString('utf8'));
      if (ledger.origin.uuid !== uuid) throw new Error('it speaks of another slot');
      return ledger;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new HoldfastError('HF-STATE', `the ledger ${file} can't be used: ${messageOf(error)}`, {
      cause: error,
      hint: 'what differs can still be shown, but not who made it so; the next upgrade writes a new one',
    });
  }
}

/** The text of a ledger. */
export function renderLedger({ origin, basis, entries, omitted }: Ledger): string {
  const causes = new Table<Cause>();
  const packages = new Table<PackageName>();
  const lines = entries.map((entry) => {
    const { path, kind, before, after, fields, cause, earlier } = entry;
    return JSON.stringify({
      ...textOfPath(path),
      kind,
      ...(fields.length > 0 && { fields }),
      by: causes.numberOf(cause),
      ...(earlier.length > 0 && { earlier: earlier.map((step) => causes.numberOf({ by: 'step', step })) }),
      ...(entry.package !== undefined && { package: packages.numberOf(entry.package) }),
      ...(before !== undefined && { before: jsonOfObject(before) }),
      ...(after !== undefined && { after: jsonOfObject(after) }),
    });
  });
  const head = { ledger: VERSION, origin, basis, omitted, causes: causes.values, packages: packages.values };
  return `${[JSON.stringify(head), ...lines].join('\n')}\n`;
}

/** Each value once. */
class Table<T> {
  readonly values: T[] = [];
  readonly #numbers = new Map<string, number>();

  numberOf(value: T): number {
    const key = JSON.stringify(value);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.values.length);
    return this.values.push(value) - 1;
  }
}

/**
 * Reads the text of a ledger.
 * @throws Error with the reason as half a sentence.
 */
export function parseLedger(text: string): Ledger {
  const [first = '', ...rest] = text.split('\n');
  const lines = rest.filter((line) => line !== '');
  if (lines.length > MAX_ENTRIES) throw new Error(`it has more than ${MAX_ENTRIES} entries`);
  const head = objectIn(first);
  if (head === undefined || head['ledger'] !== VERSION) throw new Error('it is none that is known here');
  const origin = originOf(head['origin']);
  const { basis, omitted } = head;
  const causes = Array.isArray(head['causes']) ? head['causes'].map(causeOf) : [];
  const packages = Array.isArray(head['packages']) ? head['packages'].map(packageOf) : [];
  const isBasis = basis === 'pristine' || basis === 'before-hooks';
  if (origin === undefined || !isBasis || !isCount(omitted)) throw new Error('its first line is damaged');
  const entries = lines.map((line, index) => {
    const entry = entryOf(objectIn(line), causes, packages);
    if (entry === undefined) throw new Error(`line ${index + 2} is damaged`);
    return entry;
  });
  return { origin, basis, entries, omitted };
}

function entryOf(
  value: Record<string, unknown> | undefined,
  causes: readonly (Cause | undefined)[],
  packages: readonly (PackageName | undefined)[],
): LedgerEntry | undefined {
  const path = pathOfText(value);
  if (value === undefined || path === undefined) return undefined;
  const { kind, by, earlier = [], fields = [] } = value;
  if (kind !== 'added' && kind !== 'removed' && kind !== 'changed') return undefined;
  const [before, after] = [objectOfJson(value['before']), objectOfJson(value['after'])];
  if ((kind !== 'added') !== (before !== undefined) || (kind !== 'removed') !== (after !== undefined)) return undefined;
  const cause = isCount(by) ? causes[by] : undefined;
  if (cause === undefined || !Array.isArray(earlier) || !isFields(fields)) return undefined;
  const steps = earlier.flatMap((index: unknown) => {
    const one = isCount(index) ? causes[index] : undefined;
    return one?.by === 'step' ? [one.step] : [];
  });
  const owner = isCount(value['package']) ? packages[value['package']] : undefined;
  return {
    path,
    kind,
    fields,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    cause,
    earlier: steps,
    ...(owner !== undefined && { package: owner }),
  };
}

const FIELDS: ReadonlySet<unknown> = new Set(['type', 'content', 'mode', 'uid', 'gid', 'flags', 'time']);

function isFields(value: unknown): value is Field[] {
  const isField = (one: unknown) => FIELDS.has(one) || (typeof one === 'string' && one.startsWith('xattr:'));
  return Array.isArray(value) && value.every(isField);
}

function originOf(value: unknown): LedgerOrigin | undefined {
  const { text, optional } = textsOf(value);
  const [uuid, source, action, command, at] = ['uuid', 'source', 'action', 'command', 'at'].map(text);
  if (uuid === undefined || source === undefined || action === undefined) return undefined;
  if (command === undefined || at === undefined) return undefined;
  return { uuid, source, action, command, at, ...optional('digest'), ...optional('actionId'), ...optional('user') };
}

function causeOf(value: unknown): Cause | undefined {
  const { text } = textsOf(value);
  const by = text('by');
  if (by === 'holdfast' || by === 'unknown') return { by };
  if (by === 'hook') {
    const stage = text('stage');
    return stage === undefined ? undefined : { by, stage };
  }
  if (by !== 'step' || !isRecord(value)) return undefined;
  const step = stepOf(value['step']);
  return step && { by, step };
}

function stepOf(value: unknown): StepCause | undefined {
  const { text, optional } = textsOf(value);
  const [stage, file, definition, at] = ['stage', 'file', 'definition', 'at'].map(text);
  const line = isRecord(value) ? value['line'] : undefined;
  if (stage === undefined || file === undefined || definition === undefined || at === undefined) return undefined;
  return isCount(line) ? { stage, file, line, definition, at, ...optional('name') } : undefined;
}

function packageOf(value: unknown): PackageName | undefined {
  const { text } = textsOf(value);
  const [name, version] = [text('name'), text('version')];
  return name === undefined || version === undefined ? undefined : { name, version };
}

function textsOf(value: unknown) {
  const fields = isRecord(value) ? value : {};
  const text = (key: string): string | undefined => {
    const field = fields[key];
    return typeof field === 'string' ? field : undefined;
  };
  const optional = <K extends string>(key: K): { [key in K]?: string } => {
    const field = text(key);
    const found: { [key in K]?: string } = {};
    if (field !== undefined) found[key] = field;
    return found;
  };
  return { text, optional };
}

function objectIn(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
