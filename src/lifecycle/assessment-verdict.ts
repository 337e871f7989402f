// What a verdict on a boot leaves on COS_STATE: variables for GRUB, and the record of images that failed. The caller holds
// the lock of actions and has COS_STATE writable.

import { ended, failed, putBack } from '../boot/assessment.ts';
import type { EnvironmentChanges } from '../boot/grub-environment.ts';
import { readAssessmentVariables, writeVariables } from './assessment.ts';
import {
  type AssessmentRecord,
  type FailedCheck,
  type FailedImage,
  readAssessmentRecord,
  withFailure,
  withoutFailure,
  writeAssessmentRecord,
} from './assessment-record.ts';

export interface VerdictPlaces {
  stateDirectory: string;
  oemDirectory?: string | undefined;
}

/** A slot's content: file system UUID, and what the records call it. */
export interface JudgedSystem {
  uuid: string;
  source?: string | undefined;
  name?: string | undefined;
}

/** An upgrade during the trial has armed for its own image: that stays. */
function sparing({ stateDirectory, oemDirectory }: VerdictPlaces, changes: EnvironmentChanges): EnvironmentChanges {
  const { armed, begun } = readAssessmentVariables(stateDirectory, oemDirectory);
  if (begun || !armed) return changes;
  return { boot_assessment_failed: changes['boot_assessment_failed'] };
}

/** The system has proved that it works. */
export function noteSuccess(places: VerdictPlaces, system: JudgedSystem): void {
  const { stateDirectory, oemDirectory } = places;
  writeVariables(stateDirectory, oemDirectory, sparing(places, ended()));
  const { record } = readAssessmentRecord(stateDirectory);
  const own = ownPending(record, system);
  const next = withoutFailure(record, { uuid: system.uuid, digest: own?.digest });
  if (own === undefined && next.failed.length === record.failed.length) return;
  writeAssessmentRecord(stateDirectory, { ...next, ...(own === undefined ? keptPending(record) : {}) });
}

/** The system has not; GRUB goes to the passive slot until another image is active. */
export function noteFailure(
  places: VerdictPlaces,
  system: JudgedSystem,
  failure: { reason: string; checks: readonly FailedCheck[]; now: string },
): FailedImage {
  const { stateDirectory, oemDirectory } = places;
  const { record } = readAssessmentRecord(stateDirectory);
  const own = ownPending(record, system);
  // Only an image that failed after an upgrade is refused later: one that worked before may work again.
  const known = own ?? record.failed.find(({ uuid }) => uuid === system.uuid);
  const entry: FailedImage = {
    uuid: system.uuid,
    ...(known?.digest === undefined ? {} : { digest: known.digest }),
    ...(known?.round === undefined ? {} : { round: known.round }),
    source: known?.source ?? system.source ?? 'unknown',
    ...((known?.name ?? system.name) === undefined ? {} : { name: known?.name ?? system.name }),
    failedAt: failure.now,
    reason: failure.reason,
    checks: [...failure.checks],
  };
  writeAssessmentRecord(stateDirectory, {
    ...withFailure(record, entry),
    ...(own === undefined ? keptPending(record) : {}),
  });
  writeVariables(stateDirectory, oemDirectory, sparing(places, failed(system.uuid)));
  return entry;
}

/**
 * The active system has failed before this boot, which is the fallback's: what is remembered of it.
 * @returns the failure, or undefined when nothing is written about it yet.
 */
export function findFailure(places: VerdictPlaces, activeUuid: string | undefined): FailedImage | undefined {
  const uuid = failedUuid(places, activeUuid);
  return readAssessmentRecord(places.stateDirectory).record.failed.find((failure) => failure.uuid === uuid);
}

/** The image that GRUB says has failed; `unknown` where neither GRUB nor this system could tell. */
export function failedUuid({ stateDirectory, oemDirectory }: VerdictPlaces, activeUuid: string | undefined): string {
  const named = readAssessmentVariables(stateDirectory, oemDirectory).failed;
  return named === undefined || named === 'yes' ? (activeUuid ?? 'unknown') : named;
}

/** The trial didn't take place: another slot was chosen by hand. */
export function putTrialBack({ stateDirectory, oemDirectory }: VerdictPlaces): void {
  writeVariables(stateDirectory, oemDirectory, putBack());
}

/** A system that restarts itself in order again and again has not proved anything either. */
export const MAX_POSTPONED = 3;

/**
 * Somebody restarts the machine in order before there is a verdict: the next boot is a trial again.
 * @returns false when that has been so too often, and the next start counts as a failure.
 */
export function postponeTrial(places: VerdictPlaces, system: JudgedSystem): boolean {
  const { record } = readAssessmentRecord(places.stateDirectory);
  const own = ownPending(record, system);
  if (own !== undefined) {
    if (own.postponed >= MAX_POSTPONED) return false;
    writeAssessmentRecord(places.stateDirectory, { ...record, pending: { ...own, postponed: own.postponed + 1 } });
  }
  putTrialBack(places);
  return true;
}

function ownPending({ pending }: AssessmentRecord, { uuid }: JudgedSystem) {
  return pending?.uuid === uuid ? pending : undefined;
}

function keptPending({ pending }: AssessmentRecord): Pick<AssessmentRecord, 'pending'> {
  return pending === undefined ? {} : { pending };
}
