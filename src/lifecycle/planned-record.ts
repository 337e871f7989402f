// The plan that is kept on COS_STATE: a built slot that nothing boots from, and beside it what it was made from. The two
// files count only together: planned.json is written last and names the file system of the slot. Read back, it is input
// like any other.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { slotId } from '../slots/identify.ts';
import { PLANNED_FILE, PLANNED_RECORD } from '../slots/names.ts';
import { type Deployment, FROM_ACTIONS } from '../slots/state-file.ts';
import { readTextWithin } from '../system/boundedtext.ts';
import { writeFileDurably } from '../system/durable.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';

const MAX_BYTES = 1 << 20;

const text = z.string().max(4096);
const hex = z.string().regex(/^[0-9a-f]{64}$/);

// What others write down with a slot goes along with it.
const deployment: z.ZodType<Deployment> = z.looseObject({
  source: text,
  digest: text.exactOptional(),
  layers: z.array(text).max(1024),
  uuid: text,
  date: text,
  fromAction: z.enum(FROM_ACTIONS),
  verified: text,
  fs: text.exactOptional(),
  os: text.exactOptional(),
  version: text.exactOptional(),
  versionFrom: z.enum(['IMAGE_VERSION', 'VERSION_ID']).exactOptional(),
  imageVersion: text.exactOptional(),
  overlay: z.string().max(8192).exactOptional(),
  changes: text.exactOptional(),
});

const inputs = z.strictObject({
  /** UUIDs of what was there; null: nothing. */
  running: text.nullable(),
  active: text.nullable(),
  passive: text.nullable(),
  /** By path: the digest of what hooks may have read. */
  files: z.record(text, text),
});

const schema = z.strictObject({
  version: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{12}$/),
  created: text,
  /** The system's own name for itself. */
  name: text,
  /** The record that the slot gets when it becomes active. */
  deployment,
  /** What of the request counts when it is applied. */
  request: z.strictObject({
    strictness: z.enum(['chroot', 'all', 'none']),
    assess: z.boolean(),
    allowDowngrade: z.boolean(),
    overlay: z.enum(['carry', 'leave']),
    /** Conflicts of the overlay that somebody has decided. */
    takes: z.array(z.strictObject({ path: text, winner: z.enum(['user', 'new']) })).max(10_000),
  }),
  slot: z.strictObject({ uuid: text, sizeBytes: z.number().int().positive(), digest: hex }),
  inputs,
  /** Digest of planned.details.gz, which holds what the plan says. */
  details: hex,
  /** What the plan takes on COS_STATE that goes with it. */
  heldBytes: z.number().int().nonnegative(),
  /** Conflicts of the overlay that were decided, as a digest; null: there was nothing to carry. */
  overlay: text.nullable(),
});

export type PlannedRecord = z.infer<typeof schema>;
export type PlannedInputs = z.infer<typeof inputs>;

/** What is kept: nothing, a plan, or something that is none and why. */
export type KeptPlan =
  | { state: 'none' }
  | { state: 'kept'; record: PlannedRecord }
  | { state: 'unusable'; reason: string };

/**
 * Looks at the kept plan without checking the slot's content; a few milliseconds.
 * @param stateDirectory where COS_STATE can be read.
 */
export async function readPlanned(stateDirectory: string): Promise<KeptPlan> {
  const file = join(stateDirectory, PLANNED_FILE);
  const recordFile = join(stateDirectory, PLANNED_RECORD);
  if (!existsSync(recordFile)) {
    if (!existsSync(file)) return { state: 'none' };
    return { state: 'unusable', reason: 'the plan was cut off while it was written' };
  }
  let record: PlannedRecord;
  try {
    record = parsePlanned(readTextWithin(recordFile, MAX_BYTES));
  } catch (error) {
    return { state: 'unusable', reason: `/${PLANNED_RECORD} can't be read: ${messageOf(error)}` };
  }
  const uuid = existsSync(file) ? await slotId(file) : undefined;
  if (uuid === undefined) return { state: 'unusable', reason: `the system that was built is gone (/${PLANNED_FILE})` };
  if (uuid !== record.slot.uuid) return { state: 'unusable', reason: `/${PLANNED_FILE} is not the system of the plan` };
  return { state: 'kept', record };
}

/** @throws an Error that says what is wrong in half a sentence. */
export function parsePlanned(content: string): PlannedRecord {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    throw new Error('it is no JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error(`${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'not what is expected'}`);
}

/** The room on COS_STATE that the next action gets by removing the kept plan, in bytes. */
export function plannedBytes(stateDirectory: string): number {
  const file = join(stateDirectory, PLANNED_FILE);
  if (!existsSync(file)) return 0;
  const storedBytes = statSync(file).blocks * 512;
  try {
    // Most of a clone's blocks are other files' as well.
    const { heldBytes } = parsePlanned(readTextWithin(join(stateDirectory, PLANNED_RECORD), MAX_BYTES));
    return Math.min(heldBytes, storedBytes);
  } catch {
    return 0;
  }
}

/**
 * The text of planned.json.
 * @throws HoldfastError HF-PLAN when it would be too large to be read again.
 */
export function renderPlanned(record: PlannedRecord): string {
  const content = `${JSON.stringify(record, null, 2)}\n`;
  try {
    if (Buffer.byteLength(content) > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES >> 20} MiB`);
    parsePlanned(content);
    return content;
  } catch (error) {
    throw new HoldfastError('HF-PLAN', `the plan can't be noted: ${messageOf(error)}`, {
      hint: 'run holdfast upgrade without --plan',
    });
  }
}

/** From here on the plan counts. */
export function writePlanned(stateDirectory: string, record: PlannedRecord): void {
  writeFileDurably(join(stateDirectory, PLANNED_RECORD), renderPlanned(record), { mode: 0o600 });
}
