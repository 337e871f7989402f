// `holdfast kubernetes validate`: every problem of the Plans in files, with its line and a caret. Nothing is asked of a cluster.

import type { Problem } from '../cloudconfig/problem.ts';
import { LIMITS, YamlError } from '../cloudconfig/yamltext.ts';
import { type CheckOptions, checkPlan } from '../kubernetes/plan-check.ts';
import { parseControllerVersion } from '../kubernetes/plan-controller.ts';
import { itemsOf, readObjects } from '../kubernetes/plan-yaml.ts';
import { renderProblems } from '../stages/report.ts';
import { readPipeWithin, readStreamWithin, readTextWithin } from '../system/boundedtext.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { CommandContext } from './program.ts';

interface ValidateFlags {
  controller?: string;
  nodes?: string;
  strict?: boolean;
}

interface CheckedFile {
  file: string;
  plans: number;
  outcome: 'ok' | 'failed';
  problems: Problem[];
}

/** @returns 0, or 1 when there is an error (with `strict`, a warning). */
export async function kubernetesValidateCommand(
  { reporter }: CommandContext,
  files: string[],
  { controller, nodes, strict = false }: ValidateFlags,
): Promise<number> {
  const options: CheckOptions = {
    controller: controller === undefined ? undefined : parseControllerVersion(controller),
    nodes: nodes === undefined ? undefined : nodeCount(nodes),
  };
  const report: CheckedFile[] = [];
  for (const file of files) report.push(await checkFile(file, options));
  const all = report.flatMap(({ problems }) => problems);
  const errors = all.filter(({ severity }) => severity === 'error').length;
  const warnings = all.length - errors;
  const plans = report.reduce((sum, each) => sum + each.plans, 0);
  const failed = errors > 0 || (strict && warnings > 0);
  const count = (number: number, word: string) => `${number === 0 ? 'no' : number} ${word}${number === 1 ? '' : 's'}`;
  reporter.result({ outcome: failed ? 'failed' : 'ok', plans, errors, warnings, files: report }, [
    ...renderProblems(all, reporter.paint),
    `${count(plans, 'Plan')} checked: ${count(errors, 'error')}, ${count(warnings, 'warning')}`,
  ]);
  return failed ? 1 : 0;
}

async function checkFile(named: string, options: CheckOptions): Promise<CheckedFile> {
  const file = named === '-' ? '<stdin>' : named;
  try {
    const text = await readText(named);
    const checked = readObjects(text, file)
      .flatMap(itemsOf)
      .flatMap((object) => checkPlan(object, options) ?? []);
    const problems = checked.flatMap((each) => each.problems);
    if (checked.length === 0) {
      const message = 'there is no Plan in it';
      problems.push({ severity: 'warning', message, location: { file, line: 1, column: 1 } });
    }
    return { file, plans: checked.length, problems, outcome: hasError(problems) ? 'failed' : 'ok' };
  } catch (error) {
    const place =
      error instanceof YamlError
        ? { message: error.message, location: error.location, ...(error.hint !== undefined && { hint: error.hint }) }
        : { message: `it can't be read: ${messageOf(error)}`, location: { file, line: 1, column: 1 } };
    return { file, plans: 0, outcome: 'failed', problems: [{ severity: 'error', ...place }] };
  }
}

async function readText(file: string): Promise<string> {
  if (file === '-') return readStreamWithin(process.stdin, LIMITS.textBytes);
  return (await readPipeWithin(file, LIMITS.textBytes)) ?? readTextWithin(file, LIMITS.textBytes);
}

function hasError(problems: readonly Problem[]): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

function nodeCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new HoldfastError('HF-USAGE', `--nodes ${JSON.stringify(text)} is no number of nodes`);
}
