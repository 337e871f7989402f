// An action that was refused before it had the machine's lock, by an image that nobody vouches for or a registry that doesn't
// answer, is an action too: it goes into the record like those that got further.

import { flushRecord } from '../lifecycle/flush-record.ts';
import { isBootedFromSlot } from '../lifecycle/session-record.ts';
import { errorOf, isRecorded, outcomeOf } from '../record/action-record.ts';
import { newEntryId } from '../record/entry.ts';
import { requesterOf, thisMoment } from '../record/requester.ts';
import { spoolEntry } from '../record/spool.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { labelsHere } from './labels-here.ts';

/** What was typed wrong was no attempt. */
const NO_ATTEMPTS = ['HF-USAGE', 'HF-NOT-ROOT'];

/** Records why an action was not begun; what can't be recorded is a warning. */
export async function noteRefusal(
  error: unknown,
  { name, command, events }: { name: string; command: string; events: EventSink },
): Promise<void> {
  if (isRecorded(error) || !isBootedFromSlot()) return;
  if (error instanceof HoldfastError && NO_ATTEMPTS.includes(error.code)) return;
  try {
    const moment = thisMoment();
    const by = requesterOf(command);
    const outcome = outcomeOf(error);
    const entry = {
      id: newEntryId(),
      kind: 'action' as const,
      name,
      ...moment,
      endedAt: moment.startedAt,
      by,
      outcome,
    };
    // A machine that asks a registry each minute in vain says so once, and leaves its disk alone.
    const { isNew } = spoolEntry({ ...entry, error: errorOf(error) }, { counted: true });
    if (isNew) await flushRecord({ command, now: moment.startedAt, labels: await labelsHere() });
  } catch (problem) {
    events({ type: 'notice', level: 'warning', text: `this could not be recorded: ${messageOf(problem)}` });
  }
}
