// The command line as plain data, which the scripts for the shells are written from: no shell knows of commander.

import type { Command, Option } from 'commander';
import { shownCommands, shownOptions } from '../command-tree.ts';
import { type Value, valueOfArgument, valueOfOption } from './values.ts';

export interface CompletionOption {
  /** With its dashes. */
  long: string;
  short?: string;
  description: string;
  /** Absent where the option takes none. */
  value?: Value;
  /** The value may be left out. */
  optional: boolean;
}

export interface CompletionNode {
  /** `''` for the program itself, `overlay create` for a command of a group. */
  path: string;
  name: string;
  description: string;
  options: readonly CompletionOption[];
  /** By position. */
  arguments: readonly Value[];
  /** Of everything after those; absent where nothing comes. */
  rest?: Value;
  children: readonly CompletionNode[];
}

/** The tree of a program's commands as help shows it, with `--help` on each of them. */
export function completionTree(program: Command): CompletionNode {
  const help: CompletionNode = {
    path: 'help',
    name: 'help',
    description: 'show help for a command',
    options: [],
    arguments: [],
    rest: { from: 'commands' },
    children: [],
  };
  const { children, options, ...root } = nodeOf(program, '');
  const version = { long: '--version', short: '-V', description: 'print the version', optional: false };
  return { ...root, options: [...options, version], children: [...children, help] };
}

function nodeOf(command: Command, path: string): CompletionNode {
  const values = command.registeredArguments.map((argument) => valueOfArgument(command, argument));
  const variadic = command.registeredArguments.at(-1)?.variadic === true;
  const rest = variadic ? values.pop() : undefined;
  return {
    path,
    name: path === '' ? command.name() : (path.split(' ').at(-1) ?? ''),
    description: command.description(),
    options: [...shownOptions(command).map((option) => optionOf(command, option)), HELP],
    arguments: values,
    ...(rest === undefined ? {} : { rest }),
    children: shownCommands(command).map((child) => nodeOf(child, `${path} ${child.name()}`.trim())),
  };
}

const HELP: CompletionOption = { long: '--help', short: '-h', description: 'show help', optional: false };

function optionOf(command: Command, option: Option): CompletionOption {
  const { long = '', short, description, optional } = option;
  const value = valueOfOption(command, option);
  return {
    long,
    description,
    optional,
    ...(short === undefined ? {} : { short }),
    ...(value === undefined ? {} : { value }),
  };
}

/** A node and everything below it. */
export function allNodes(node: CompletionNode): CompletionNode[] {
  return [node, ...node.children.flatMap(allNodes)];
}
