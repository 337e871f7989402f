// What can be seen only over the steps of several files: names in `after` that nobody has, circles, and steps that share a
// name. For people who write files; running them says the same of the stage that runs.

import type { CloudConfig } from '../cloudconfig/document.ts';
import type { Problem } from '../cloudconfig/problem.ts';
import type { Step } from '../cloudconfig/step.ts';
import { CONDITION_KEYS } from '../cloudconfig/stepkeys.ts';
import { orderSteps } from './order.ts';

/** Problems of the documents of one source, all stages. Files of other sources aren't known here. */
export function lintDocuments(documents: readonly CloudConfig[]): Problem[] {
  const stages = new Set(documents.flatMap((document) => [...document.stages.keys()]));
  return [...stages].flatMap((stage) => [
    ...orderSteps(documents, stage).problems,
    ...documents.flatMap((document) => sharedNames(document.stages.get(stage) ?? [])),
  ]);
}

/** Within one file and stage. Steps with a condition may be alternatives, of which one runs: they may share a name. */
function sharedNames(steps: readonly Step[]): Problem[] {
  const first = new Map<string, Step>();
  return steps.flatMap((step): Problem[] => {
    const { name } = step.values;
    if (!name || CONDITION_KEYS.some((key) => step.values[key] !== undefined)) return [];
    const known = first.get(name);
    if (known === undefined) {
      first.set(name, step);
      return [];
    }
    const { file, line, column, stage } = step;
    return [
      {
        severity: 'warning',
        message: `the step in line ${known.line} has the name "${name}" as well; both run, but "after" can't tell them apart`,
        location: { file, line, column },
        stage,
      },
    ];
  });
}
