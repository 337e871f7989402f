// How findings look: what is wrong in full with its reason and its command, one line of each area that is well.

import { expect, test } from 'vitest';
import { doctorCommand, findingLines } from '../../../src/cli/doctor.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { silent } from '../../../src/system/events.ts';
import { PLAIN } from '../../../src/system/paint.ts';
import { UndoStack } from '../../../src/system/plan.ts';

const findings: Finding[] = [
  { area: 'slots', outcome: 'ok', message: 'the active slot is complete' },
  { area: 'slots', outcome: 'ok', message: 'the recovery slot is complete' },
  { area: 'space', outcome: 'ok', message: 'COS_OEM: 50 MiB of 60 MiB free' },
  {
    area: 'space',
    outcome: 'warning',
    message: '/run is almost full',
    why: 'services can’t start',
    mend: 'du -xh /run',
  },
  { area: 'clock', outcome: 'failed', message: 'the clock says 1970', why: 'nothing is trusted', mend: 'timedatectl' },
];

test('short', () => {
  expect(findingLines(findings, { all: false, paint: PLAIN })).toEqual([
    '✓ slots             the active slot is complete',
    '! space             /run is almost full',
    '                    so: services can’t start',
    '                    to mend it: du -xh /run',
    '✗ clock             the clock says 1970',
    '                    so: nothing is trusted',
    '                    to mend it: timedatectl',
    '',
    '1 thing is broken, 1 wants a look.',
  ]);
});

test('all', () => {
  const lines = findingLines(findings.slice(0, 3), { all: true, paint: PLAIN });
  expect(lines).toEqual([
    '✓ slots             the active slot is complete',
    '✓ slots             the recovery slot is complete',
    '✓ space             COS_OEM: 50 MiB of 60 MiB free',
    '',
    'Nothing is wrong.',
  ]);
});

test('an area that there is not', async () => {
  const context = {
    reporter: { events: silent, result: () => {}, error: () => 1, paint: PLAIN },
    signal: new AbortController().signal,
    commandLine: 'holdfast doctor teeth',
    undo: new UndoStack(),
  };
  await expect(doctorCommand(context, ['teeth'], {})).rejects.toMatchObject({
    code: 'HF-USAGE',
    message: 'there is nothing called "teeth" to look at',
    hint: expect.stringContaining('kernel-arguments, tools'),
  });
});
