// What a person sees: progress on a terminal and in a log, errors with their place and hint.

import { expect, test } from 'vitest';
import { renderError, textReporter, withLogLevel } from '../../../src/cli/reporter.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import type { Event } from '../../../src/system/events.ts';

const EVENTS: Event[] = [
  { type: 'plan-start', title: 'Upgrade to v2', actions: [{ kind: 'a', summary: 'Unpack' }] },
  { type: 'action-start', index: 0, kind: 'a', summary: 'Unpack' },
  { type: 'output', text: 'hook \x1b[2Jsays' },
  { type: 'action-progress', index: 0, done: 5, total: 10, unit: 'bytes' },
  { type: 'notice', level: 'warning', text: 'line 3: odd' },
  { type: 'action-end', index: 0, outcome: 'ok', durationMs: 1234 },
  { type: 'plan-end', outcome: 'ok', durationMs: 1300 },
];

function show(isTerminal: boolean, options = {}, shown = EVENTS): { out: string; err: string } {
  let out = '';
  let err = '';
  const terminal = {
    write: (text: string) => {
      out += text;
    },
    isTerminal,
    columns: 40,
    colour: false,
  };
  const reporter = textReporter(
    terminal,
    (text) => {
      err += text;
    },
    options,
  );
  for (const event of shown) reporter.events(event);
  reporter.result({}, ['Done.']);
  return { out, err };
}

test('in a log there is a line per finished action and no control character', () => {
  expect(show(false)).toEqual({
    out: 'Upgrade to v2\n  [1/1] Unpack (1.2 s)\nDone.\n',
    err: 'warning: line 3: odd\n',
  });
});

test('on a terminal the current action is drawn and replaced; what a hook prints can not move the cursor', () => {
  const { out } = show(true);
  expect(out).toContain('  [1/1] Unpack …');
  expect(out).toContain('\r\x1b[K');
  expect(out).not.toContain('\x1b[2J');
});

test('quiet prints the result and warnings only', () => {
  expect(show(false, { quiet: true })).toEqual({ out: 'Done.\n', err: 'warning: line 3: odd\n' });
});

test('debug shows what programs print', () => {
  expect(show(false, { debug: true }).out).toContain('hook');
});

test('a known error shows message, place, last words and hint', () => {
  const error = new HoldfastError('HF-HOOK', 'hook x failed', {
    location: { file: '/oem/a.yaml', line: 2, column: 3, lineText: '  - b' },
    outputTail: 'E: no such package',
    hint: 'mend it',
  });
  expect(renderError(error)).toBe(
    [
      'error: hook x failed [HF-HOOK]',
      '  /oem/a.yaml:2:3',
      '      - b',
      '      ^',
      '  | E: no such package',
      'hint: mend it',
    ].join('\n'),
  );
});

test('an unknown error is loud and asks for a report', () => {
  expect(renderError(new TypeError('x is undefined'))).toMatch(
    /^internal error: TypeError: x is undefined[\s\S]*report/,
  );
});

test.each([
  ['debug', { debug: true }],
  ['trace', { debug: true }],
  ['WARNING', { quiet: true }],
  ['error', { quiet: true, hideWarnings: true }],
  ['info', {}],
  ['nonsense', {}],
  [undefined, {}],
])('LOGLEVEL %s is %j, and flags win', (level, options) => {
  expect(withLogLevel({}, level)).toEqual(options);
  expect(withLogLevel({ quiet: true }, level)).toEqual({ quiet: true });
});

test('what was passed over is told to those who debug, warnings to all but those who want errors only', () => {
  const levels = (options: object) => {
    const events: Event[] = [{ type: 'notice', level: 'debug', text: 'passed over' }];
    const { out, err } = show(false, options, events);
    return `${out}${err}`;
  };
  expect(levels({ debug: true })).toContain('passed over');
  expect(levels({})).not.toContain('passed over');
  expect(show(false, { hideWarnings: true }).err).toBe('');
});

test('control characters in names, output and errors are shown, not sent', () => {
  const evil = 'a\x1b[2Jb\x07c\r\x9bd';
  const shown: Event[] = [
    { type: 'notice', level: 'info', text: evil },
    { type: 'notice', level: 'warning', text: evil },
    { type: 'output', text: evil },
  ];
  const { out, err } = show(false, { debug: true }, shown);
  const visible = 'a\\x1b[2Jb\\x07c\\x0d\\x9bd';
  expect(out).toBe(`  ${visible}\n    ${visible}\nDone.\n`);
  expect(err).toBe(`warning: ${visible}\n`);
});
