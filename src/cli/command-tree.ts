// Commands and groups of commands: their full names, and what of a group is shown.

import type { Command } from 'commander';

/** `holdfast overlay create` for a command of a group. */
export function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** The commands of a group that its help shows, without its own help command. */
export function shownCommands(group: Command): Command[] {
  return group
    .createHelp()
    .visibleCommands(group)
    .filter((command) => command.name() !== 'help');
}
