// The shape of `holdfast status --json`, for programs that read it: `holdfast schema status`. A test holds it against what status
// prints, field by field.

import { z } from 'zod';
import { ENTRY_KINDS, ENTRY_OUTCOMES } from '../record/entry.ts';
import { SLOT_NAMES } from '../slots/names.ts';
import { FROM_ACTIONS } from '../slots/state-file.ts';
import { BOOT_STAGES } from '../stages/stagerecord.ts';
import { BOOT_MODES } from './boot-report.ts';
import { lastActionSchema } from './last-action.ts';

const text = z.string();
const count = z.int().nonnegative();
const bytes = z.number().nonnegative();
const date = text.describe('RFC 3339');

const deployment = z.looseObject({
  source: text.describe('the image as it was named'),
  digest: text.optional().describe('of the image’s manifest'),
  layers: z.array(text),
  uuid: text,
  date,
  fromAction: z.enum(FROM_ACTIONS),
  verified: text.describe('who vouches for the image, or NOT VERIFIED and why'),
  fs: text.optional(),
  os: text.optional(),
  version: text.optional(),
  versionFrom: z.enum(['IMAGE_VERSION', 'VERSION_ID']).optional(),
  imageVersion: text.optional(),
  overlay: text.optional(),
  changes: text.optional().describe('digest of what the owner’s stage files wanted of it when it was built'),
});

const slot = z.object({
  slot: z.enum(SLOT_NAMES),
  prettyName: text.optional(),
  uuid: text.optional(),
  sizeBytes: bytes.optional(),
  deployment: deployment.optional(),
  problem: text.optional(),
});

const stage = z.object({
  stage: z.enum(BOOT_STAGES),
  outcome: z.enum(['ok', 'skipped', 'failed', 'running']),
  startedAt: text,
  pid: count.optional(),
  durationMs: z.number().optional(),
  counts: z.object({ ok: count, skipped: count, failed: count, errors: count, warnings: count }),
  failures: z.array(
    z.object({
      file: text.optional(),
      line: z.number().optional(),
      column: z.number().optional(),
      subStage: text.optional(),
      name: text.optional(),
      message: text,
      outputTail: text.optional(),
    }),
  ),
  furtherFailures: count,
  told: text.optional(),
});

const attached = z.object({
  used: z.boolean(),
  device: text.optional(),
  path: text.optional(),
  source: text.optional(),
  file: text.optional(),
  fp: text.optional(),
  reason: text.optional(),
  message: text.optional(),
  backing: text.optional(),
  base: text.optional(),
  readonly: z.boolean(),
  permission: z.enum(['rw', 'ro']),
});

const assessment = z.object({
  boot: text,
  outcome: z.enum(['running', 'passed', 'failed', 'fallback', 'put-back']),
  at: text,
  system: text.optional(),
  reason: text.optional(),
  checks: z.array(
    z.object({ name: text, outcome: z.enum(['ok', 'failed']), message: text, outputTail: text.optional() }),
  ),
  problem: text.optional(),
});

const layout = z.object({
  version: z.literal(1),
  outcome: z.enum(['ok', 'skipped', 'failed']),
  reason: text.optional(),
  notices: z.array(text),
  mounts: z.array(z.object({ path: text, kind: text, source: text, keptIn: text.optional(), persistent: z.boolean() })),
  durationMs: z.number(),
});

const recent = z.object({
  id: text.describe('for `holdfast history ID`'),
  kind: z.enum(ENTRY_KINDS),
  name: text,
  outcome: z.enum(ENTRY_OUTCOMES),
  date,
  message: text.optional(),
});

export const statusSchema = z.object({
  type: z.literal('result'),
  booted: z.object({
    slot: z.enum(SLOT_NAMES).optional().describe('by the file behind the root'),
    uuid: text.optional(),
    replaced: z.boolean().describe('the running slot’s file was replaced since the boot'),
  }),
  boot: z.object({
    mode: z.enum(BOOT_MODES).optional(),
    stages: z.array(stage),
    layout: layout.optional(),
    failedSlots: z
      .array(z.object({ slot: text, reason: text }))
      .describe('slots that did not start at an earlier boot'),
    overlay: attached.optional(),
    assessment: assessment.optional(),
    overlayCarry: text.optional(),
    logs: text.optional(),
    problems: z.array(text),
  }),
  rebootPending: z.boolean().describe('a new active system waits for its reboot'),
  slots: z.array(slot).describe('empty where no installed system can be looked at'),
  stateFreeBytes: bytes.optional(),
  space: z.array(z.object({ name: text, freeBytes: bytes, totalBytes: bytes })).optional(),
  health: z
    .object({ state: text, failed: z.array(text) })
    .optional()
    .describe('how systemd judges the running system, and the units that failed'),
  pending: z
    .object({
      plan: z.object({ id: text, name: text, image: text, created: date }).optional(),
      planProblem: text.optional(),
      ownerChanges: z.boolean().optional().describe('the owner’s stage files want something that no slot has yet'),
      live: z
        .object({ uuid: text, date, directories: z.array(text), added: count, copied: count })
        .optional()
        .describe('brought to the running system until the next reboot'),
    })
    .optional(),
  overlay: z
    .object({
      attached,
      status: z
        .object({
          state: z.enum(['ok', 'overflow', 'invalid', 'merge-failed']),
          allocatedBytes: bytes.optional(),
          totalBytes: bytes.optional(),
          metadataBytes: bytes.optional(),
        })
        .optional(),
      sizeBytes: bytes.optional(),
      baseBytes: bytes.optional(),
      freeBytes: bytes.optional(),
      cannotOverflow: z.boolean().optional(),
      rootReadOnly: z.boolean(),
    })
    .optional(),
  lastAction: lastActionSchema.optional().describe('the last action that was to change a slot'),
  recent: z.array(recent).optional().describe('the last things that happened, newest first'),
  problems: z.array(text),
  unknown: z.array(text).describe('what could not be found out, and why'),
  check: z.object({
    outcome: z.enum(['well', 'warnings', 'trouble']).describe('with --check the exit status: 0, 2, 3'),
    troubles: z.array(text),
    warnings: z.array(text),
  }),
});

/** The JSON Schema of a status. */
export function statusJsonSchema(): object {
  return { title: 'holdfast status --json', ...z.toJSONSchema(statusSchema, { io: 'input' }) };
}
