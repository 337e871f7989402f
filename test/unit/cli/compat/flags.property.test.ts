// Foreign command lines of any shape: they are read or refused, and what was written is what is understood.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { translateElemental } from '../../../../src/cli/compat/elemental.ts';
import { type FlagSpec, parseFlags, splitList } from '../../../../src/cli/compat/flags.ts';
import { INSTALLER, translateShellTool, UPGRADER } from '../../../../src/cli/compat/shell-tools.ts';
import { translateCosSetup, translateYip } from '../../../../src/cli/compat/stage-tools.ts';
import { HoldfastError } from '../../../../src/system/errors.ts';

const SPECS: readonly FlagSpec[] = [
  { name: 'force', short: 'f', about: '' },
  { name: 'system', short: 's', takes: 'value', about: '' },
  { name: 'file', short: 'c', takes: 'texts', about: '' },
  { name: 'docker-image', short: 'd', takes: 'argument', about: '' },
];

/** Words that command lines are made of, and any other. */
const word = fc.oneof(
  fc.string(),
  fc.constantFrom(
    '--',
    '-',
    '--force',
    '--force=false',
    '-f',
    '-fs',
    '--system',
    '-sx',
    '--docker-image',
    '-d',
    '--file=a,b',
  ),
  fc.constantFrom(
    '--reboot',
    '--poweroff',
    '--recovery',
    '--strict',
    '--help',
    'upgrade',
    'install',
    'reset',
    '/dev/sda',
  ),
  fc.string().map((text) => `--${text}`),
);

test('any words are read, or refused with a sentence', () => {
  fc.assert(
    fc.property(fc.array(word), (argv) => {
      const foreign = { voice: { tool: 'shell' as const, name: 'x' }, environment: {}, arch: 'x64' };
      for (const read of [
        () => parseFlags(argv, SPECS),
        () => translateElemental(argv, foreign),
        () => translateShellTool(UPGRADER, argv, foreign),
        () => translateShellTool(INSTALLER, argv, foreign),
        () => translateCosSetup(argv),
        () => translateYip(argv),
      ]) {
        try {
          read();
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
          expect(error.exitStatus).toBeGreaterThan(0);
        }
      }
    }),
  );
});

/** Values that are written in each of their ways, between arguments. */
test('what was written is what is understood, wherever it stands', () => {
  const value = fc.string({ minLength: 1 }).filter((text) => !text.startsWith('-') && !text.startsWith('='));
  fc.assert(
    fc.property(
      value,
      fc.array(value),
      fc.constantFrom('--system', '--system=', '-s', '-s='),
      fc.array(value),
      fc.boolean(),
      (system, files, how, positional, force) => {
        const [first, ...rest] = positional;
        const written = how.endsWith('=') ? [`${how}${system}`] : [how, system];
        const argv = [
          ...(first === undefined ? [] : [first]),
          ...written,
          ...(force ? ['-f'] : ['--force=false']),
          ...files.flatMap((file) => ['--file', file]),
          '--',
          ...rest,
        ];
        const flags = parseFlags(argv, SPECS);
        expect(flags.value('system')).toBe(system);
        expect(flags.all('file')).toEqual(files);
        expect(flags.isOn('force')).toBe(force);
        expect(flags.positional).toEqual(positional);
      },
    ),
  );
});

test.each([
  ['a', ['a']],
  ['a,b', ['a', 'b']],
  ['a, b,', ['a', 'b']],
  ['http://h/x?a=1,2', ['http://h/x?a=1,2']],
  ['http://h/x,https://h/y', ['http://h/x', 'https://h/y']],
  ['/a,http://h/x,1,/b', ['/a', 'http://h/x,1', '/b']],
  ['', []],
])('the list %j is %j', (text, parts) => {
  expect(splitList(text)).toEqual(parts);
});
