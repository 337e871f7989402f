// `holdfast rollback`: plan out, result printed.

import { rollback } from '../lifecycle/apply-rollback.ts';
import { type LifecycleFlags, runOptions } from './lifecycle-options.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { warningLines } from './warning-lines.ts';

export async function rollbackCommand(context: CommandContext, _: string[], flags: LifecycleFlags): Promise<number> {
  const { reporter } = context;
  const result = await rollback(runOptions(context, flags));
  const { outcome, plan, facts, warnings, durationMs } = result;
  if (outcome === 'planned') {
    reporter.result({ outcome, plan }, planLines(plan));
    return 0;
  }
  if (outcome === 'up-to-date') {
    reporter.result({ outcome }, ['Nothing to go back to: the passive slot holds the system that is running.']);
    return 0;
  }
  const system = facts.passive?.prettyName;
  const exchanged = plan.actions.some(({ kind }) => kind === 'outgoing-to-passive');
  reporter.result({ outcome, warnings, durationMs, system }, [
    ...warningLines('Rollback', warnings),
    `  active     ${system}, which was passive`,
    `  passive    ${exchanged ? 'what was active before' : 'unchanged'}`,
    '  next       reboot to start it',
  ]);
  return 0;
}
