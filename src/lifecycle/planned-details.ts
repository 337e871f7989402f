// What a kept plan says, and what its hooks wrote outside of the new system: one file beside the plan's record, which holds
// its digest, so that a damaged one is never applied.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { PLANNED_DETAILS } from '../slots/names.ts';
import { HoldfastError } from '../system/errors.ts';
import type { PlannedRecord } from './planned-record.ts';
import type { PlannedWrite } from './planned-writes.ts';

export interface PlannedDetails {
  /** As the preview has it; nothing here looks into it. */
  document: unknown;
  writes: readonly PlannedWrite[];
}

/** The file's bytes, and the digest that the plan's record must hold. */
export function packPlannedDetails(details: PlannedDetails): { bytes: Buffer; digest: string } {
  const bytes = gzipSync(JSON.stringify(details));
  return { bytes, digest: sha256(bytes) };
}

const detailsSchema = z.strictObject({
  document: z.unknown(),
  writes: z.array(
    z.strictObject({
      partition: z.enum(['oem', 'persistent']),
      path: z
        .string()
        .refine((path) => path !== '' && path.split('/').every((part) => !/^\.{0,2}$/.test(part)), 'a path'),
      what: z.enum(['written', 'removed']),
      before: z.string(),
      after: z.string(),
    }),
  ),
});

const MAX_DETAILS_BYTES = 256 << 20;

/**
 * What belongs to a kept plan.
 * @throws HoldfastError HF-PLAN when it is not what was written.
 */
export function readPlannedDetails(stateDirectory: string, record: PlannedRecord): PlannedDetails {
  try {
    const bytes = readFileSync(join(stateDirectory, PLANNED_DETAILS));
    if (sha256(bytes) !== record.details) throw new Error('it is damaged');
    const { document, writes } = detailsSchema.parse(
      JSON.parse(gunzipSync(bytes, { maxOutputLength: MAX_DETAILS_BYTES }).toString('utf8')),
    );
    return { document, writes };
  } catch (error) {
    throw new HoldfastError('HF-PLAN', `/${PLANNED_DETAILS} of the plan ${record.id} can't be used`, {
      cause: error,
      hint: 'make a new plan: holdfast upgrade --plan IMAGE',
    });
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
