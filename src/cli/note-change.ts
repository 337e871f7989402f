// What the owner asked for and was done at once goes into the record at once, too: it is rare, somebody waits for it, and a
// power cut must not make forgotten who has changed what every later system is made with.

import type { FlushResult } from '../lifecycle/flush-record.ts';
import { noteEvent } from '../record/note-event.ts';
import { messageOf } from '../system/errors.ts';
import { maskSecrets } from '../system/secrets.ts';
import { labelsHere } from './labels-here.ts';
import type { CommandContext } from './program.ts';

export interface NoteChangeOptions {
  /** Another place, for tests. */
  spoolDirectory?: string;
  /** Writes what waits, likewise. */
  flush?: (command: string) => Promise<FlushResult>;
}

/**
 * Records a change for `holdfast history`; what can't be recorded is a warning, and while another action is at work that one
 * writes it.
 * @param message what was changed, in a sentence.
 */
export async function noteChange(
  { commandLine, reporter }: Pick<CommandContext, 'commandLine' | 'reporter'>,
  message: string,
  { flush = flushNow, ...options }: NoteChangeOptions = {},
): Promise<void> {
  const command = maskSecrets(commandLine);
  const name = maskSecrets(commandLine.replace(/^holdfast /, ''));
  const warn = (text: string) => reporter.events({ type: 'notice', level: 'warning', text });
  try {
    noteEvent({ kind: 'owner', name, outcome: 'ok', command, message: maskSecrets(message) }, options);
  } catch (error) {
    warn(`this change is missing in the history: ${messageOf(error)}`);
    return;
  }
  try {
    await flush(command);
  } catch (error) {
    warn(`the record could not be written, this change waits for it in /run: ${messageOf(error)}`);
  }
}

async function flushNow(command: string): Promise<FlushResult> {
  const { flushRecord } = await import('../lifecycle/flush-record.ts');
  return flushRecord({ command, now: new Date().toISOString(), labels: await labelsHere() });
}
