// One step of a stage: its values key by key, with what could not be used kept apart, so that a broken key is reported
// when the step's turn comes and never runs half.

import type { Decoding } from './decoding.ts';
import { namedEntries } from './fields.ts';
import { isMap, type Node } from './nodes.ts';
import { wrongType } from './shapes.ts';
import { STEP_ALIASES, STEP_FIELDS, type StepKey, type StepValues } from './stepkeys.ts';

export interface Step {
  file: string;
  stage: string;
  /** Position in its stage and file from 0, empty entries not counted. */
  index: number;
  /** Where it starts, from 1. */
  line: number;
  column: number;
  values: StepValues;
  /** Keys whose value is unusable; the problem with its place is in the document's list. */
  rejected: readonly StepKey[];
}

const KNOWN = Object.keys(STEP_FIELDS) as readonly StepKey[];

/** Decodes one entry of a stage's list; undefined when it isn't a mapping, which is reported. */
export function decodeStep(node: Node, stage: string, index: number, at: Decoding): Step | undefined {
  const target = at.follow(node);
  if (target === undefined) return undefined;
  if (!isMap(target)) return wrongType(target, at, 'a step, that is a mapping', 'for example "- commands: [...]"');
  const values: Partial<Record<StepKey, unknown>> = {};
  const rejected: StepKey[] = [];
  const named = namedEntries(target, { known: KNOWN, aliases: STEP_ALIASES }, at);
  for (const name of KNOWN) {
    const entry = named.get(name);
    if (entry === undefined || !at.isGiven(entry.value)) continue;
    const before = at.errors;
    const value = at.key(name).value<unknown>(STEP_FIELDS[name], entry.value);
    if (at.errors > before || value === undefined) rejected.push(name);
    else values[name] = value;
  }
  const { file, line, column } = at.yaml.locateNode(node);
  // Each name was decoded by the shape of that name; TypeScript can't follow that through the record.
  return { file, stage, index, line, column, values: values as StepValues, rejected };
}
