// Manual pages, written from the commands themselves: one for the program, one for each command. Plain man(7) macros and
// ASCII only, since groff, mandoc and busybox's man all read that, whatever the locale; no date, so that the same program
// gives the same bytes.

import type { Argument, Command, Option } from 'commander';
import { EXIT_STATUS } from '../system/errors.ts';
import { examplesOf, fullName, shownCommands, shownOptions, shownTree } from './command-tree.ts';
import { VERSION } from './version.ts';

/** Commands of the administrator. */
const SECTION = 8;

/** All pages by file name: `holdfast.8`, `holdfast-overlay-create.8`, … */
export function manPages(program: Command): Record<string, string> {
  return Object.fromEntries(shownTree(program).map((command) => [`${pageName(command)}.${SECTION}`, manPage(command)]));
}

/** One page as roff. */
export function manPage(command: Command): string {
  const name = pageName(command);
  const description = command.description();
  const isProgram = command.parent === null;
  const options = shownOptions(command);
  const commands = shownCommands(command);
  return [
    `.\\" Generated from the commands of holdfast ${VERSION}.`,
    `.TH ${name.toUpperCase()} ${SECTION} "" "holdfast ${VERSION}" "Holdfast"`,
    section('NAME', `${textLine(name)} \\- ${textLine(description.replace(/\.$/, ''))}`),
    section('SYNOPSIS', ...synopsis(command)),
    section('DESCRIPTION', textLine(sentence(description))),
    ...(commands.length === 0 ? [] : [section('COMMANDS', ...commands.flatMap(entryOf))]),
    section('OPTIONS', ...options.flatMap(optionEntry), ...entry('\\fB\\-h\\fR, \\fB\\-\\-help\\fR', 'show help')),
    ...(isProgram ? [section('FILES', ...FILES.flatMap(([file, what]) => entry(bold(file), what)))] : []),
    section(
      'EXIT STATUS',
      ...(isProgram ? exitStatuses() : [textLine('0 when it is done; other numbers are in '), reference('holdfast')]),
    ),
    ...examples(command),
    section('SEE ALSO', ...seeAlso(command)),
    '',
  ].join('\n');
}

/** `holdfast-overlay-create`, as git and systemd have it. */
export function pageName(command: Command): string {
  return fullName(command).replaceAll(' ', '-');
}

const FILES: readonly (readonly [string, string])[] = [
  ['/oem', 'stage files of this machine, and what it keeps across upgrades'],
  ['/system/oem', 'stage files of the image'],
  ['/etc/elemental/config.yaml', 'settings, beside it config.d'],
  ['/etc/holdfast/policy.yaml', 'what images have to prove'],
  ['/run/initramfs/cos-state', 'the partition with the slots: cOS/active.img, cOS/passive.img, state.yaml'],
  ['/run/holdfast', 'what is known of this boot'],
];

function section(title: string, ...lines: readonly string[]): string {
  return [`.SH ${title.includes(' ') ? `"${title}"` : title}`, ...lines].join('\n');
}

function synopsis(command: Command): string[] {
  const own = `.B ${textLine(fullName(command))}`;
  const words = command.registeredArguments.map(argumentWord);
  if (shownCommands(command).length > 0) words.push('\\fIcommand\\fR', '[\\fIargument\\fR ...]');
  return [own, ['[\\fIoption\\fR ...]', ...words].join(' ')];
}

function argumentWord(argument: Argument): string {
  const name = argument
    .name()
    .split('|')
    .map((word, _, all) => (all.length > 1 ? bold(word) : italic(word)))
    .join('|');
  const dots = argument.variadic ? ' ...' : '';
  return argument.required ? `${name}${dots}` : `[${name}${dots}]`;
}

function entryOf(command: Command): string[] {
  const words = command.registeredArguments.map(argumentWord);
  return entry([bold(fullName(command).replace(/^\S+ /, '')), ...words].join(' '), sentence(command.description()));
}

function optionEntry(option: Option): string[] {
  const value = /[<[].*$/.exec(option.flags)?.[0];
  const names = [option.short, option.long].filter((name) => name !== undefined).map(bold);
  const shown =
    value === undefined
      ? ''
      : ` ${option.optional ? '[' : ''}${italic(value.slice(1, -1))}${option.optional ? ']' : ''}`;
  const normal = typeof option.defaultValue === 'string' ? ` (default: ${option.defaultValue})` : '';
  return entry(`${names.join(', ')}${shown}`, option.description + normal);
}

function exitStatuses(): string[] {
  const byStatus = new Map<number, string[]>();
  for (const [code, status] of Object.entries(EXIT_STATUS))
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  const rows = [...byStatus].sort(([a], [b]) => a - b);
  return [
    ...entry(bold('0'), 'what was asked for is done'),
    ...rows.flatMap(([status, codes]) => entry(bold(String(status)), codes.join(', '))),
    ...entry(bold('255'), 'a bug'),
    '.PP',
    'Each hook has a number of its own; errors name their code in brackets.',
  ];
}

function examples(command: Command): string[] {
  const text = examplesOf(command);
  if (text === undefined) return [];
  const lines = text.split('\n').map((line) => textLine(line.replace(/^ {2}/, '')));
  return [section('EXAMPLES', '.EX', ...lines, '.EE')];
}

/** The group that a command belongs to, and what belongs to a group. */
function seeAlso(command: Command): string[] {
  const above: string[] = [];
  for (let at = command.parent; at !== null; at = at.parent) above.unshift(pageName(at));
  const below = shownCommands(command).map(pageName);
  const names = [...above, ...below];
  return names.map((name, index) => `${reference(name)}${index < names.length - 1 ? ' ,' : ''}`);
}

function reference(name: string): string {
  return `.BR ${textLine(name)} (${SECTION})`;
}

function entry(term: string, text: string): string[] {
  return ['.TP', term, textLine(text)];
}

function bold(text: string): string {
  return `\\fB${escapeInside(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${escapeInside(text)}\\fR`;
}

/** Descriptions begin with a small letter and have no full stop, as help shows them. */
function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** A line of text: what would be a request at its beginning is none. */
function textLine(text: string): string {
  const escaped = escapeInside(text);
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

const SIGNS: ReadonlyMap<string, string> = new Map([
  ['\\', '\\e'],
  ['-', '\\-'],
  ['’', '\\(cq'],
  ['‘', '\\(oq'],
  ['“', '\\(lq'],
  ['”', '\\(rq'],
  ['…', '...'],
]);

function escapeInside(text: string): string {
  let escaped = '';
  for (const sign of text) {
    const point = sign.codePointAt(0) ?? 0;
    escaped += SIGNS.get(sign) ?? (point < 128 ? sign : `\\[u${point.toString(16).toUpperCase().padStart(4, '0')}]`);
  }
  return escaped;
}
