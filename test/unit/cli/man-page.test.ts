// Manual pages as they are written from commands: what is in them, and that no text of a command can become a request.

import { Command, Option } from 'commander';
import { expect, test } from 'vitest';
import { addExamples, fullName, shownTree } from '../../../src/cli/command-tree.ts';
import { findCommand } from '../../../src/cli/man.ts';
import { manPage, manPages, pageName } from '../../../src/cli/man-page.ts';
import { buildProgram } from '../../../src/cli/program.ts';

const program = buildProgram([], () => {});
const pages = manPages(program);

test.each(shownTree(program).map((command) => [pageName(command), command] as const))(
  '%s has a page with its name, its options and its examples',
  (name, command) => {
    const page = pages[`${name}.8`] ?? '';
    expect(page).toContain(`.TH ${name.toUpperCase()} 8 `);
    expect(page).toContain(`.B ${fullName(command).replaceAll('-', '\\-')}\n`);
    expect(page).toMatch(/\n\.SH EXAMPLES\n\.EX\n(?:.*\n)*?.*holdfast /);
    for (const { long, hidden } of command.options) {
      if (!hidden && long !== '--version') expect(page).toContain(`\\fB${long?.replaceAll('-', '\\-')}\\fR`);
    }
    // ASCII only, for every man and every locale.
    expect(page).toMatch(/^[\n -~]*$/);
  },
);

test('commands that machines run have none', () => {
  expect(Object.keys(pages)).not.toContain('holdfast-complete.8');
  expect(Object.keys(pages)).not.toContain('holdfast-overlay-attach.8');
});

test('the program’s own page lists the commands, the files and the exit statuses', () => {
  const page = pages['holdfast.8'] ?? '';
  expect(page).toContain('\\fBupgrade\\fR [\\fIimage\\fR]\nUpgrade this machine to an image');
  expect(page).toContain('\\fB/oem\\fR\n');
  expect(page).toContain('.TP\n\\fB92\\fR\nHF\\-LOCKED\n');
});

const example = () => {
  const parent = new Command('holdfast');
  const command = parent.command('try [what...]').description('does \\n things to ’odd’ names …');
  command.addOption(new Option('-o, --output <file>', '.so /etc/passwd').default('x'));
  command.addOption(new Option('--how [well]', "'quoted at its start, ä"));
  command.addOption(new Option('--secretly', 'not shown').hideHelp());
  addExamples(command, "  holdfast try\n  .PP\n  'x");
  return command;
};

test('a page in full', () => {
  expect(manPage(example()).split('\n').slice(1)).toEqual([
    expect.stringMatching(/^\.TH HOLDFAST-TRY 8 "" "holdfast [\d.]+" "Holdfast"$/),
    '.SH NAME',
    'holdfast\\-try \\- does \\en things to \\(cqodd\\(cq names ...',
    '.SH SYNOPSIS',
    '.B holdfast try',
    '[\\fIoption\\fR ...] [\\fIwhat\\fR ...]',
    '.SH DESCRIPTION',
    'Does \\en things to \\(cqodd\\(cq names ....',
    '.SH OPTIONS',
    '.TP',
    '\\fB\\-o\\fR, \\fB\\-\\-output\\fR \\fIfile\\fR',
    '\\&.so /etc/passwd (default: x)',
    '.TP',
    '\\fB\\-\\-how\\fR [\\fIwell\\fR]',
    "\\&'quoted at its start, \\[u00E4]",
    '.TP',
    '\\fB\\-h\\fR, \\fB\\-\\-help\\fR',
    'show help',
    '.SH "EXIT STATUS"',
    '0 when it is done; other numbers are in ',
    '.BR holdfast (8)',
    '.SH EXAMPLES',
    '.EX',
    'holdfast try',
    '\\&.PP',
    "\\&'x",
    '.EE',
    '.SH "SEE ALSO"',
    '.BR holdfast (8)',
    '',
  ]);
});

test('a command is found by its words', () => {
  expect(fullName(findCommand(program, ['overlay', 'create']))).toBe('holdfast overlay create');
  expect(findCommand(program, [])).toBe(program);
});

test.each([
  [['upgrad'], 'holdfast has no command "upgrad"', 'did you mean upgrade?'],
  [['overlay', 'xyzzy'], 'holdfast overlay has no command "xyzzy"', /^it has create, list/],
  [['upgrade', 'now'], 'holdfast upgrade has no command "now"', 'see holdfast upgrade --help'],
])('%j is no command', (words, message, hint) => {
  expect(() => findCommand(program, words)).toThrow(
    expect.objectContaining({ code: 'HF-USAGE', message, hint: expect.stringMatching(hint) }),
  );
});
