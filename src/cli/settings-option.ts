// The settings of this machine for a command: files, environment and flags together, with what is odd about them said once.

import type { Problem } from '../cloudconfig/problem.ts';
import { describeProblem } from '../lifecycle/hooks.ts';
import { type FlagSetting, loadSettings, type Settings } from '../lifecycle/settings.ts';
import { Root } from '../system/root.ts';
import type { Reporter } from './reporter.ts';

export interface SettingsFlags {
  configDir?: string;
}

/**
 * Reads the settings of the running machine and warns of what has no effect in them.
 * @param given what the command line chose, which counts more than all files.
 * @throws HoldfastError HF-CONFIG as loadSettings.
 */
export async function machineSettings(
  { reporter }: { reporter: Pick<Reporter, 'events'> },
  { configDir }: SettingsFlags,
  given: readonly FlagSetting[] = [],
): Promise<Settings> {
  const settings = await loadSettings({
    root: new Root('/'),
    configDirectory: configDir,
    environment: process.env,
    flags: given,
  });
  for (const problem of settings.problems)
    reporter.events({ type: 'notice', level: 'warning', text: warning(problem) });
  return settings;
}

function warning(problem: Problem): string {
  const [first = '', ...rest] = describeProblem(problem).split('\n');
  return [problem.hint === undefined ? first : `${first}; ${problem.hint}`, ...rest].join('\n');
}
