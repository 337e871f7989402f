// The stage files of this machine, read as the boot reads them: what a stage would pass over, with the place in the file.

import { examiner } from '../cloudconfig/examiner.ts';
import type { Problem } from '../cloudconfig/problem.ts';
import { readExtraSources } from '../lifecycle/extra-sources.ts';
import { lintDocuments } from '../stages/lint.ts';
import { defaultSources, isUrl, SourceReader } from '../stages/sources.ts';
import { type Finding, inArea } from './finding.ts';
import type { Patient } from './patient.ts';

export interface StageFileFacts {
  /** Of the files that were read. */
  count: number;
  problems: readonly Problem[];
  /** Sources on the web, which are not asked. */
  remote: number;
}

const { ok, warning, failed } = inArea('stage files');
/** Of one kind; the rest is counted. */
const MOST = 8;

/** Pure. */
export function judgeStageFiles({ count, problems, remote }: StageFileFacts): Finding[] {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const warnings = problems.filter(({ severity }) => severity !== 'error');
  const elsewhere = remote === 0 ? '' : `; ${remote} more on the web ${remote === 1 ? 'was' : 'were'} not read`;
  const findings = [
    ...listed(errors, failed, 'what is wrong there does not run'),
    ...listed(warnings, warning, 'it may not do what is meant'),
  ];
  if (errors.length + warnings.length === 0) {
    findings.push(ok(`${count} stage file${count === 1 ? '' : 's'} without a problem${elsewhere}`));
  }
  return findings;
}

function listed(problems: readonly Problem[], say: typeof warning, why: string): Finding[] {
  const first = problems
    .slice(0, MOST)
    .map(({ message, location: { file, line } }) =>
      say(`${file}:${line}: ${message}`, why, `holdfast validate ${file}`),
    );
  const rest = problems.length - first.length;
  return rest > 0
    ? [...first, say(`${rest} more like these`, why, `holdfast validate ${defaultSources.join(' ')}`)]
    : first;
}

export async function checkStageFiles({ root }: Patient): Promise<Finding[]> {
  const { sources, problems: settingsProblems } = await readExtraSources(root);
  const reader = new SourceReader(root, { examiner });
  const problems: Problem[] = [...settingsProblems];
  let count = 0;
  for (const source of [...defaultSources, ...sources.filter((each) => !isUrl(each))]) {
    const content = reader.read(source);
    count += content.documents.length;
    problems.push(...content.problems, ...lintDocuments(content.documents));
  }
  return judgeStageFiles({ count, problems, remote: sources.filter(isUrl).length });
}
