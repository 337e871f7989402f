// Whether a machine is well, by its status: what monitoring asks. Trouble is what the login banner warns of, and slots that
// could not boot; a warning is what somebody should look at while the machine does its work. Pure.

import { troubleOf } from '../overlay/running.ts';
import { isTrouble } from '../record/entry.ts';
import { troublesOf } from './boot-report.ts';
import type { CheckOutcome } from './check-status.ts';
import { isAlmostFull } from './partition-space.ts';
import { formatBytes } from './sizes.ts';
import type { MachineStatus } from './status.ts';

export interface Judgement {
  outcome: CheckOutcome;
  troubles: string[];
  warnings: string[];
}

export function judgeStatus(status: MachineStatus): Judgement {
  const { boot, slots, overlay, lastAction, health, space = [], pending, problems, unknown } = status;
  const overlayTrouble = overlay === undefined ? undefined : troubleOf(overlay);
  const troubles = [
    ...troublesOf(boot),
    ...slots.flatMap(({ slot, problem }) => (problem === undefined ? [] : [`The ${slot} slot: ${problem}.`])),
    ...(overlayTrouble === undefined ? [] : [overlayTrouble]),
    // A machine whose slots can't be looked at can't be said to be well.
    ...unknown,
  ];
  const warnings = [
    ...(lastAction !== undefined && lastAction.outcome !== 'ok' ? [lastActionSentence(lastAction)] : []),
    ...(health?.failed ?? []).map((unit) => `The unit ${unit} has failed.`),
    ...space
      .filter(isAlmostFull)
      .map(({ name, freeBytes }) => `${name} is almost full: ${formatBytes(freeBytes)} free.`),
    ...(pending?.planProblem === undefined ? [] : [`A plan can't be used: ${pending.planProblem}.`]),
    ...problems,
  ];
  const outcome = troubles.length > 0 ? 'trouble' : warnings.length > 0 ? 'warnings' : 'well';
  return { outcome, troubles: [...new Set(troubles)], warnings };
}

function lastActionSentence({ action, outcome, error, warnings }: NonNullable<MachineStatus['lastAction']>): string {
  if (!isTrouble({ outcome })) return `The last ${action} completed with ${warnings.length} warnings.`;
  return `The last ${action} ${outcome === 'interrupted' ? 'was interrupted' : outcome === 'refused' ? 'was refused' : 'failed'}: ${error ?? (outcome === 'interrupted' ? 'it did not come to its end' : 'the reason is unknown')}`;
}
