// Which step of which stage of this boot wrote which file, kept in /run until the next boot: /etc and /var forget at a reboot
// what isn't in the image, and this is what tells who puts it there again. Small and cheap: the boot waits for it.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readTextWithin } from '../system/boundedtext.ts';
import { writeFileDurably } from '../system/durable.ts';
import { errnoOf } from '../system/errors.ts';
import type { StageResult } from './result.ts';
import { BOOT_STAGES, type BootStage, RECORD_DIRECTORY } from './stagerecord.ts';

/** A path that a step of this boot wrote, the last one of the stage. */
export interface StageChange {
  /** Absolute, as the step named it. */
  path: string;
  /** `boot.before`, `boot` or `boot.after`. */
  stage: string;
  file: string;
  line: number;
  name?: string;
  definition: string;
  /** When the stage ended, RFC 3339; early in a boot the clock may be wrong. */
  at: string;
}

const MAX_BYTES = 4 << 20;
/** Of one stage; what comes after them isn't noted. */
const MAX_CHANGES = 5000;

/** What the steps of a stage changed, in their order. */
export function changesOf(result: StageResult, at: string): StageChange[] {
  return result.steps.flatMap(({ changedFiles, subStage, file, line, name, definition }) =>
    changedFiles.map((path) => ({
      path,
      stage: subStage,
      file,
      line,
      ...(name !== undefined && { name }),
      definition,
      at,
    })),
  );
}

/** Adds what a run of a stage changed; a stage that runs again and finds its files as they are takes nothing back. */
export function noteChanges(stage: BootStage, result: StageResult, at: string, directory = RECORD_DIRECTORY): void {
  const changes = changesOf(result, at);
  if (changes.length === 0) return;
  const byPath = new Map(readChangesOf(stage, directory).map((change) => [change.path, change]));
  for (const change of changes) {
    byPath.delete(change.path);
    byPath.set(change.path, change);
  }
  const lines = [...byPath.values()].slice(-MAX_CHANGES).map((change) => `${JSON.stringify(change)}\n`);
  mkdirSync(directory, { recursive: true });
  writeFileDurably(join(directory, `${stage}.changes`), lines.join(''), { mode: 0o600, name: 'later' });
}

/** What all stages of this boot changed; of a path that several wrote, the stage that comes last in a boot counts. */
export function readChanges(directory = RECORD_DIRECTORY): Map<string, StageChange> {
  const all = BOOT_STAGES.flatMap((stage) => readChangesOf(stage, directory));
  return new Map(all.map((change) => [change.path, change]));
}

function readChangesOf(stage: BootStage, directory: string): StageChange[] {
  try {
    const text = readTextWithin(join(directory, `${stage}.changes`), MAX_BYTES);
    return text.split('\n').flatMap((line) => parseChange(line) ?? []);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** By hand, as the records of stages are read; a line that is none is passed over. */
function parseChange(line: string): StageChange | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const fields = new Map<string, unknown>(typeof value === 'object' && value !== null ? Object.entries(value) : []);
  const [path, stage, file, definition, at, name] = ['path', 'stage', 'file', 'definition', 'at', 'name'].map((key) => {
    const field = fields.get(key);
    return typeof field === 'string' ? field : undefined;
  });
  const number = fields.get('line');
  if (!path?.startsWith('/') || stage === undefined || file === undefined || typeof number !== 'number')
    return undefined;
  if (definition === undefined || at === undefined) return undefined;
  return { path, stage, file, line: number, ...(name !== undefined && { name }), definition, at };
}
