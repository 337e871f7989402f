// Boot assessment as lifecycle actions use it: what they must know before they plan, and the few calls that they make.
// The caller holds the lock of actions and has COS_STATE mounted writable.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ASSESSMENT_BLOCK,
  ASSESSMENT_SCRIPT,
  type AssessmentVariables,
  armed,
  assessedBoot,
  assessmentVariables,
  disarmed,
  ELSEWHERE,
  ended,
} from '../boot/assessment.ts';
import { placeAssessment } from '../boot/assessment-files.ts';
import { parseCommandLine } from '../boot/command-line.ts';
import { type EnvironmentChanges, readGrubEnvironment, writeGrubEnvironment } from '../boot/grub-environment.ts';
import type { RolloutRound } from '../slots/state-file.ts';
import { freezeAndThaw } from '../system/durable.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { run } from '../system/process.ts';
import {
  type AssessmentRecord,
  type FailedImage,
  readAssessmentRecord,
  withoutFailure,
  writeAssessmentRecord,
} from './assessment-record.ts';
import { displayName } from './image-name.ts';

/** What a plan depends on. */
export interface AssessmentFacts {
  /** Images that have failed after an upgrade, newest first. */
  failed: readonly FailedImage[];
  /** The running system is on trial and has not proved itself: it must not replace the passive one. */
  unproven: boolean;
  /** What could not be read, as sentences. */
  problems: readonly string[];
}

/** @param places another machine's files, for tests. */
export function inspectAssessment(stateDirectory: string, places: { commandLine?: string } = {}): AssessmentFacts {
  const { record, problem } = readAssessmentRecord(stateDirectory);
  const commandLine = parseCommandLine(places.commandLine ?? readFileSync('/proc/cmdline', 'utf8'));
  return {
    failed: record.failed,
    unproven: assessedBoot(commandLine) === 'trial' && readAssessmentVariables(stateDirectory).begun,
    problems: problem === undefined ? [] : [problem],
  };
}

/** What the blocks say; nothing where they can't be read: GRUB reads nothing from them either. */
export function readAssessmentVariables(stateDirectory: string, oemDirectory?: string): AssessmentVariables {
  const files = [
    ...(oemDirectory === undefined ? [] : [join(oemDirectory, 'grubenv')]),
    join(stateDirectory, ASSESSMENT_BLOCK),
  ];
  return assessmentVariables(new Map(files.flatMap((file) => [...variablesOf(file)])));
}

function variablesOf(file: string): ReadonlyMap<string, string> {
  try {
    return readGrubEnvironment(file);
  } catch {
    return new Map();
  }
}

/**
 * Refuses an image that has failed after an upgrade.
 * @throws HoldfastError HF-FAILED-IMAGE that says when and why.
 */
export function refuseFailedImage(
  facts: Pick<AssessmentFacts, 'failed'>,
  image: { digest: string | undefined; source: string },
  options: { force: boolean },
): void {
  if (options.force || image.digest === undefined) return;
  const failure = facts.failed.find(({ digest }) => digest === image.digest);
  if (failure === undefined) return;
  const [check] = failure.checks;
  throw new HoldfastError(
    'HF-FAILED-IMAGE',
    `${displayName(image.source)} did not prove itself on this machine on ${failure.failedAt}: ${failure.reason}`,
    {
      hint: 'upgrade to an image that is mended; --force tries this one again',
      ...(check?.outputTail === undefined ? {} : { outputTail: check.outputTail }),
    },
  );
}

export interface ArmOptions {
  /** Of the new system: file system UUID, digest, source, its name for itself. */
  image: {
    uuid: string;
    digest?: string | undefined;
    source: string;
    name?: string | undefined;
    round?: RolloutRound | undefined;
  };
  /** RFC 3339. */
  now: string;
  /** `boot-assessment: false` in the settings. */
  enabled: boolean;
  /** Where COS_OEM is mounted, if it is. */
  oemDirectory?: string | undefined;
}

/**
 * Makes the next boot of a new system a trial. It may be called before the switch: until that image is active nothing
 * comes of it, so that a power cut between the two can't leave a new system unassessed.
 * @returns what is to be told, as sentences.
 */
export async function armAssessment(
  stateDirectory: string,
  options: ArmOptions,
): Promise<{ warnings: string[]; notices: string[] }> {
  const { image, now, enabled, oemDirectory } = options;
  if (!enabled) {
    if (hasAssessment(stateDirectory)) writeVariables(stateDirectory, oemDirectory, disarmed());
    return { warnings: [], notices: [] };
  }
  const { renamed, obstacle } = placeAssessment(stateDirectory, await assessmentScript());
  const { record, problem } = readAssessmentRecord(stateDirectory);
  writeAssessmentRecord(stateDirectory, {
    ...record,
    pending: { ...image, since: now, failedUnits: await failedUnits(), postponed: 0 },
  });
  if (renamed) await freezeAndThaw(stateDirectory);
  writeVariables(stateDirectory, oemDirectory, armed(image.uuid));
  const present = (text: string | undefined) => (text === undefined ? [] : [text]);
  return { warnings: present(problem), notices: present(obstacle) };
}

/** Puts the files on a new COS_STATE. Nothing is on trial after an install or a reset: both slots hold the same system. */
export async function prepareAssessment(stateDirectory: string): Promise<void> {
  const { renamed } = placeAssessment(stateDirectory, await assessmentScript());
  if (renamed) await freezeAndThaw(stateDirectory);
}

/**
 * Ends whatever is due, under way or remembered for GRUB: the owner chose what is active (rollback, reset,
 * `boot --default`). Which images have failed is remembered for upgrades; `image` isn't any more.
 */
export function forgetAssessment(
  stateDirectory: string,
  options: { oemDirectory?: string | undefined; image?: { uuid: string; digest?: string | undefined } } = {},
): void {
  if (!hasAssessment(stateDirectory)) return;
  writeVariables(stateDirectory, options.oemDirectory, ended());
  const { record } = readAssessmentRecord(stateDirectory);
  const next: AssessmentRecord =
    options.image === undefined ? { failed: record.failed } : withoutFailure(record, options.image);
  if (record.pending !== undefined || next.failed.length !== record.failed.length) {
    writeAssessmentRecord(stateDirectory, next);
  }
}

/** A COS_STATE of before holdfast may have neither file; it doesn't get one just to say that nothing is due. */
function hasAssessment(stateDirectory: string): boolean {
  return [ASSESSMENT_BLOCK, ASSESSMENT_SCRIPT].some((name) => existsSync(join(stateDirectory, name)));
}

/** Changes the block, and takes out of OEM's what GRUB could only write there. */
export function writeVariables(
  stateDirectory: string,
  oemDirectory: string | undefined,
  changes: EnvironmentChanges,
): void {
  writeGrubEnvironment(join(stateDirectory, ASSESSMENT_BLOCK), changes);
  const elsewhere = join(oemDirectory ?? '/nonexistent', 'grubenv');
  const found = variablesOf(elsewhere);
  const names = Object.keys(ELSEWHERE).filter((name) => name in changes && found.has(name));
  if (names.length > 0) writeGrubEnvironment(elsewhere, ELSEWHERE);
}

/** The text of grub_boot_assessment. */
export async function assessmentScript(): Promise<string> {
  const { OS_FILES } = await import('../boot/os-files.generated.ts');
  const file = OS_FILES[`/usr/lib/holdfast/${ASSESSMENT_SCRIPT}`];
  if (file === undefined || !('text' in file))
    throw new HoldfastError('HF-GRUB', 'this program has no assessment script');
  return file.text;
}

/** Units that have failed in the running system; none where no systemd runs. */
export async function failedUnits(): Promise<string[]> {
  if (!existsSync('/run/systemd/system')) return [];
  try {
    const { stdout } = await run(['systemctl', 'list-units', '--state=failed', '--no-legend', '--plain'], {
      timeoutMs: 20_000,
    });
    return parseUnitNames(stdout);
  } catch (error) {
    // Only fewer units are excused then.
    return [`unknown: ${messageOf(error)}`];
  }
}

/** The first word of each line of `systemctl list-units --no-legend --plain`. */
export function parseUnitNames(listing: string): string[] {
  return listing.split('\n').flatMap((line) => line.trim().replace(/^●\s*/, '').split(/\s+/)[0] || []);
}
