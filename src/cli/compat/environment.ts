// Environment variables that stand for options of the foreign commands themselves. Those that are settings of an action
// (ELEMENTAL_INSTALL_TARGET, UPGRADE_IMAGE, COS_INSTALL_TTY, …) are read by the actions, whoever calls them.

import { HoldfastError } from '../../system/errors.ts';
import { booleanOf, type FlagSpec, type Flags } from './flags.ts';
import type { Environment } from './translation.ts';

/** The first one that is there; a variable that is empty says nothing. */
export function variable(environment: Environment, ...names: readonly string[]): string | undefined {
  return names.map((name) => environment[name]).find((text) => text !== undefined && text !== '');
}

/** Whether a variable says yes; one that isn't there says nothing. */
export function saysYes(environment: Environment, name: string): boolean | undefined {
  const text = variable(environment, name);
  if (text === undefined) return undefined;
  const on = booleanOf(text);
  if (on === undefined) throw new HoldfastError('HF-USAGE', `${name} is true or false, not ${JSON.stringify(text)}`);
  return on;
}

/** Adds options that the command line doesn't have: `--logfile` is ELEMENTAL_LOGFILE. */
export function addFromEnvironment(flags: Flags, specs: readonly FlagSpec[], environment: Environment): void {
  for (const { name, takes } of specs) {
    const key = `ELEMENTAL_${name.toUpperCase().replace(/[-.]/g, '_')}`;
    const text = variable(environment, key);
    if (text === undefined || flags.has(name)) continue;
    flags.set(name, takes === undefined ? String(saysYes(environment, key)) : text);
  }
}
