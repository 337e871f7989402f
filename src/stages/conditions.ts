// Whether a step runs: its conditions in yip's order, the first that isn't met skips it. Patterns are Go's (RE2);
// one that only JavaScript understands is evaluated too, with a warning, since it has meant "never" so far.

import { hasLookAround, isNegative, matchPattern } from '../cloudconfig/pattern.ts';
import type { StepValues } from '../cloudconfig/stepkeys.ts';
import { maskSecrets } from '../system/secrets.ts';
import { explainBashism } from './bashism.ts';
import type { Facts } from './facts.ts';
import { runShell, type ShellContext } from './shell.ts';
import { expandText } from './templates.ts';

export interface ConditionContext extends ShellContext {
  facts: Facts;
  warn: (message: string) => void;
}

type Condition = (values: StepValues, context: ConditionContext) => Promise<string | undefined> | string | undefined;

/** In the order in which yip evaluates them. Each returns why it isn't met. */
const CONDITIONS: readonly Condition[] = [
  nodeMatches,
  ifSucceeds,
  osMatches,
  osVersionMatches,
  architectureMatches,
  serviceManagerMatches,
  filesMatch,
];

/**
 * The first condition that isn't met, in one line, or undefined when the step is to run.
 * @throws HoldfastError when a condition can't be evaluated (an interruption).
 */
export async function unmetCondition(values: StepValues, context: ConditionContext): Promise<string | undefined> {
  for (const condition of CONDITIONS) {
    const reason = await condition(values, context);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** The conditions of a step as they are written, for a plan. */
export function listConditions(values: StepValues): string[] {
  const { if_files: files, ...rest } = values;
  const texts = (['node', 'if', 'only_os', 'only_os_version', 'only_arch', 'only_service_manager'] as const).flatMap(
    (key) => (rest[key] ? [`${key}: ${firstLine(rest[key])}`] : []),
  );
  const lists = (['any', 'all', 'none'] as const).flatMap((check) =>
    files?.[check]?.length ? [`if_files ${check}: ${files[check].join(', ')}`] : [],
  );
  return [...texts, ...lists];
}

async function nodeMatches({ node }: StepValues, context: ConditionContext): Promise<string | undefined> {
  if (!node || (await matches(node, context.facts.hostname, 'node', context))) return undefined;
  return `node: the host name ${context.facts.hostname} doesn't match ${node}`;
}

async function ifSucceeds({ if: condition }: StepValues, context: ConditionContext): Promise<string | undefined> {
  if (!condition) return undefined;
  const end = await runShell(await expandText(condition, 'if', context), context, { quiet: true });
  const bashism = explainBashism(condition, end.outputTail);
  if (end.status === 0) {
    if (bashism !== undefined) context.warn(`if: ${firstLine(condition)}: ${bashism}; its result means nothing`);
    return undefined;
  }
  const how = end.status === null ? `ended by ${end.signal}` : `status ${end.status}`;
  // What the shell itself complained about is often the reason, for example [[ with a plain sh.
  const said = end.outputTail.split('\n').at(-1);
  return `if: ${firstLine(condition)} (${how}${said ? `: ${said}` : ''}${bashism ? `; ${bashism}` : ''})`;
}

async function osMatches({ only_os: pattern }: StepValues, context: ConditionContext): Promise<string | undefined> {
  if (!pattern) return undefined;
  const name = context.facts.osRelease('PRETTY_NAME');
  const id = context.facts.osRelease('ID');
  const no = `only_os: ${name || 'the system has no name, which'} doesn't match ${pattern}`;
  if (hasLookAround(pattern)) {
    // The originals never run such a step, so no file depends on how a name is written: what its author ruled out,
    // by the name or, as yip's documentation has it, by the ID, stays ruled out.
    const texts = isNegative(pattern) ? [name, id] : [name];
    for (const text of texts) {
      if (text === '' || !(await matches(pattern, text, 'only_os', context, { ignoreCase: true }))) return no;
    }
    return undefined;
  }
  if (name !== '' && (await matches(pattern, name, 'only_os', context))) return undefined;
  // yip's documentation says ID, its code PRETTY_NAME; `ubuntu` is meant to match on Ubuntu.
  if (id !== '' && (await matches(pattern, id, 'only_os', context, { ignoreCase: true }))) {
    context.warn(`only_os: ${pattern} matches the ID "${id}", not the name "${name}"; the originals look at the name`);
    return undefined;
  }
  return no;
}

async function osVersionMatches(
  { only_os_version: pattern }: StepValues,
  context: ConditionContext,
): Promise<string | undefined> {
  if (!pattern) return undefined;
  const version = context.facts.osVersion;
  if (version !== '' && (await matches(pattern, version, 'only_os_version', context))) return undefined;
  return `only_os_version: the version ${version || '(none)'} doesn't match ${pattern}`;
}

async function architectureMatches(
  { only_arch: pattern }: StepValues,
  context: ConditionContext,
): Promise<string | undefined> {
  const { architecture } = context.facts;
  if (!pattern || (await matches(pattern, architecture, 'only_arch', context))) return undefined;
  return `only_arch: ${architecture} doesn't match ${pattern}`;
}

function serviceManagerMatches(
  { only_service_manager: wanted }: StepValues,
  { facts }: ConditionContext,
): string | undefined {
  if (!wanted) return undefined;
  const found = facts.serviceManagers;
  // Both at once is skipped by yip: it can't tell which of them runs.
  if (found.length === 1 && found[0] === wanted.toLowerCase()) return undefined;
  return `only_service_manager: found ${found.join(' and ') || 'none'}, not ${wanted}`;
}

function filesMatch({ if_files: files }: StepValues, { root }: ConditionContext): string | undefined {
  const { any = [], all = [], none = [] } = files ?? {};
  if (any.length > 0 && !any.some((path) => root.exists(path))) return `if_files: none of ${any.join(', ')} is there`;
  const missing = all.find((path) => !root.exists(path));
  if (missing !== undefined) return `if_files: ${missing} is not there`;
  const present = none.find((path) => root.exists(path));
  return present === undefined ? undefined : `if_files: ${present} is there`;
}

/** Unanchored match. An invalid pattern matches nothing, with a warning. */
async function matches(
  pattern: string,
  text: string,
  key: string,
  { warn }: ConditionContext,
  options: { ignoreCase?: boolean } = {},
): Promise<boolean> {
  const match = await matchPattern(pattern, text, options);
  if ('invalid' in match) {
    warn(`${key}: ${pattern} is no valid pattern, the step is skipped: ${match.invalid}`);
    return false;
  }
  if (match.foreign) {
    warn(`${key}: ${pattern} is no pattern for the originals, which skip the step; it is evaluated here`);
  }
  return match.found;
}

function firstLine(text: string): string {
  const [first = '', ...rest] = maskSecrets(text).trim().split('\n');
  return rest.length > 0 ? `${first} …` : first;
}
