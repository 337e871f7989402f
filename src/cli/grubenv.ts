// `holdfast grubenv`: variables of a GRUB environment block, written the way GRUB can follow.

import {
  changeVariables,
  readGrubEnvironment,
  serialiseGrubEnvironment,
  writeGrubEnvironment,
} from '../boot/grub-environment.ts';
import { HoldfastError } from '../system/errors.ts';
import type { CommandContext } from './program.ts';

export async function grubenvCommand(
  { reporter }: CommandContext,
  [verb, ...names]: string[],
  { file, dryRun = false }: { file: string; dryRun?: boolean },
): Promise<number> {
  if (verb === 'get') {
    const all = readGrubEnvironment(file);
    const unknown = names.filter((name) => !all.has(name));
    const shown = [...all].filter(([name]) => names.length === 0 || names.includes(name));
    reporter.result(
      { file, variables: Object.fromEntries(shown) },
      shown.map(([name, value]) => (names.length === 1 ? value : `${name}=${value}`)),
    );
    return unknown.length === 0 ? 0 : 1;
  }
  if (verb !== 'set' && verb !== 'unset') {
    throw new HoldfastError('HF-USAGE', `grubenv can't ${verb}`, { hint: 'use get, set or unset' });
  }
  if (names.length === 0) throw new HoldfastError('HF-USAGE', `grubenv ${verb}: no variable is named`);
  const changes = verb === 'set' ? assignments(names) : Object.fromEntries(names.map((name) => [name, undefined]));
  if (dryRun) {
    const variables = changeVariables(readGrubEnvironment(file), changes);
    serialiseGrubEnvironment(variables);
    const lines = [...variables].map(([name, value]) => `  ${name}=${value}`);
    reporter.result({ file, outcome: 'planned', variables: Object.fromEntries(variables) }, [
      `${file} would say (nothing was changed):`,
      ...lines,
    ]);
    return 0;
  }
  writeGrubEnvironment(file, changes);
  reporter.result({ file, outcome: 'ok' }, []);
  return 0;
}

function assignments(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 1) {
        throw new HoldfastError('HF-USAGE', `${word} is no assignment`, { hint: 'write NAME=VALUE' });
      }
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
