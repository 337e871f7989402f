// `holdfast doctor`: what is right and what is wrong with this machine, and the command that mends it.

import { examine } from '../doctor/examine.ts';
import { AREAS, type Area, type Finding, type FindingOutcome } from '../doctor/finding.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Paint } from '../system/paint.ts';
import { labelsHere } from './labels-here.ts';
import type { CommandContext } from './program.ts';

/** @returns 0, 2 when something is to be looked at, 3 when something is broken. */
export async function doctorCommand(
  context: CommandContext,
  words: string[],
  flags: { all?: boolean },
): Promise<number> {
  const { reporter, signal, commandLine } = context;
  const areas = words.map(areaOf);
  const { exitStatus, outcome, findings, problems } = await examine({
    labels: await labelsHere(),
    events: reporter.events,
    signal,
    command: commandLine,
    ...(areas.length > 0 && { areas }),
  });
  for (const text of problems) reporter.events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
  const lines = findingLines(findings, { all: flags.all ?? areas.length > 0, paint: reporter.paint });
  reporter.result({ outcome, findings, problems }, lines);
  return exitStatus;
}

/** `stage-files` for the area "stage files". */
function areaOf(word: string): Area {
  const area = AREAS.find((each) => each === word || each.replaceAll(' ', '-') === word);
  if (area !== undefined) return area;
  throw new HoldfastError('HF-USAGE', `there is nothing called ${JSON.stringify(word)} to look at`, {
    hint: `there is ${AREAS.map((each) => each.replaceAll(' ', '-')).join(', ')}`,
  });
}

const MARKS: Readonly<Record<FindingOutcome, string>> = { ok: '✓', skipped: '–', warning: '!', failed: '✗' };

/**
 * Findings for people: what is wrong in full, and of each area where all is well one line.
 * @param options.all every finding.
 */
export function findingLines(findings: readonly Finding[], { all, paint }: { all: boolean; paint: Paint }): string[] {
  const width = Math.max(...AREAS.map((area) => area.length));
  const paintOf = { ok: paint.green, skipped: paint.dim, warning: paint.yellow, failed: paint.red };
  const line = ({ area, outcome, message, why, mend }: Finding): string[] => [
    `${paintOf[outcome](MARKS[outcome])} ${area.padEnd(width)}  ${message}`,
    ...(why === undefined ? [] : [`  ${' '.repeat(width)}  ${paint.dim(`so: ${why}`)}`]),
    ...(mend === undefined ? [] : [`  ${' '.repeat(width)}  to mend it: ${mend}`]),
  ];
  const lines = AREAS.flatMap((area) => {
    const own = findings.filter((finding) => finding.area === area);
    const trouble = own.filter(({ outcome }) => outcome === 'failed' || outcome === 'warning');
    if (all) return own.flatMap(line);
    return (trouble.length > 0 ? trouble : own.slice(0, 1)).flatMap(line);
  });
  const count = (wanted: FindingOutcome) => findings.filter(({ outcome }) => outcome === wanted).length;
  const [broken, odd] = [count('failed'), count('warning')];
  const parts = [
    ...(broken > 0 ? [`${broken} thing${broken === 1 ? ' is' : 's are'} broken`] : []),
    ...(odd > 0 ? [`${odd} ${odd === 1 ? 'wants' : 'want'} a look`] : []),
  ];
  return [...lines, '', parts.length === 0 ? 'Nothing is wrong.' : `${parts.join(', ')}.`];
}
