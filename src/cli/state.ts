// `holdfast state`: state.yaml on standard output, and nothing else there.

import { showState } from '../lifecycle/show-state.ts';
import { labelsOf } from './lifecycle-options.ts';
import { printText } from './print.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';

export async function stateCommand(
  context: CommandContext,
  _: string[],
  flags: SettingsFlags & { json?: boolean },
): Promise<number> {
  const { reporter } = context;
  const settings = await machineSettings(context, flags);
  const { text, repaired, problems } = await showState(labelsOf(settings), new Date().toISOString());
  for (const problem of problems) reporter.events({ type: 'notice', level: 'warning', text: problem });
  if (repaired.length > 0) {
    const slots = repaired.join(', ');
    reporter.events({
      type: 'notice',
      level: 'info',
      text: `the record of ${slots} was taken from what is on the disk`,
    });
  }
  if (flags.json) reporter.result({ state: text, repaired }, []);
  else await printText(text);
  return 0;
}
