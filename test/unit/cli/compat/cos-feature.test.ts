// cos-feature: the words and the statuses that scripts and test suites look for, each call on a machine with features.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cosFeature } from '../../../../src/cli/compat/cos-feature.ts';
import { temporaryRoot } from '../../stages/temporary-root.ts';

const machine = () =>
  temporaryRoot({
    'system/features/carrier.yaml': 'stages: {}',
    'system/features/k3s.yaml': 'stages: {}',
    'system/features/vagrant.yaml': 'stages: {}',
  });

async function run(root: ReturnType<typeof machine>, ...argv: string[]) {
  const lines: string[] = [];
  const status = await cosFeature(argv, {}, (line) => lines.push(line), root);
  return { status, lines };
}

const BANNER = [
  '',
  '====================',
  'cOS features list',
  '',
  'To enable, run: cos-feature enable <feature>',
  'To disable, run: cos-feature disable <feature>',
  '====================',
  '',
];
const USAGE = [
  'Usage: cos-feature list',
  '       cos-feature enable|disable FEATURE…',
  '',
  'Features are optional stage files of the image; one that is enabled runs from the next boot on.',
];

/** Calls that come before, the call, and what comes of it. */
test.each<[string, string[][], string[], number, string[]]>([
  ['enable', [], ['enable', 'k3s'], 0, ['k3s enabled']],
  ['enable twice', [['enable', 'k3s']], ['enable', 'k3s'], 0, ['Feature k3s enabled already']],
  ['enable several', [], ['enable', 'k3s', 'carrier'], 0, ['k3s enabled', 'carrier enabled']],
  ['enable an unknown one', [], ['enable', 'k4s'], 1, ['Feature not present']],
  ['enable a path', [], ['enable', '../../etc/shadow'], 1, ['Feature not present']],
  ['disable', [['enable', 'k3s']], ['disable', 'k3s'], 0, ['Feature k3s disabled']],
  ['disable what is not enabled', [], ['disable', 'k3s'], 0, ['Feature k3s not enabled']],
  ['disable what nobody knows', [], ['disable', 'k4s'], 0, ['Feature k4s not enabled']],
  ['disable a path', [], ['disable', '../x'], 0, ['Feature ../x not enabled']],
  ['list', [], ['list'], 0, [...BANNER, '- carrier ', '- k3s ', '- vagrant ']],
  [
    // The original showed every name after the first enabled one as enabled.
    'list with one enabled',
    [['enable', 'carrier']],
    ['list'],
    0,
    [...BANNER, '- carrier (enabled)', '- k3s ', '- vagrant '],
  ],
  ['-h', [], ['-h'], 1, USAGE],
  ['--help', [], ['--help'], 1, USAGE],
  ['an unknown verb', [], ['start'], 1, USAGE],
  ['no argument', [], [], 0, []],
  ['enable without a name', [], ['enable'], 0, []],
])('%s', async (_, before, argv, status, lines) => {
  const root = machine();
  for (const each of before) await run(root, ...each);
  expect(await run(root, ...argv)).toEqual({ status, lines });
});

test('names before an unknown one stay enabled, those after it are not reached', async () => {
  const root = machine();
  expect(await run(root, 'enable', 'k3s', 'k4s', 'vagrant')).toEqual({
    status: 1,
    lines: ['k3s enabled', 'Feature not present'],
  });
  expect((await run(root, 'list')).lines.slice(BANNER.length)).toEqual(['- carrier ', '- k3s (enabled)', '- vagrant ']);
});

test('a feature that was enabled and left the image is listed, and can be disabled', async () => {
  const root = machine();
  await run(root, 'enable', 'k3s');
  rmSync(join(root.directory, 'system/features/k3s.yaml'));
  expect((await run(root, 'list')).lines.slice(BANNER.length)).toEqual([
    '- carrier ',
    '- k3s (enabled) (not in this image)',
    '- vagrant ',
  ]);
  expect(await run(root, 'disable', 'k3s')).toEqual({ status: 0, lines: ['Feature k3s disabled'] });
});
