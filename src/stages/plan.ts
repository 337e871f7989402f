// What a stage would do, without doing it: its sources and steps in order, what keeps a step from running, its texts with
// templates expanded, and what each key would do. Conditions that only look are evaluated; `if` runs a command, and that
// only when it is wanted. What a step would see of an earlier one's effects is not foreseen. Secrets are masked.

import { type Problem, ProblemList } from '../cloudconfig/problem.ts';
import type { Step } from '../cloudconfig/step.ts';
import { ACTION_KEYS, type ActionKey, CONDITION_KEYS, type StepValues } from '../cloudconfig/stepkeys.ts';
import { HoldfastError } from '../system/errors.ts';
import { silent } from '../system/events.ts';
import { listConditions, unmetCondition } from './conditions.ts';
import { type ExpandedText, expandStep } from './expansion.ts';
import { Facts } from './facts.ts';
import { type SourceRequest, visitSteps } from './run.ts';
import { maskerFor } from './secrets.ts';
import { listSources } from './sourcelist.ts';
import { handlers } from './steps/all.ts';

export interface PlannedKey {
  key: ActionKey;
  /** What it would do, one line per part; empty when its value can't be used. */
  actions: readonly string[];
  /** Texts that templates have changed, as they would be used. */
  expanded?: readonly ExpandedText[];
  /** Why it would fail. */
  problem?: string;
}

export interface PlannedStep {
  /** From 1, in the order of running. */
  number: number;
  subStage: string;
  file: string;
  line: number;
  name?: string;
  /** Numbers of the steps that it waits for by its `after`. */
  after: readonly number[];
  /** `depends`: its `if` was not evaluated. */
  outcome: 'run' | 'skip' | 'depends' | 'fail';
  /** Why it is skipped, or would fail. */
  reason?: string;
  /** As they are written. */
  conditions: readonly string[];
  keys: readonly PlannedKey[];
}

export interface PlannedSource {
  name: string;
  /** undefined: it isn't there. */
  files: readonly string[] | undefined;
}

export interface StagePlan {
  stage: string;
  sources: readonly PlannedSource[];
  steps: readonly PlannedStep[];
  problems: readonly Problem[];
}

export interface PlanRequest extends SourceRequest {
  /** Whether the commands of `if` are run. */
  evaluateIf?: boolean;
}

/** Plans a stage; reads the sources and changes nothing (what the commands of `if` do, if wanted, is their affair). */
export async function planStage(request: PlanRequest): Promise<StagePlan> {
  const wanted = { ...request, keepCopies: false };
  const problems = new ProblemList();
  const facts = new Facts(request.root);
  const steps: PlannedStep[] = [];
  const numbers = new Map<Step, number>();
  await visitSteps(wanted, problems, async (step, after) => {
    const number = numbers.size + 1;
    numbers.set(step, number);
    const waitsFor = after.map((other) => numbers.get(other)).filter((known) => known !== undefined);
    const { file, line, column, stage } = step;
    const warn = (message: string) =>
      problems.add({ severity: 'warning', message, location: { file, line, column }, stage });
    steps.push({ number, after: waitsFor, ...(await planStep(step, request, facts, warn)) });
  });
  return { stage: request.stage, sources: await planSources(wanted), steps, problems: problems.all };
}

async function planStep(
  step: Step,
  request: PlanRequest,
  facts: Facts,
  warn: (message: string) => void,
): Promise<Omit<PlannedStep, 'number' | 'after'>> {
  const { stage: subStage, file, line, rejected } = step;
  const mask = maskerFor(step.values);
  const { values, texts } = await expandStep(step.values, { facts, warn: (message) => warn(mask(message)) });
  const { name } = values;
  const head = { subStage, file, line, ...(name ? { name } : {}), conditions: listConditions(step.values).map(mask) };

  const broken = CONDITION_KEYS.find((key) => rejected.includes(key));
  if (broken !== undefined) {
    return { ...head, outcome: 'fail', reason: `the condition "${broken}" can't be used`, keys: [] };
  }
  const { if: command, ...others } = values;
  const evaluated = request.evaluateIf ? values : others;
  const { root, signal, events = silent } = request;
  let reason: string | undefined;
  try {
    reason = await unmetCondition(evaluated, { root, events, signal, facts, warn });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code === 'HF-INTERRUPTED') throw error;
    return { ...head, outcome: 'fail', reason: mask(error.message), keys: [] };
  }
  const keys = ACTION_KEYS.flatMap((key) => planKey(key, values, rejected, texts, mask));
  if (reason !== undefined) return { ...head, outcome: 'skip', reason: mask(reason), keys };
  return { ...head, outcome: command && !request.evaluateIf ? 'depends' : 'run', keys };
}

function planKey(
  key: ActionKey,
  values: StepValues,
  rejected: Step['rejected'],
  texts: readonly ExpandedText[],
  mask: (text: string) => string,
): PlannedKey[] {
  if (rejected.includes(key)) return [{ key, actions: [], problem: `its value can't be used` }];
  // It says where `environment` goes and does nothing by itself.
  if (values[key] === undefined || key === 'environment_file') return [];
  const expanded = texts.filter((text) => text.key === key).map((text) => ({ ...text, text: mask(text.text) }));
  const actions = handlers[key].describe(values).map(mask);
  return [{ key, actions, ...(expanded.length > 0 ? { expanded } : {}) }];
}

/** What each source holds now. Those that the kernel command line adds stand under the names of their files. */
async function planSources(request: SourceRequest): Promise<PlannedSource[]> {
  const named = request.sources;
  const reads = listSources({ ...request, events: silent }).flat();
  const found: PlannedSource[] = [];
  for (const [index, read] of reads.entries()) {
    const { documents, problems } = await read();
    const files = [...new Set([...documents, ...problems.map(({ location }) => location)].map(({ file }) => file))];
    const source = named[index];
    if (source !== undefined) {
      const name = typeof source === 'string' ? source : source.name;
      found.push({ name, files: files.length > 0 || exists(source, request) ? files : undefined });
    } else found.push(...files.map((file) => ({ name: file, files: [file] })));
  }
  return found;
}

function exists(source: SourceRequest['sources'][number], { sourceRoot, root }: SourceRequest): boolean {
  return typeof source !== 'string' || (sourceRoot ?? root).exists(source);
}
