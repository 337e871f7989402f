// What a plan says, as data: the one shape behind the text, `--json` and the page. It is read back from the disk when a
// plan is shown again, so its schema is a check too. Made from what was really built: nothing in it is a guess but what
// is called an estimate.

import { z } from 'zod';

/** The longest path that Linux takes, and as long may a sentence be. */
const text = z.string().max(4096);
const bytes = z.number().int().nonnegative();
/** Lists that grow with what differs are cut there; `omitted` says how many are missing. */
export const LIMITS = { paths: 200_000, packages: 50_000, units: 5000, etc: 2000, steps: 2000, hunkLines: 400 };

const system = z.strictObject({
  slot: z.enum(['active', 'passive']).describe('Where it is now.').optional(),
  name: text.describe('Its own name for itself (os-release).'),
  version: text.describe('Its version: IMAGE_VERSION, else VERSION_ID.').nullable(),
  source: text.describe('The image as it was named.').nullable(),
  digest: text.describe('Digest of the image.').nullable(),
  uuid: text.describe('UUID of the slot’s file system.').nullable(),
});

const packageChange = z.strictObject({
  name: text,
  architecture: text.optional(),
  from: text.describe('The version in the system that is compared with; absent: it has none.').optional(),
  to: text.describe('The version in the new system; absent: it has none.').optional(),
  change: z.enum(['upgraded', 'downgraded', 'changed', 'added', 'removed']),
});

const packages = z.strictObject({
  manager: z.enum(['dpkg', 'rpm', 'apk']).nullable(),
  changes: z.array(packageChange).max(LIMITS.packages),
  note: text.describe('Why nothing can be said of packages.').optional(),
});

const kernel = z.strictObject({
  from: z.array(text).describe('Versions of kernels (their module directories) in the system that is compared with.'),
  to: z.array(text).describe('Of the new system.'),
  imageChanged: z.boolean().describe('The file that boots is another one.'),
  initramfsChanged: z.boolean(),
  arguments: z.strictObject({
    from: z.array(text),
    to: z.array(text),
    added: z.array(text),
    removed: z.array(text),
  }),
});

const unit = z.strictObject({
  name: text,
  change: z.enum(['added', 'removed', 'changed', 'enabled', 'disabled', 'masked', 'unmasked']),
  wantedBy: text.describe('Target or runlevel, of what is enabled or disabled.').optional(),
  system: z.enum(['systemd', 'openrc']),
});

const step = z.strictObject({ file: text, line: z.number().int(), name: text.optional() });

/** Who decided what a path is in the new system. */
export const WINNERS = ['image', 'stage-file', 'owner', 'overlay', 'merged', 'unknown'] as const;

const etcFile = z.strictObject({
  path: text,
  change: z.enum(['added', 'removed', 'changed']),
  what: z.array(text).describe('What of it changed: content, mode, owner, type, link, xattrs.'),
  winner: z.enum(WINNERS).describe('Whose word counts in the new system.'),
  because: text,
  step: step.describe('The step that made it.').optional(),
  hunks: z.array(text).max(LIMITS.hunkLines).describe('A unified diff, line by line.').optional(),
  hidden: text.describe('Why no diff is shown.').optional(),
});

const stageStep = step.extend({
  stage: text,
  outcome: z.enum(['ran', 'skipped', 'failed', 'will-run', 'depends']),
  reason: text.optional(),
  changedFiles: z.array(text).optional(),
});

const stage = z.strictObject({
  hook: text,
  where: z.enum(['new system', 'this machine']),
  when: z.enum(['while planning', 'when it is applied']),
  steps: z.array(stageStep).max(LIMITS.steps),
});

const pathState = z.strictObject({
  type: z.enum(['file', 'directory', 'symlink', 'character-device', 'block-device', 'fifo']),
  mode: z.string().describe('Four octal digits.'),
  owner: z.string().describe('uid:gid'),
  sizeBytes: bytes.describe('Of files.').optional(),
  sha256: z.string().describe('Of files, in the new system.').optional(),
  link: text.describe('Where a link leads.').optional(),
});

const pathChange = z.strictObject({
  path: text,
  pathBytes: z.string().describe('Hexadecimal, of names that are no UTF-8.').optional(),
  change: z.enum(['added', 'removed', 'changed']),
  what: z.array(text).describe('What of it changed: type, content, mode, uid, gid, flags, time, xattr:….'),
  before: pathState.optional(),
  after: pathState.optional(),
});

const write = z.strictObject({
  partition: z.enum(['oem', 'persistent']),
  path: text.describe('As seen in the running system.'),
  what: z.enum(['written', 'removed']),
  own: z.boolean().describe('Holdfast’s own notes and caches.'),
});

const filesystem = z.strictObject({
  name: text.describe('The partition’s label.'),
  sizeBytes: bytes,
  freeBytes: bytes.describe('While the plan is kept.'),
  heldBytes: bytes.describe('What the kept plan takes.'),
  peakBytes: bytes.describe('The most that was taken at a time while the new system was built.'),
  applyBytes: bytes.describe('What applying takes beyond that.'),
});

const duration = z.strictObject({
  seconds: z.number().nonnegative(),
  basis: z.enum(['measured', 'record', 'estimate']).describe('record: this machine’s own last actions.'),
});

export const planDocumentSchema = z.strictObject({
  format: z.literal('holdfast-plan'),
  version: z.literal(1),
  id: z
    .string()
    .regex(/^[0-9a-f]{12}$/)
    .describe('What `--apply` takes.'),
  created: text.describe('RFC 3339.'),
  command: text,
  running: system.describe('What the new system is compared with.').nullable(),
  next: system.describe('What would become active.'),
  passive: text.describe('What becomes of the passive slot.'),
  trust: z.strictObject({ verified: z.boolean(), by: text.nullable(), words: text }),
  packages,
  kernel,
  units: z.array(unit).max(LIMITS.units),
  etc: z.strictObject({ files: z.array(etcFile).max(LIMITS.etc), omitted: bytes }),
  stages: z.array(stage),
  files: z.strictObject({
    added: bytes,
    removed: bytes,
    changed: bytes,
    contentBytes: bytes.describe('Content of files that are new or have other content.'),
    paths: z.array(pathChange).max(LIMITS.paths),
    omitted: bytes,
  }),
  overlay: z
    .strictObject({
      place: text,
      action: z.enum(['carried', 'blank']),
      decided: bytes.describe('Conflicts that rules have decided.'),
      report: z.array(text),
    })
    .describe('The root overlay of this machine.')
    .nullable(),
  writes: z.array(write).describe('What hooks wrote to /oem and /usr/local: kept apart until the plan is applied.'),
  cost: z.strictObject({
    fetchedBytes: bytes,
    toFetchBytes: bytes,
    imageBytes: bytes.describe('All layers of the image, packed.'),
    writtenBytes: bytes,
    filesystems: z.array(filesystem),
    planning: duration,
    applying: duration,
  }),
  apply: z.array(z.strictObject({ kind: text, summary: text })),
  warnings: z.array(text),
});

export type PlanDocument = z.infer<typeof planDocumentSchema>;
export type PackageChange = z.infer<typeof packageChange>;
export type PackagesPart = z.infer<typeof packages>;
export type KernelPart = z.infer<typeof kernel>;
export type UnitChange = z.infer<typeof unit>;
export type EtcFile = z.infer<typeof etcFile>;
export type StagePart = z.infer<typeof stage>;
export type StageStep = z.infer<typeof stageStep>;
export type PathChange = z.infer<typeof pathChange>;
export type PathState = z.infer<typeof pathState>;
export type FilesystemPart = z.infer<typeof filesystem>;
export type DurationPart = z.infer<typeof duration>;
export type SystemPart = z.infer<typeof system>;

/** The schema for programs that read plans. */
export function planJsonSchema(): object {
  return { title: 'Holdfast: what an upgrade will do', ...z.toJSONSchema(planDocumentSchema, { io: 'output' }) };
}
