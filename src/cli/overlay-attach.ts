// `holdfast overlay attach`: run by the initramfs (holdfast-overlay), which goes by the exit status: 0 when the link to the root
// is there, 3 when the boot goes on without the overlay, 4 when it must not.

import { readFileSync } from 'node:fs';
import { type AttachResult, attachOverlay } from '../overlay/attach.ts';
import { noteEvent } from '../record/note-event.ts';
import { messageOf } from '../system/errors.ts';
import type { CommandContext } from './program.ts';

export async function overlayAttachCommand(context: CommandContext): Promise<number> {
  const { reporter, signal } = context;
  const result = await attachOverlay({
    commandLine: readFileSync('/proc/cmdline', 'utf8'),
    events: reporter.events,
    signal,
    now: new Date(),
  });
  const { overlay, fatal, hint } = result;
  const place = `${overlay.device ?? ''}:${overlay.path ?? ''}`;
  const line = overlay.used
    ? `holdfast: the root overlay ${place} is in use`
    : `holdfast: the root overlay is not used (${overlay.reason}): ${overlay.message}${hint === undefined ? '' : ` (${hint})`}`;
  reporter.result({ ...result }, [line]);
  noteAttached(context, result, line.replace(/^holdfast: /, ''));
  if (overlay.used) return 0;
  return fatal ? 4 : 3;
}

/** For the record. The boot goes on whatever becomes of that. */
function noteAttached({ reporter, commandLine }: CommandContext, { overlay }: AttachResult, message: string): void {
  const outcome = overlay.used ? 'ok' : overlay.reason === 'skipped' ? 'skipped' : 'failed';
  try {
    noteEvent({ kind: 'overlay', name: 'attach', outcome, message, command: commandLine, from: 'boot' });
  } catch (error) {
    reporter.events({ type: 'notice', level: 'warning', text: `this can’t be recorded: ${messageOf(error)}` });
  }
}
