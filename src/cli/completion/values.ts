// What the value of an option or an argument may be, for completion. Where commander's own definition lists choices those
// count; the rest goes by the command and the name in the brackets, so that a new option is completed without an entry here.

import type { Argument, Command, Option } from 'commander';
import { STAGES } from '../../cloudconfig/knownwords.ts';
import { AREAS } from '../../doctor/finding.ts';
import { SLOT_NAMES } from '../../slots/names.ts';
import { fullName } from '../command-tree.ts';
import { SCHEMA_NAMES } from '../schema.ts';

export type Value =
  | { from: 'words'; words: readonly string[] }
  /** A file of this machine. */
  | { from: 'files' }
  | { from: 'directories' }
  /** `docker:…`, or one of the other kinds with a path. */
  | { from: 'images' }
  /** Words that only this machine knows; they are asked for while the line is typed. */
  | { from: 'machine'; topic: Topic }
  /** The names of commands, for help. */
  | { from: 'commands' }
  /** Free text: a size, a number, an address. */
  | { from: 'nothing' };

/** What `holdfast complete TOPIC` prints words for. */
export const TOPICS = ['features', 'packages', 'kept-files', 'kept-commands', 'history'] as const;
export type Topic = (typeof TOPICS)[number];

/** What images can be named by, without what comes after the colon. */
export const IMAGE_PREFIXES = ['docker:', 'oci-layout:', 'oci-archive:', 'dir:', 'file:'] as const;

/** The shells that there is a completion for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

const words = (...list: readonly string[]): Value => ({ from: 'words', words: list });
const machine = (topic: Topic): Value => ({ from: 'machine', topic });
const FILES: Value = { from: 'files' };
const NOTHING: Value = { from: 'nothing' };
const STAGE_NAMES = words(...Object.keys(STAGES));
const SLOTS = words(...SLOT_NAMES);

/** By command and option, or by the option alone. */
const OPTIONS: Readonly<Record<string, Value>> = {
  '--strict': words('true', 'false'),
  '--firmware': words('efi', 'bios'),
  '--part-table': words('gpt'),
  '--base': words('active', 'passive', 'none', 'seed'),
  '--take': words('mine:', 'new:'),
  '--packages': words('hold', 'drop', 'defer'),
  'overlay capture --stage': STAGE_NAMES,
  'run --remove': machine('kept-commands'),
  '--cosign-key': FILES,
};

/** By command and argument. */
const ARGUMENTS: Readonly<Record<string, Value>> = {
  'trust action': words('list', 'show', 'forget'),
  'trust repository': NOTHING,
  'image verb': words('inspect', 'diff', 'index'),
  'feature verb': words('list', 'enable', 'disable'),
  'feature names': machine('features'),
  'overlay conflicts verb': words('list', 'show', 'take', 'done'),
  'grubenv names': NOTHING,
  'pkg remove names': machine('packages'),
  'file remove paths': machine('kept-files'),
  'history id': machine('history'),
  'run command': FILES,
  'schema what': words(...SCHEMA_NAMES),
  'doctor areas': words(...AREAS.map((area) => area.replaceAll(' ', '-'))),
};

/** By the name in the brackets. */
const NAMES: Readonly<Record<string, Value>> = {
  directory: { from: 'directories' },
  dir: { from: 'directories' },
  image: { from: 'images' },
  stage: STAGE_NAMES,
  slot: SLOTS,
  shell: words(...SHELLS),
  command: { from: 'commands' },
  commands: { from: 'commands' },
  ...Object.fromEntries(
    ['size', 'numbers', 'number', 'digits', 'id', 'subject', 'url', 'host', 'terminal', 'name', 'names', 'package'].map(
      (name) => [name, NOTHING],
    ),
  ),
};

/** What comes after an option; undefined where nothing does. */
export function valueOfOption(command: Command, option: Option): Value | undefined {
  if (!option.required && !option.optional) return undefined;
  if (option.argChoices !== undefined) return words(...option.argChoices);
  const name = /[<[]([^.>\]]+)/.exec(option.flags)?.[1] ?? '';
  return (
    OPTIONS[`${nameBelow(command)} ${option.long}`] ??
    OPTIONS[option.long ?? ''] ??
    NAMES[name] ??
    choicesIn(name) ??
    FILES
  );
}

/** What an argument is chosen from. */
export function valueOfArgument(command: Command, argument: Argument): Value {
  if (argument.argChoices !== undefined) return words(...argument.argChoices);
  const name = argument.name();
  return ARGUMENTS[`${nameBelow(command)} ${name}`] ?? choicesIn(name) ?? NAMES[name] ?? FILES;
}

/** `get|set|unset`. */
function choicesIn(name: string): Value | undefined {
  return name.includes('|') ? words(...name.split('|')) : undefined;
}

function nameBelow(command: Command): string {
  return fullName(command).replace(/^\S+ ?/, '');
}
