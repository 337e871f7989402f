// How the last action on this machine ended, for `status`: a small file on STATE. It is bounded, and it is never in the
// way: what can't be read is no record.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readTextWithin } from '../system/boundedtext.ts';
import { writeFileDurably } from '../system/durable.ts';
import { oneLine } from '../system/oneline.ts';
import type { UndoStack } from '../system/plan.ts';
import type { Session } from './session.ts';

const FILE = 'last-action.json';
const MAX_BYTES = 64 << 10;
const MAX_WARNINGS = 20;
const MAX_CHARACTERS = 500;

const schema = z.object({
  action: z.string(),
  command: z.string(),
  date: z.string(),
  outcome: z.enum(['ok', 'ok-with-warnings', 'failed']),
  warnings: z.array(z.string()),
  error: z.string().optional(),
});

export type LastAction = z.infer<typeof schema>;

/** The record on a mounted STATE; undefined where there is none that can be read. */
export function readLastAction(stateDirectory: string): LastAction | undefined {
  const file = join(stateDirectory, FILE);
  if (!existsSync(file)) return undefined;
  try {
    return schema.parse(JSON.parse(readTextWithin(file, MAX_BYTES)));
  } catch {
    return undefined;
  }
}

/** Writes the record of an action that is at its end. */
export function writeLastAction(session: Session, stateDirectory: string, error?: string): void {
  const { name, command, now, warnings } = session;
  const short = (text: string) => oneLine(text, MAX_CHARACTERS);
  const outcome = error !== undefined ? 'failed' : warnings.length > 0 ? 'ok-with-warnings' : 'ok';
  const record: LastAction = {
    action: name,
    command: short(command),
    date: now,
    outcome,
    warnings: warnings.slice(0, MAX_WARNINGS).map(short),
    ...(error === undefined ? {} : { error: short(error) }),
  };
  writeFileDurably(join(stateDirectory, FILE), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
}

/** Leaves a record when the plan fails after this. */
export function recordFailure(undo: UndoStack, session: Session, stateDirectory: string): void {
  undo.onFailure('note how the action ended', () =>
    writeLastAction(session, stateDirectory, session.failure ?? 'it was interrupted'),
  );
}
