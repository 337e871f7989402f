// What COS_STATE remembers of boot assessment beside GRUB's block: which image is on trial, and which images have failed
// and why, so that an upgrade doesn't bring one back. Bounded, replaced as a whole, and never in the way: a damaged
// record is an empty one that says so.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { roundSchema } from '../slots/state-file.ts';
import { readTextWithin } from '../system/boundedtext.ts';
import { writeFileDurably } from '../system/durable.ts';
import { messageOf } from '../system/errors.ts';

/** Relative to COS_STATE. */
export const ASSESSMENT_RECORD = 'boot_assessment.json';
/** More failures than this are forgotten, the oldest first. */
export const MAX_FAILED = 8;
const MAX_BYTES = 256 << 10;
const MAX_CHECKS = 16;
const MAX_TEXT = 2000;

const text = z.string().transform((value) => value.slice(-MAX_TEXT));

const checkSchema = z.looseObject({
  /** The path of a check's program, or what holdfast itself looks at. */
  name: text,
  message: text,
  /** The last lines that it printed. */
  outputTail: text.optional(),
});

const imageFields = {
  /** File system UUID of the slot file; `unknown` where GRUB could not tell. */
  uuid: z.string(),
  /** Of the image's manifest; absent for sources without one. */
  digest: z.string().optional(),
  source: text.default(''),
  /** The system's own name for itself. */
  name: text.optional(),
  /** The round of a cluster's upgrade that brought it. */
  round: roundSchema,
};

const failedSchema = z.looseObject({
  ...imageFields,
  /** RFC 3339. */
  failedAt: z.string(),
  /** One sentence. */
  reason: text,
  checks: z.array(checkSchema).max(MAX_CHECKS).default([]),
});

const pendingSchema = z.looseObject({
  ...imageFields,
  /** When the upgrade put it there; RFC 3339. */
  since: z.string(),
  /** Units that had failed in the system before it: they are no reason to fall back. */
  failedUnits: z.array(z.string()).max(256).default([]),
  /** How often its trial was broken off by a restart in order. */
  postponed: z.number().int().min(0).default(0),
});

const recordSchema = z.looseObject({
  pending: pendingSchema.optional(),
  failed: z.array(failedSchema).default([]),
});

export type FailedCheck = z.infer<typeof checkSchema>;
export type FailedImage = z.infer<typeof failedSchema>;
export type PendingImage = z.infer<typeof pendingSchema>;
export interface AssessmentRecord {
  pending?: PendingImage | undefined;
  /** Newest first. */
  failed: readonly FailedImage[];
}

/** Parses the record's text. @throws whatever is wrong with it. */
export function parseAssessmentRecord(content: string): AssessmentRecord {
  const { pending, failed } = recordSchema.parse(JSON.parse(content));
  return { ...(pending === undefined ? {} : { pending }), failed: failed.slice(0, MAX_FAILED) };
}

export function readAssessmentRecord(stateDirectory: string): { record: AssessmentRecord; problem?: string } {
  const file = join(stateDirectory, ASSESSMENT_RECORD);
  if (!existsSync(file)) return { record: { failed: [] } };
  try {
    return { record: parseAssessmentRecord(readTextWithin(file, MAX_BYTES)) };
  } catch (error) {
    return { record: { failed: [] }, problem: `${file} can't be read and counts as empty: ${messageOf(error)}` };
  }
}

export function writeAssessmentRecord(stateDirectory: string, record: AssessmentRecord): void {
  writeFileDurably(join(stateDirectory, ASSESSMENT_RECORD), `${JSON.stringify(record, undefined, 2)}\n`, {
    mode: 0o600,
  });
}

/** The record with a failure added, in place of an earlier one of the same image. */
export function withFailure(record: AssessmentRecord, failure: FailedImage): AssessmentRecord {
  const bounded = {
    ...failure,
    reason: failure.reason.slice(0, MAX_TEXT),
    checks: failure.checks.slice(0, MAX_CHECKS).map((check) => ({
      ...check,
      message: check.message.slice(0, MAX_TEXT),
      ...(check.outputTail === undefined ? {} : { outputTail: check.outputTail.slice(-MAX_TEXT) }),
    })),
  };
  return { failed: [bounded, ...record.failed.filter((other) => !isSameImage(other, failure))].slice(0, MAX_FAILED) };
}

/** The record without the failures of an image: it has proved that it works. */
export function withoutFailure(record: AssessmentRecord, image: { uuid: string; digest?: string | undefined }) {
  return { failed: record.failed.filter((other) => !isSameImage(other, image)) };
}

type Identity = { uuid: string; digest?: string | undefined };

function isSameImage(one: Identity, other: Identity): boolean {
  return one.uuid === other.uuid || (one.digest !== undefined && one.digest === other.digest);
}
