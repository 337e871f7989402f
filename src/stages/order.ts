// In which order the steps of one source run: strictly one after the other, by file and position, except that a step
// with `after` waits for the steps it names. No name, wrong, doubled or circular, makes a step get lost or the
// engine stop: the originals did both.

import type { CloudConfig } from '../cloudconfig/document.ts';
import type { Problem } from '../cloudconfig/problem.ts';
import type { Step } from '../cloudconfig/step.ts';

export interface OrderedSteps {
  steps: readonly Step[];
  /** The steps that each waits for by its `after`; steps without it are not in here. */
  after: ReadonlyMap<Step, readonly Step[]>;
  problems: readonly Problem[];
}

/** Steps that ran before: of the same sub-stage, from earlier sources. `after` may name them. */
export type DoneSteps = readonly { document: CloudConfig; step: Step }[];

/**
 * Orders the steps of one stage in the documents of one source: always the first step that isn't done and whose
 * `after` targets are done. Unknown names and cycles are warned about and don't hold anything up.
 */
export function orderSteps(documents: readonly CloudConfig[], stage: string, done: DoneSteps = []): OrderedSteps {
  const problems: Problem[] = [];
  const entries = documents.flatMap((document) =>
    (document.stages.get(stage) ?? []).map((step) => ({ document, step })),
  );
  // Nearly every stage has no `after` at all.
  if (entries.every(({ step }) => step.values.after === undefined)) {
    return { steps: entries.map(({ step }) => step), after: new Map(), problems };
  }
  const names = new NameIndex([...done, ...entries]);
  const waitsFor = new Map<Step, Set<Step>>();
  const finished = new Set(done.map(({ step }) => step));
  const after = new Map<Step, Step[]>();
  for (const { step } of entries) {
    const targets = new Set<Step>();
    const named: Step[] = [];
    for (const name of step.values.after ?? []) {
      const found = names.find(name);
      if (found.length === 0) {
        problems.push(warning(step, `"after: ${name}" names no step that is known here; it is ignored`));
      }
      for (const target of found) {
        if (target === step) problems.push(warning(step, `"after: ${name}" names the step itself; it is ignored`));
        else {
          named.push(target);
          if (!finished.has(target)) targets.add(target);
        }
      }
    }
    if (named.length > 0) after.set(step, named);
    waitsFor.set(step, targets);
  }

  const pending = new Set(entries.map(({ step }) => step));
  const steps: Step[] = [];
  while (pending.size > 0) {
    let next = firstReady(pending, waitsFor);
    if (next === undefined) {
      // Everything left waits for something: the first step in file order goes ahead.
      const [first] = pending;
      if (first === undefined) break;
      const path = cyclePath(first, waitsFor).map(describeStep).join(' → ');
      problems.push(warning(first, `"after" goes in a circle (${path}); this step runs without waiting`));
      next = first;
    }
    pending.delete(next);
    for (const targets of waitsFor.values()) targets.delete(next);
    steps.push(next);
  }
  return { steps, after, problems };
}

function firstReady(pending: ReadonlySet<Step>, waitsFor: ReadonlyMap<Step, ReadonlySet<Step>>): Step | undefined {
  for (const step of pending) if (waitsFor.get(step)?.size === 0) return step;
  return undefined;
}

function cyclePath(start: Step, waitsFor: ReadonlyMap<Step, ReadonlySet<Step>>): Step[] {
  const path: Step[] = [];
  let current: Step | undefined = start;
  while (current !== undefined && !path.includes(current)) {
    path.push(current);
    [current] = waitsFor.get(current) ?? [];
  }
  return current === undefined ? path : [...path.slice(path.indexOf(current)), current];
}

function describeStep(step: Step): string {
  return step.values.name ?? `${step.file}:${step.line}`;
}

/**
 * Names that `after` may use. yip's operation name is `DOCUMENT.STEP`, with the file for a document without a name,
 * the index for a step without one, and the index appended when names repeat; bare names are understood when unique.
 */
class NameIndex {
  readonly #full = new Map<string, Set<Step>>();
  readonly #bare = new Map<string, Set<Step>>();
  readonly #documents = new Map<string, Map<string, Step[]>>();

  constructor(entries: DoneSteps) {
    for (const { document, step } of entries) {
      for (const root of [document.name, document.file]) {
        if (root === undefined) continue;
        const { name = '' } = step.values;
        // yip writes `FILE..0` for the first of several unnamed steps, and `FILE.0` when there is only one.
        const forms =
          name === '' ? [`${step.index}`, `.${step.index}`] : [name, `${name}.${step.index}`, `${step.index}`];
        for (const form of forms) add(this.#full, `${root}.${form}`, step);
        const files = this.#documents.get(root) ?? new Map<string, Step[]>();
        files.set(document.file, [...(files.get(document.file) ?? []), step]);
        this.#documents.set(root, files);
      }
      if (step.values.name) add(this.#bare, step.values.name, step);
    }
  }

  find(name: string): readonly Step[] {
    const full = this.#full.get(name);
    if (full !== undefined) return [...full];
    const bare = this.#bare.get(name);
    if (bare?.size === 1) return [...bare];
    const files = this.#documents.get(name);
    return files?.size === 1 ? [...files.values()].flat() : [];
  }
}

function add(map: Map<string, Set<Step>>, key: string, step: Step): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, new Set([step]));
  else known.add(step);
}

function warning({ file, line, column, stage }: Step, message: string): Problem {
  const hint = 'a step is named "DOCUMENT.STEP" with the names of its file and of itself';
  return { severity: 'warning', message, hint, location: { file, line, column }, stage };
}
