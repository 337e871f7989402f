// `holdfast man`: the manual page of a command. On a terminal the system's man shows it; into a pipe or a file goes its source.

import type { Command } from 'commander';
import { nearestWord } from '../cloudconfig/suggestion.ts';
import { HoldfastError } from '../system/errors.ts';
import { findProgram } from '../system/tools.ts';
import { fullName, shownCommands } from './command-tree.ts';
import { manPage } from './man-page.ts';
import { printText } from './print.ts';

/**
 * @param words the command, `overlay create` as two words; none for the program.
 * @throws HoldfastError HF-USAGE for a command that there is not.
 */
export async function manCommand(program: Command, words: readonly string[]): Promise<number> {
  const command = findCommand(program, words);
  const viewer = findProgram('man');
  if (process.stdout.isTTY !== true) await printText(manPage(command));
  else if (viewer === undefined) command.outputHelp();
  else {
    const { spawnSync } = await import('node:child_process');
    // Both man-db's man and mandoc's have this option.
    const shown = spawnSync(viewer, ['-l', '-'], { input: manPage(command), stdio: ['pipe', 'inherit', 'inherit'] });
    return shown.status ?? 1;
  }
  return 0;
}

/** @throws HoldfastError HF-USAGE. */
export function findCommand(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words) {
    const below = shownCommands(command);
    const next = below.find((each) => each.name() === word);
    if (next === undefined) {
      const names = below.map((each) => each.name());
      const near = nearestWord(word, names);
      throw new HoldfastError('HF-USAGE', `${fullName(command)} has no command ${JSON.stringify(word)}`, {
        hint:
          near !== undefined
            ? `did you mean ${near}?`
            : names.length > 0
              ? `it has ${names.join(', ')}`
              : `see ${fullName(command)} --help`,
      });
    }
    command = next;
  }
  return command;
}
