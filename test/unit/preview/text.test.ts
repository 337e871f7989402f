// A plan on a terminal: one screen, whatever it is of, and all of it when that is asked for.

import { expect, test } from 'vitest';
import { planDocumentSchema } from '../../../src/preview/document.ts';
import { durationText, titleOf } from '../../../src/preview/summary.ts';
import { planText } from '../../../src/preview/text.ts';
import { samplePlan } from './sample-plan.ts';

test('a large plan is one screen, and says every subject', () => {
  const lines = planText(samplePlan);
  expect(lines.length).toBeLessThanOrEqual(40);
  expect(lines[0]).toBe('Plan 3f9c1ab27d04: Demo 1 (bookworm) 1.0 → Demo 2 (bookworm) 2.0');
  const labels = lines
    .map((line) => line.slice(2, 12).trim())
    .filter((label) => label !== '' && !label.startsWith('an'));
  expect(labels).toEqual([
    'image',
    'trust',
    'packages',
    'kernel',
    'units',
    '/etc',
    'stage',
    'stage',
    'files',
    'overlay',
    'writes',
    'moved',
    'room',
    'time',
    'passive',
    'warning',
    'kept',
  ]);
  const text = lines.join('\n');
  expect(text).toContain('72 upgraded, 1 downgraded, 1 of another build, 1 added, 1 removed');
  expect(text).toContain('7 files: 2 as the image says, 2 by stage files, 1 by you, 1 merged, 1 by nobody known');
  expect(text).toContain('+ panic=10  + quiet  − panic=5');
  expect(text).toContain(
    'COS_STATE: the plan takes 422 MiB (468 MiB at its worst), 9.0 GiB free; applying takes no more',
  );
  expect(lines.at(-1)?.trim()).toBe('holdfast upgrade --apply 3f9c1ab27d04');
});

test('what needs a look comes first in a list that is cut', () => {
  const text = planText(samplePlan).join('\n');
  expect(text).toMatch(
    /↓ containerd.io:amd64[^\n]*\n[^\n]*− linux-image-6.1.0-28[^\n]*\n[^\n]*\+ linux-image-6.1.0-32/,
  );
});

test('with --verbose everything is there', () => {
  const text = planText(samplePlan, { verbose: true }).join('\n');
  for (const { name } of samplePlan.packages.changes) expect(text).toContain(name);
  for (const { path } of samplePlan.files.paths) expect(text).toContain(path);
  for (const { file, line } of samplePlan.stages.flatMap(({ steps }) => steps))
    expect(text).toContain(`${file}:${line}`);
  expect(text).toContain('skipped  /oem/91_gpu.yaml:7: if: lspci | grep -qi nvidia (status 1)');
  expect(text).toContain('+PermitRootLogin no');
  expect(text).toContain('not shown: it holds secrets');
  expect(text).not.toContain('… ');
});

test.each([
  [
    'nobody vouches',
    { trust: { verified: false, by: null, words: 'no signature (registry)' } },
    'NOT VERIFIED: no signature (registry)',
  ],
  [
    'packages can’t be read',
    { packages: { manager: 'rpm' as const, changes: [], note: 'rpm could not be asked: no such file' } },
    'rpm could not be asked',
  ],
  [
    'the overlay stays behind',
    { overlay: { place: '/dev/vdb', action: 'blank' as const, decided: 0, report: [] } },
    'begins with a blank one',
  ],
])('it is told when %s', (_, change, told) => {
  expect(planText({ ...samplePlan, ...change }).join('\n')).toContain(told);
});

test('titles say what it is built anew, and where there was nothing', () => {
  expect(titleOf({ ...samplePlan, running: { ...samplePlan.next, slot: 'active' } })).toBe(
    'Demo 2 (bookworm) 2.0, built anew',
  );
  expect(titleOf({ ...samplePlan, running: null })).toBe('Demo 2 (bookworm) 2.0');
});

test.each([
  [{ seconds: 4.25, basis: 'measured' as const }, '4.3 s'],
  [{ seconds: 61, basis: 'record' as const }, 'about 61 s, by this machine’s last upgrades'],
  [{ seconds: 300, basis: 'estimate' as const }, 'about 5 min, an estimate: nothing was measured here yet'],
])('%j is %s', (duration, text) => {
  expect(durationText(duration)).toBe(text);
});

test('the sample is a document as the schema wants it', () => {
  expect(planDocumentSchema.parse(samplePlan)).toEqual(samplePlan);
});
