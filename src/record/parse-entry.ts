// An entry as it is read back. By hand: the boot reads and writes entries, and a schema library would cost more than a stage.
// The file may be damaged or somebody else's: what doesn't fit is left out, and what is no entry is none.

import { LIMITS } from './bound-entry.ts';
import {
  ENTRY_KINDS,
  ENTRY_OUTCOMES,
  ID_LENGTH,
  REQUESTED_FROM,
  type RecordEntry,
  type RecordedDuration,
  type RecordedError,
  type RecordedSlot,
  type RecordedStep,
  type Requester,
} from './entry.ts';

const ID = new RegExp(`^[2-9a-z]{${ID_LENGTH}}$`);
const STEP_OUTCOMES = ['ok', 'failed', 'skipped'] as const;
/** Nothing of ours is longer. */
const MAX_TEXT = 4096;

/** The entry of a line of JSON; undefined when it is none. */
export function parseEntry(json: string): RecordEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const read = fieldsOf(value);
  const [id, name, startedAt] = [read.text('id'), read.text('name'), read.text('startedAt')];
  const kind = read.word('kind', ENTRY_KINDS);
  const outcome = read.word('outcome', ENTRY_OUTCOMES);
  if (id === undefined || !ID.test(id) || name === undefined || startedAt === undefined) return undefined;
  if (kind === undefined || outcome === undefined) return undefined;
  const parent = read.text('parent');
  return {
    id,
    kind,
    name,
    startedAt,
    outcome,
    ...(parent !== undefined && ID.test(parent) && { parent }),
    ...read.texts('endedAt', 'bootId', 'message'),
    ...read.numbers('durationMs', 'uptimeSeconds', 'furtherSteps', 'times'),
    ...optional('by', parseRequester(read.value('by'))),
    ...optional('slot', parseSlot(read.value('slot'))),
    ...optional('error', parseError(read.value('error'))),
    ...optional('steps', listOf(read.value('steps'), LIMITS.steps, parseStep)),
    ...optional('durations', listOf(read.value('durations'), LIMITS.durations, parseDuration)),
    ...optional('warnings', listOf(read.value('warnings'), LIMITS.warnings + 1, textOf)),
  };
}

function parseRequester(value: unknown): Requester | undefined {
  const read = fieldsOf(value);
  const [user, command, pid] = [read.text('user'), read.text('command'), read.number('pid')];
  if (user === undefined || command === undefined || pid === undefined) return undefined;
  return { user, command, pid, from: read.word('from', REQUESTED_FROM) ?? 'unknown' };
}

function parseSlot(value: unknown): RecordedSlot | undefined {
  const read = fieldsOf(value);
  const name = read.text('name');
  return name === undefined ? undefined : { name, ...read.texts('uuid', 'digest') };
}

function parseError(value: unknown): RecordedError | undefined {
  const read = fieldsOf(value);
  const message = read.text('message');
  if (message === undefined) return undefined;
  return { message, ...read.texts('code', 'outputTail'), ...read.numbers('exitStatus') };
}

function parseStep(value: unknown): RecordedStep | undefined {
  const read = fieldsOf(value);
  const [file, line] = [read.text('file'), read.number('line')];
  const outcome = read.word('outcome', STEP_OUTCOMES);
  if (file === undefined || line === undefined || outcome === undefined) return undefined;
  return {
    file,
    line,
    outcome,
    ...read.texts('stage', 'name', 'definition', 'message', 'outputTail'),
    ...read.numbers('durationMs'),
  };
}

function parseDuration(value: unknown): RecordedDuration | undefined {
  const read = fieldsOf(value);
  const [action, durationMs] = [read.text('action'), read.number('durationMs')];
  if (action === undefined || durationMs === undefined) return undefined;
  return { action, durationMs, ...read.numbers('bytes') };
}

function listOf<T>(value: unknown, most: number, parse: (value: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.slice(0, most).flatMap((each: unknown) => {
    const parsed = parse(each);
    return parsed === undefined ? [] : [parsed];
  });
}

function optional<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } satisfies Record<string, T> as { [P in K]?: T });
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= MAX_TEXT ? value : undefined;
}

function fieldsOf(value: unknown) {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const fields = new Map<string, unknown>(isObject ? Object.entries(value) : []);
  const number = (key: string): number | undefined => {
    const field = fields.get(key);
    return typeof field === 'number' && Number.isFinite(field) && field >= 0 ? field : undefined;
  };
  const text = (key: string) => textOf(fields.get(key));
  return {
    value: (key: string) => fields.get(key),
    text,
    number,
    word: <W extends string>(key: string, words: readonly W[]): W | undefined =>
      words.find((word) => word === fields.get(key)),
    texts: <K extends string>(...keys: K[]) => collect(keys, text),
    numbers: <K extends string>(...keys: K[]) => collect(keys, number),
  };
}

function collect<K extends string, T>(keys: readonly K[], read: (key: K) => T | undefined): { [P in K]?: T } {
  const found: { [P in K]?: T } = {};
  for (const key of keys) {
    const value = read(key);
    if (value !== undefined) found[key] = value;
  }
  return found;
}
