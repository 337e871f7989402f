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
    // A warning goes to standard error: whoever parses the record finds nothing else on standard output.
    const text = `the record of ${repaired.join(', ')} was taken from what is on the disk`;
    reporter.events({ type: 'notice', level: 'warning', text });
  }
  if (flags.json) reporter.result({ state: text, repaired }, []);
  else await printText(text);
  return 0;
}
