// Commands and groups of commands: their full names, what of a group is shown, and the examples of each, which help, the
// reference and the man pages print in their own ways.

import type { Command, Option } from 'commander';

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

/** The options of a command that its help shows, without `--help` and `--version`. */
export function shownOptions(command: Command): Option[] {
  return command.options.filter(({ hidden, long }) => !hidden && long !== undefined && long !== '--version');
}

/** A command and everything below it that help shows: itself first, then in the order of help. */
export function shownTree(command: Command): Command[] {
  return [command, ...shownCommands(command).flatMap(shownTree)];
}

const EXAMPLES = new WeakMap<Command, string>();

/** Gives a command its examples: lines indented by two, as help prints them. */
export function addExamples(command: Command, text: string): void {
  EXAMPLES.set(command, text);
  command.addHelpText('after', `\nExamples:\n${text}`);
}

/** What {@link addExamples} was given; undefined where nothing was. */
export function examplesOf(command: Command): string | undefined {
  return EXAMPLES.get(command);
}

/** Adds a group of commands to the program. */
export function addGroup(program: Command, name: string, description: string, example: string): Command {
  const group = program
    .command(name)
    .description(description)
    .exitOverride()
    .showHelpAfterError('(add --help to see how it is used)')
    .helpCommand(false);
  addExamples(group, example);
  return group;
}
