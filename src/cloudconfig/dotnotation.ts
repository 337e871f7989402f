// Dot notation: `stages.boot[0].commands[0]="echo hello"` as words of the kernel command line, or of any text with
// --dotnotation. Each word is set by the schema's type of its field, in order, and one that can't be used is dropped
// alone: the originals lose the whole line for it, or drop it without a word.

import type { SourceLocation } from '../system/errors.ts';
import { Decoding, type Form, type Shape } from './decoding.ts';
import type { CloudConfig, ParseResult } from './document.ts';
import { PathError, parseKeyPath, type Segment } from './keypath.ts';
import { makeScalar } from './nodes.ts';
import { type Problem, ProblemList } from './problem.ts';
import { struct } from './shapes.ts';
import type { Step } from './step.ts';
import { STEP_ALIASES, STEP_FIELDS, type StepValues } from './stepkeys.ts';
import { nearestWord } from './suggestion.ts';
import { splitWords } from './words.ts';
import { YamlText } from './yamltext.ts';

/** Stands where a file name would. */
export const COMMAND_LINE_NAME = 'kernel command line';

const STEP: Shape<StepValues> = struct(STEP_FIELDS, STEP_ALIASES);

/** Endings of stage names; any other dot in a stage's name needs ["…"]. `.pre` is one of Kairos. */
const STAGE_ENDINGS: ReadonlySet<Segment> = new Set(['before', 'after', 'pre']);

/** A value that words build up piece by piece. */
type Built =
  | { kind: 'value'; value: unknown }
  | { kind: 'list'; items: Map<number, Built> }
  | { kind: 'map' | 'struct'; items: Map<string, Built> };

interface BuiltStep {
  content: Built | undefined;
  offset: number;
}

/**
 * Parses a text in dot notation. Never throws and never gives an error: what can't be used is a warning that names the
 * word (its key; a value may be a secret).
 * @param file the name that problems and steps carry.
 */
export function parseDotNotation(text: string, file: string = COMMAND_LINE_NAME): ParseResult {
  const locate = locator(text, file);
  const problems: Problem[] = [];
  const warn = (offset: number, message: string, hint?: string, stage?: string) =>
    problems.push({
      severity: 'warning',
      message,
      ...(hint === undefined ? {} : { hint }),
      location: locate(offset),
      ...(stage === undefined ? {} : { stage }),
    });

  let name: string | undefined;
  const stages = new Map<string, Map<number, BuiltStep>>();
  const leaves = new LeafDecoder(file);
  const { words, unterminated } = splitWords(text);
  for (const { text: word, offset } of words) {
    const equals = word.indexOf('=');
    const key = unquoted(equals < 0 ? word : word.slice(0, equals));
    const value = equals < 0 ? 'true' : unquoted(word.slice(equals + 1));
    if (key === 'name') name = value;
    if (!/^stages[.[]/.test(key)) continue;
    let stage: string | undefined;
    try {
      const target = stepOf(parseKeyPath(key).slice(1));
      stage = target.stage;
      const steps = stages.get(stage) ?? new Map<number, BuiltStep>();
      const step = steps.get(target.index) ?? { content: undefined, offset };
      step.content = place(STEP, step.content, target.path, value, leaves);
      steps.set(target.index, step);
      stages.set(stage, steps);
      for (const note of leaves.notes()) warn(offset, `${shorten(key)}: ${note.message}`, note.hint, stage);
    } catch (error) {
      if (!(error instanceof PathError)) throw error;
      warn(offset, `the word ${shorten(key)} is not used: ${error.message}`, HINT, stage);
    }
  }
  if (unterminated !== undefined && /stages[.[]/.test(text.slice(unterminated))) {
    warn(unterminated, 'a quote that begins in this word has no end; it and the words after it are not used');
  }
  const decoded = [...stages].map(([stage, steps]) => [stage, stepsOf(stage, steps, locate)] as const);
  const document: CloudConfig = { file, cloudInit: false, ...(name && { name }), stages: new Map(decoded) };
  return { document, problems };
}

const HINT = 'a word looks like stages.boot[0].commands[0]="echo hello"';

/** Which step a path names, and what is left of it inside of the step. */
function stepOf(path: readonly Segment[]): { stage: string; index: number; path: readonly Segment[] } {
  const [stage, ...rest] = path;
  if (typeof stage !== 'string') throw new PathError('the name of a stage is missing');
  const names = rest.slice(
    0,
    rest.findIndex((segment) => typeof segment === 'number'),
  );
  const index = rest[names.length];
  if (typeof index !== 'number') throw new PathError(`after the stage ${stage} comes the number of a step, [0]`);
  if (!names.every((ending) => STAGE_ENDINGS.has(ending))) {
    const full = [stage, ...names].join('.');
    throw new PathError(`${full} is no stage; if it is meant to be one, write stages["${full}"]`);
  }
  const inStep = rest.slice(names.length + 1);
  // `after` is a list of mappings with one key in the originals, and of names here.
  if (inStep[0] === 'after' && inStep.at(-1) === 'name') inStep.pop();
  return { stage: [stage, ...names].join('.'), index, path: inStep };
}

/**
 * A value with one word more in it. Nothing of what it was is touched before the word has turned out to be usable.
 * @throws PathError when the word can't be used.
 */
function place(
  shape: Shape<unknown>,
  old: Built | undefined,
  path: readonly Segment[],
  text: string,
  leaves: LeafDecoder,
): Built {
  const { form, what } = shape;
  const [next, ...rest] = path;
  if (form.kind !== 'list' && form.kind !== 'map' && form.kind !== 'struct') {
    if (next !== undefined) throw new PathError(`its field is ${what}, which has no part ${next}`);
    return { kind: 'value', value: leaves.decode(shape, text) };
  }
  if (form.kind === 'list') {
    // A single value stands for a list of one, as in a file.
    if (next === undefined) return { kind: 'list', items: new Map([[0, place(form.of, undefined, [], text, leaves)]]) };
    if (typeof next !== 'number') throw new PathError(`before ${next} the position in the list is missing, [0]`);
    const list: Built = old?.kind === 'list' ? old : { kind: 'list', items: new Map() };
    list.items.set(next, place(form.of, list.items.get(next), rest, text, leaves));
    return list;
  }
  if (next === undefined) throw new PathError(`its field is ${what}, so a "." and a key must follow`);
  if (typeof next === 'number') throw new PathError(`its field is ${what}, not a list: [${next}] can't follow`);
  const [key, inner] = form.kind === 'struct' ? [fieldName(form, next), rest] : freeKey(form.of, next, rest);
  const field = form.kind === 'struct' ? form.fields[key] : form.of;
  if (field === undefined) throw new PathError(`there is no key ${key}`);
  const { kind } = form;
  const items = old?.kind === kind ? old.items : new Map<string, Built>();
  items.set(key, place(field, items.get(key), inner, text, leaves));
  return { kind, items };
}

/** A key that is free: `net.ipv4.ip_forward` is one, since nothing inside of a text could be meant. */
function freeKey(of: Shape<unknown>, next: string, rest: readonly Segment[]): [string, readonly Segment[]] {
  const inner = of.form.kind === 'list' ? of.form.of.form : of.form;
  if (inner.kind === 'struct') return [next, rest];
  const end = rest.findIndex((segment) => typeof segment === 'number');
  const names = end < 0 ? rest : rest.slice(0, end);
  return [[next, ...names].join('.'), rest.slice(names.length)];
}

function fieldName({ fields, aliases }: Extract<Form, { kind: 'struct' }>, name: string): string {
  const known = Object.keys(fields);
  if (known.includes(name)) return name;
  const alias = Object.hasOwn(aliases, name) ? aliases[name] : undefined;
  const found = alias ?? known.find((field) => field.toLowerCase() === name.toLowerCase().replaceAll('-', '_'));
  if (found !== undefined) return found;
  const near = nearestWord(name, known);
  throw new PathError(`there is no key ${shorten(name)}${near === undefined ? '' : `, did you mean ${near}?`}`);
}

const PLAIN_KINDS: ReadonlySet<Form['kind']> = new Set(['number', 'boolean', 'id']);

/** Decodes single values by the types of the schema, and keeps what those remark. */
class LeafDecoder {
  readonly #yaml: YamlText;
  #problems = new ProblemList();

  constructor(file: string) {
    this.#yaml = new YamlText('', file);
  }

  /** @throws PathError when the text isn't what the type needs. */
  decode(shape: Shape<unknown>, text: string): unknown {
    // Quotes are gone, so the type decides: text stays text, and the digits of a mode are octal, quoted or not.
    const node = makeScalar(text, null, PLAIN_KINDS.has(shape.form.kind) ? 'plain' : 'double-quoted');
    const value = shape.decode(node, Decoding.start(this.#yaml, this.#problems));
    if (value !== undefined) return value;
    const [problem] = this.notes().slice(-1);
    throw new PathError(problem?.message ?? `its value is not ${shape.what}`);
  }

  /** What has been remarked since the last call. */
  notes(): readonly Problem[] {
    const { all } = this.#problems;
    if (all.length > 0) this.#problems = new ProblemList();
    return all;
  }
}

function stepsOf(stage: string, steps: ReadonlyMap<number, BuiltStep>, locate: (offset: number) => SourceLocation) {
  return byPosition(steps).map(({ content, offset }, index): Step => {
    const values = content === undefined ? {} : plainValue(content);
    // Each field was decoded by the shape of that field; TypeScript can't follow that through the record.
    return { stage, index, ...locate(offset), values: values as StepValues, rejected: [] };
  });
}

function plainValue(built: Built): unknown {
  if (built.kind === 'value') return built.value;
  if (built.kind === 'list') return byPosition(built.items).map(plainValue);
  const entries = [...built.items].map(([key, item]) => [key, plainValue(item)] as const);
  return built.kind === 'map' ? new Map(entries) : Object.fromEntries(entries);
}

/** Gaps between positions are closed: null entries of a list don't count. */
function byPosition<T>(items: ReadonlyMap<number, T>): T[] {
  return [...items].sort(([a], [b]) => a - b).map(([, item]) => item);
}

function locator(text: string, file: string): (offset: number) => SourceLocation {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    for (let high = starts.length - 1; low < high; ) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    // The line itself may hold secrets, so it isn't part of the place.
    return { file, line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

/** The originals strip quotes that the shell's rules have left at the ends. */
function unquoted(text: string): string {
  return text.replace(/^"+|"+$/g, '');
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
