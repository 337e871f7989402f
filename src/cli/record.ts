// `holdfast record`: writes what waits in /run to the record on COS_STATE. Units run it when a boot has ended and at shutdown.

import { flushRecord } from '../lifecycle/flush-record.ts';
import { labelsHere } from './labels-here.ts';
import { type LifecycleFlags, runOptions } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';

/** Another action is at its end, or writes all of it itself. */
const PATIENCE_MS = 60_000;

const WORDS = {
  nothing: 'Nothing waits to be recorded.',
  'not-ours': 'This machine was not booted from a slot: what happens on it is not recorded.',
  locked: 'Another action is at work; it records what waits at its end.',
};

export async function recordCommand(context: CommandContext, _: string[], flags: LifecycleFlags): Promise<number> {
  const result = await flushRecord({ ...runOptions(context, flags), labels: await labelsHere(), waitMs: PATIENCE_MS });
  const { outcome, written } = result;
  const entries = `${written} ${written === 1 ? 'entry' : 'entries'}`;
  const line =
    outcome === 'ok'
      ? `Recorded: ${entries}.`
      : outcome === 'planned'
        ? `${entries} would be recorded (nothing was changed)`
        : WORDS[outcome];
  context.reporter.result({ ...result }, [line]);
  return 0;
}
