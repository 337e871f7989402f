// `holdfast upgrade --rehearse`: what follows when the plan is kept; and the hidden command that runs inside the system
// that is rehearsed.

import { realClock } from '../lifecycle/assess-session.ts';
import type { SessionOptions } from '../lifecycle/session.ts';
import { lookAtSystem, writeVerdict } from '../rehearsal/look.ts';
import { rehearse } from '../rehearsal/rehearse.ts';
import { REHEARSAL_STATUS, rehearsalJson, rehearsalLines } from '../rehearsal/report.ts';
import { HoldfastError } from '../system/errors.ts';
import type { CommandContext } from './program.ts';

/**
 * Rehearses the plan that is kept.
 * @param id its id, so that nobody else's is taken for it.
 * @returns 0, 97 when the system does not work, 95 when that can't be found out here.
 */
export async function rehearseKeptPlan(
  { reporter }: CommandContext,
  id: string | undefined,
  options: SessionOptions,
): Promise<number> {
  // The plan has taken its time.
  const result = await rehearse({ id }, { ...options, now: new Date().toISOString() });
  reporter.result({ outcome: result.outcome, rehearsal: rehearsalJson(result) }, rehearsalLines(result));
  return REHEARSAL_STATUS[result.outcome];
}

/** `holdfast rehearsal-look`: whether the system works in which this runs. */
export async function rehearsalLookCommand(
  { signal, reporter }: CommandContext,
  _: string[],
  { output }: { output?: string },
): Promise<number> {
  if (process.env.container === undefined && output === undefined) {
    throw new HoldfastError('HF-USAGE', 'this runs inside a system that is rehearsed: name a file with --output', {
      hint: 'holdfast assess looks at the system that runs',
    });
  }
  const verdict = await lookAtSystem({ clock: realClock, signal });
  if (output !== undefined) writeVerdict(output, verdict);
  reporter.result({ verdict }, [JSON.stringify(verdict)]);
  return 0;
}
