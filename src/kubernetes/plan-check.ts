// What is wrong with a Plan that somebody has written, or will surprise them: what the API server refuses or drops, and what the
// controller does other than expected, each with its place in the file.

import { z } from 'zod';
import type { Problem } from '../cloudconfig/problem.ts';
import { nearestWord } from '../cloudconfig/suggestion.ts';
import { type ControllerVersion, formatControllerVersion, isOlder, youngFields } from './plan-controller.ts';
import { isPlan, type PlanDocument, planDocument } from './plan-document.ts';
import { planTraps, type TrapOptions } from './plan-traps.ts';
import type { ReadObject } from './plan-yaml.ts';

export interface CheckOptions extends TrapOptions {
  /** The controller that the plan is for; without it, fields that an older one drops are no problem. */
  controller?: ControllerVersion | undefined;
}

export interface CheckedPlan {
  /** Absent when the document doesn't fit the schema. */
  plan?: PlanDocument;
  problems: Problem[];
}

/** undefined: the object is something else than a Plan. */
export function checkPlan(object: ReadObject, options: CheckOptions = {}): CheckedPlan | undefined {
  if (!isPlan(object.value)) return undefined;
  const problems: Problem[] = object.repeated.map((path) => ({
    severity: 'error',
    message: `${nameOf(path)} stands twice`,
    hint: 'the API server refuses it, or takes one of them; leave one',
    location: object.locate(path),
  }));
  const parsed = planDocument.safeParse(withoutNulls(object.value));
  if (!parsed.success) {
    return { problems: [...problems, ...parsed.error.issues.flatMap((issue) => explain(issue, object))] };
  }
  const plan = parsed.data;
  for (const { name, path, since } of youngFields(plan)) {
    if (options.controller === undefined || !isOlder(options.controller, since)) continue;
    problems.push({
      severity: 'error',
      message: `controller ${formatControllerVersion(options.controller)} doesn't know ${name}: it would be dropped without a word`,
      hint: `upgrade the controller to ${formatControllerVersion(since)} or later, with its crd.yaml, or leave it out`,
      location: object.locate(path),
    });
  }
  for (const { path, ...trap } of planTraps(plan, options)) problems.push({ ...trap, location: object.locate(path) });
  return { plan, problems };
}

/** A key without a value is as if it weren't there. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, below]) => below !== null);
  return Object.fromEntries(entries.map(([key, below]) => [key, withoutNulls(below)]));
}

function explain(issue: z.core.$ZodIssue, object: ReadObject): Problem[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const meant = nearestWord(key, knownKeys(path)) ?? COMMON_SLIPS[key];
      return {
        severity: 'error',
        message: `${nameOf(path)} has no field ${JSON.stringify(key)}: the API server would drop it without a word`,
        ...(meant !== undefined && { hint: `did you mean ${meant}?` }),
        location: object.locate([...path, key]),
      };
    });
  }
  const given = valueAt(object.value, path);
  const location = object.locate(path);
  if (given === undefined || given === null) {
    return [{ severity: 'error', message: `${nameOf(path)} is missing`, location }];
  }
  const hint =
    issue.code === 'invalid_type' && issue.expected === 'string' && typeof given !== 'object'
      ? `write it in quotes: without them YAML reads ${typeof given === 'boolean' ? 'a truth value' : 'a number'}`
      : undefined;
  return [
    {
      severity: 'error',
      message: `${nameOf(path)}: ${issue.message.replace(/^Invalid input: /, '')}`,
      ...(hint !== undefined && { hint }),
      location,
    },
  ];
}

/** Keys of pods that people write in plans. */
const COMMON_SLIPS: Readonly<Record<string, string>> = {
  env: 'envs',
  volumeMounts: 'volumes',
  customNodeLabels: 'postCompleteLabels',
  activeDeadlineSeconds: 'jobActiveDeadlineSecs',
};

/** The fields that the schema has at a place; none where it can't be followed. */
function knownKeys(path: readonly (string | number)[]): string[] {
  let schema: z.core.$ZodType = planDocument;
  for (const part of path) {
    schema = unwrap(schema);
    if (schema instanceof z.ZodObject) {
      const below: unknown = schema.shape[String(part)];
      if (!(below instanceof z.ZodType)) return [];
      schema = below;
    } else if (schema instanceof z.ZodArray) schema = schema.element;
    else return [];
  }
  schema = unwrap(schema);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap()) : schema;
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (above, part) => (typeof above === 'object' && above !== null ? Reflect.get(above, part) : undefined),
    value,
  );
}

/** `spec.secrets[0].path`; the document itself is "the Plan". */
function nameOf(path: readonly (string | number)[]): string {
  if (path.length === 0) return 'the Plan';
  return path.reduce<string>(
    (name, part) => (typeof part === 'number' ? `${name}[${part}]` : name === '' ? part : `${name}.${part}`),
    '',
  );
}
