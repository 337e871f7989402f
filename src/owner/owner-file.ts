// The owner's stage file: ordinary cloud-config, read, changed and written by commands, and by hand. What a person has put
// into it stays; a file that would not read the same after it was written again is refused, never overwritten.

import { isDeepStrictEqual } from 'node:util';
import { CORE_SCHEMA, intYaml11Tag, load, mergeTag } from 'js-yaml';
import { type CloudConfig, parseCloudConfig } from '../cloudconfig/document.ts';
import { writeStageFile } from '../cloudconfig/yamlwriter.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { type OwnerRequest, subjectOf } from './request.ts';
import { isRefreshOnly, type PlainStep, REFRESH_STEP, refreshes, requestsOf, stepOf, withoutPackage } from './step.ts';

/** Its name in the directory of the owner's stage files: after most others, so that theirs come first. */
export const OWNER_FILE_NAME = '90_holdfast_owner.yaml';

/** The hooks in which a new system is made; every request is in each of them. */
export const OWNER_STAGES = [
  'after-install-chroot',
  'after-upgrade-chroot',
  'after-reset-chroot',
  'after-deploy-chroot',
] as const;

/** Where files are put back at each boot whose directory forgets them. */
export const BOOT_STAGE = 'initramfs';

/** The file as data: what commands know how to change, and everything else as it was. */
export interface OwnerFile {
  /** Its steps by stage; those of a person beside ours, in their order. */
  readonly stages: ReadonlyMap<string, readonly PlainStep[]>;
  /** What else the document has: its name, keys of a person. */
  readonly others: Readonly<Record<string, unknown>>;
  /** Comments beyond the one at the top, which are lost when it is written. */
  readonly comments: number;
}

const NAME = 'What the owner of this machine keeps';
const COMMENT = [
  'Written by "holdfast pkg", "holdfast run" and "holdfast file". Steps of your own are kept, comments are not.',
  'Each step is in every hook that makes a new system.',
].join('\n');

export const EMPTY_OWNER_FILE: OwnerFile = { stages: new Map(), others: { name: NAME }, comments: 0 };

/**
 * Reads the text of an owner's file.
 * @param file the name that problems carry.
 * @throws HoldfastError HF-CONFIG, with the place where there is one, when it can't be changed without loss.
 */
export function parseOwnerFile(text: string, file: string): OwnerFile {
  const document = checkedDocument(text, file);
  const plain = plainDocument(text, file);
  const { stages: given = {}, ...others } = plain;
  if (!isRecord(given)) throw cantKeep(file, '"stages" is no mapping');
  const stages = new Map<string, PlainStep[]>();
  for (const [stage, list] of Object.entries(given)) {
    if (list === null) continue;
    if (!Array.isArray(list) || !list.every(isRecord)) throw cantKeep(file, `the stage ${stage} is no list of steps`);
    stages.set(stage, list);
  }
  const parsed = { stages, others, comments: countComments(text) };
  const again = parseCloudConfig(renderOwnerFile(parsed), file).document;
  if (again === undefined || !isDeepStrictEqual(meaningOf(document), meaningOf(again))) {
    throw cantKeep(file, 'it would not mean the same after it was written again');
  }
  return parsed;
}

/** The file's text. @throws HoldfastError HF-CONFIG for a value that YAML can't hold. */
export function renderOwnerFile({ stages, others }: OwnerFile): string {
  const lists = [...stages].filter(([, steps]) => steps.length > 0);
  return writeStageFile({ ...others, stages: Object.fromEntries(lists) }, COMMENT);
}

/** What the owner asks for, in the order of the file. */
export function listRequests({ stages }: OwnerFile): OwnerRequest[] {
  const found = new Map<string, OwnerRequest>();
  for (const stage of OWNER_STAGES) {
    for (const request of (stages.get(stage) ?? []).flatMap(requestsOf)) {
      if (!found.has(subjectOf(request))) found.set(subjectOf(request), request);
    }
  }
  const atBoot = new Set((stages.get(BOOT_STAGE) ?? []).flatMap(requestsOf).map(subjectOf));
  return [...found.values()].map((request) =>
    request.kind === 'file' && atBoot.has(subjectOf(request)) ? { ...request, atBoot: true } : request,
  );
}

/** Steps of the file that stand for no request: written by hand, kept, and run as they are. */
export function handWrittenSteps({ stages }: OwnerFile): { stage: string; step: PlainStep }[] {
  return [...stages].flatMap(([stage, steps]) =>
    steps.filter((step) => !isRefreshOnly(step) && requestsOf(step).length === 0).map((step) => ({ stage, step })),
  );
}

/** With a request at the end, in the place of one with the same subject. The same one again changes nothing. */
export function addRequest(file: OwnerFile, request: OwnerRequest): OwnerFile {
  const same = listRequests(file).find((one) => isDeepStrictEqual(plainOf(one), plainOf(request)));
  if (same !== undefined && OWNER_STAGES.every((stage) => hasSubject(file.stages.get(stage), request))) return file;
  const { stages, others } = removeRequest(file, request);
  const next = new Map(stages);
  const wanted: readonly string[] =
    request.kind === 'file' && request.atBoot ? [...OWNER_STAGES, BOOT_STAGE] : OWNER_STAGES;
  for (const stage of wanted) next.set(stage, withRefresh([...(next.get(stage) ?? []), stepOf(request)]));
  return { stages: next, others, comments: file.comments };
}

/** Without the requests of the same subject; the same file when there is none. */
export function removeRequest(file: OwnerFile, request: OwnerRequest): OwnerFile {
  const subject = subjectOf(request);
  const stages = new Map<string, readonly PlainStep[]>();
  let removed = false;
  for (const [stage, steps] of file.stages) {
    const left = steps.flatMap((step) => {
      const own = requestsOf(step);
      const hit = own.filter((one) => subjectOf(one) === subject);
      if (hit.length === 0) return [step];
      removed = true;
      if (own.length === hit.length) return [];
      let rest: PlainStep | undefined = step;
      for (const one of hit) if (one.kind === 'package' && rest !== undefined) rest = withoutPackage(rest, one.name);
      return rest === undefined ? [] : [rest];
    });
    stages.set(stage, removed ? withRefresh(left) : left);
  }
  return removed ? { ...file, stages } : file;
}

/** The lists of packages are fetched before the first package, and not for nothing. */
function withRefresh(steps: readonly PlainStep[]): readonly PlainStep[] {
  const isOurs = (step: PlainStep) => isDeepStrictEqual({ ...step }, { ...REFRESH_STEP });
  const others = steps.filter((step) => !isOurs(step));
  const first = others.findIndex((step) =>
    requestsOf(step).some((one) => one.kind === 'package' && one.wish === 'install'),
  );
  if (first < 0 || others.slice(0, first + 1).some(refreshes)) return others;
  return [...others.slice(0, first), REFRESH_STEP, ...others.slice(first)];
}

function hasSubject(steps: readonly PlainStep[] = [], request: OwnerRequest): boolean {
  const subject = subjectOf(request);
  return steps.some((step) => requestsOf(step).some((one) => subjectOf(one) === subject));
}

function plainOf(request: OwnerRequest): unknown {
  if (request.kind !== 'file' || request.content.kind !== 'inline') return request;
  return { ...request, content: Buffer.from(request.content.bytes).toString('base64') };
}

/** As the engine reads it, so that nothing is kept that would not run. */
function checkedDocument(text: string, file: string): CloudConfig {
  const { document, problems } = parseCloudConfig(text, file);
  const error = problems.find(({ severity }) => severity === 'error');
  if (document === undefined || error !== undefined) {
    throw new HoldfastError('HF-CONFIG', error?.message ?? `${file} can't be read`, {
      ...(error && { location: error.location }),
      hint: `${error?.hint === undefined ? '' : `${error.hint}; `}mend the file, or move it away; it was left as it is`,
    });
  }
  if (document.cloudInit) throw cantKeep(file, 'it has keys of cloud-init');
  return document;
}

function plainDocument(text: string, file: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = load(text, { schema: CORE_SCHEMA.withTags(intYaml11Tag, mergeTag) });
  } catch (error) {
    throw cantKeep(file, messageOf(error).split('\n')[0] ?? '');
  }
  if (value === null || value === undefined) return { name: NAME };
  if (!isRecord(value)) throw cantKeep(file, 'it is no mapping');
  return value;
}

/** What the engine makes of it, without places. */
function meaningOf({ stages, name }: CloudConfig): unknown {
  const lists = [...stages].map(([stage, steps]) => [
    stage,
    steps.map(({ values, rejected }) => ({ values, rejected })),
  ]);
  return { name, stages: lists.filter(([, steps]) => (steps?.length ?? 0) > 0) };
}

/** Roughly: lines that are comments, without ours. A `#` inside of a block text is none, but is seldom at a line's start. */
function countComments(text: string): number {
  const ours = new Set(COMMENT.split('\n').map((line) => `# ${line}`));
  return text.split('\n').filter((line) => /^\s*#/.test(line) && !ours.has(line.trim())).length;
}

function cantKeep(file: string, why: string): HoldfastError {
  return new HoldfastError('HF-CONFIG', `${file} can't be changed without losing something: ${why}`, {
    hint: 'move what you wrote into a file of its own beside it; it was left as it is',
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
