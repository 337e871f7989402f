// `commands`: shell lines of the user, one after the other. One that fails doesn't stop the next, and a text of several
// lines is one script whose status is that of its last line, as everywhere with `sh -c`.

import { HoldfastError } from '../../system/errors.ts';
import { maskSecrets } from '../../system/secrets.ts';
import { explainBashism } from '../bashism.ts';
import { describeEnd, runShell } from '../shell.ts';
import { expandText } from '../templates.ts';
import type { StepHandler } from './handler.ts';

export const commands: StepHandler<'commands'> = {
  key: 'commands',
  describe: (value) => value.map((text) => `run: ${shorten(text)}`),
  async apply(value, context) {
    for (const text of value) {
      const expanded = await expandText(text, 'commands', context);
      const end = await runShell(expanded, context);
      const hint = explainBashism(expanded, end.outputTail);
      if (end.status !== 0) {
        const message = `${shorten(expanded)} ${describeEnd(end)}`;
        context.fail(new HoldfastError('HF-COMMAND', message, { outputTail: end.outputTail, ...(hint && { hint }) }));
      } else if (hint !== undefined) {
        context.warn(`commands: ${shorten(expanded)}: ${hint}`);
      }
    }
  },
};

/** A script's first line, short enough for a message. Secrets go first: one that is cut apart can't be told any more. */
function shorten(text: string): string {
  const [first = '', ...rest] = maskSecrets(text).trim().split('\n');
  const cut = first.length > 100 ? first.slice(0, 99) : first;
  return rest.length > 0 || cut !== first ? `${cut} …` : cut;
}
