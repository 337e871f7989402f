// The listener that tells a running command in the words and the form of the original, on standard output and in its log
// file. It is to the compatible commands what src/cli/reporter.ts is to holdfast's own.

import { HoldfastError, renderLocation } from '../../system/errors.ts';
import type { ActionSummary, Event } from '../../system/events.ts';
import { PLAIN } from '../../system/paint.ts';
import { type Reporter, renderError } from '../reporter.ts';
import { VERSION } from '../version.ts';
import type { Log } from './log.ts';
import { closingOf, failureWords, noticeWords, openingOf, sayingsOf } from './messages.ts';
import type { Voice } from './translation.ts';

export function foreignReporter(voice: Voice, log: Log, warnings: readonly string[] = []): Reporter {
  let plan: readonly ActionSummary[] = [];
  let warned = 0;
  const say = (texts: readonly string[]) => {
    for (const text of texts) log.write('info', text);
  };
  const warn = (text: string) => {
    warned += 1;
    log.write('warning', text);
  };
  log.write('info', `Starting elemental version ${VERSION} (holdfast)`);
  for (const text of warnings) warn(text);

  const events = (event: Event) => {
    switch (event.type) {
      case 'plan-start':
        plan = event.actions;
        log.write('debug', event.title);
        say(openingOf(voice, plan));
        break;
      case 'action-start':
        log.write('debug', event.summary);
        say(sayingsOf(voice, plan, event.index).before);
        break;
      case 'action-end':
        if (event.outcome === 'ok') say(sayingsOf(voice, plan, event.index).after);
        break;
      case 'notice':
        if (event.level === 'warning') warn(event.text);
        else log.write(event.level, event.text);
        say(noticeWords(voice, event.text));
        break;
      case 'output':
        log.write('debug', event.text);
        break;
      case 'action-progress':
      case 'plan-end':
        break;
    }
  };
  return {
    paint: PLAIN,
    events,
    result: (value, lines) => {
      const told = Array.isArray(value['warnings']) ? value['warnings'].length : 0;
      const count = Math.max(warned, told);
      const closing = closingOf(voice, value['outcome'], count);
      const said = lines.join('\n').toLowerCase();
      const isSaid = (text: string) => said.includes(text.replace(/ with warnings.*/, '').toLowerCase());
      const [first, ...rest] = [...lines, ...closing.filter((text) => !isSaid(text))];
      if (first !== undefined) log.write(count > 0 ? 'warning' : 'info', first);
      say(rest);
      // An upgrade of both systems is two actions.
      warned = 0;
    },
    error: (error) => {
      if (!(error instanceof HoldfastError)) {
        log.write('error', renderError(error));
        return statusOf(voice, 255);
      }
      const { code, message, location, outputTail, hint } = error;
      log.write('error', `${message} [${code}]`);
      if (location !== undefined) log.write('error', renderLocation(location));
      if (outputTail !== undefined && outputTail !== '') log.write('error', outputTail);
      for (const text of failureWords(voice, code, message)) log.write('error', text);
      if (hint !== undefined) log.write('info', hint);
      // elemental: ReadingRunConfig.
      // Elemental tells settings (31) from what a medium is made of (26).
      return statusOf(voice, code === 'HF-CONFIG' && error.exitStatus !== 26 ? 31 : error.exitStatus);
    },
  };
}

/** The shell tools know one status for everything that goes wrong. */
export function statusOf({ tool }: Pick<Voice, 'tool'>, status: number): number {
  return tool === 'shell' && status !== 0 ? 1 : status;
}
