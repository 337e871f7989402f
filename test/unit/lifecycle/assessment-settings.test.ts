// The settings of boot assessment: which file counts, and that nonsense is a warning and never no assessment.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseCommandLine } from '../../../src/boot/command-line.ts';
import { DEFAULT_SETTINGS, isIgnoredUnit, readAssessmentSettings } from '../../../src/lifecycle/assessment-settings.ts';
import { Root } from '../../../src/system/root.ts';

let root: Root;
beforeEach(() => {
  root = new Root(mkdtempSync(join(tmpdir(), 'holdfast-settings-')));
});
afterEach(() => rmSync(root.directory, { recursive: true }));

const read = (commandLine = '') => readAssessmentSettings(root, parseCommandLine(commandLine));

test('without files the defaults count', () => {
  expect(read()).toEqual({ settings: DEFAULT_SETTINGS, warnings: [] });
  root.writeFile('/etc/holdfast/assessment.yaml', '');
  expect(read()).toEqual({ settings: DEFAULT_SETTINGS, warnings: [] });
});

test('the owner’s file counts more than the image’s, key by key, and the kernel’s argument most', () => {
  root.writeFile('/etc/holdfast/assessment.yaml', 'timeout: 120\ntries: 2\nignore-units: [a.service]\n');
  root.writeFile('/oem/holdfast/assessment.yaml', 'timeout: 300\ncheck-timeout: 5\ninterval: 0\n');
  expect(read()).toEqual({
    settings: {
      timeoutSeconds: 300,
      checkTimeoutSeconds: 5,
      tries: 2,
      intervalSeconds: 0,
      ignoreUnits: ['a.service'],
    },
    warnings: [],
  });
  expect(read('holdfast.assesstimeout=60').settings.timeoutSeconds).toBe(60);
});

test.each([
  ['timeout: 0', /assessment.yaml: timeout is seconds, 60 to 86400, not 0/],
  ['timeout: soon', /timeout is seconds/],
  ['ignore-units: a.service', /ignore-units is a list/],
  ['tries: 1.5', /tries is a number/],
  ['timeuot: 90', /"timeuot" is not known; known are timeout,/],
  ['- a', /no mapping/],
  ['{', /assessment.yaml: /],
])('%j is a warning, and the default counts', (text, warning) => {
  root.writeFile('/oem/holdfast/assessment.yaml', `${text}\n`);
  const { settings, warnings } = read();
  expect(settings).toEqual(DEFAULT_SETTINGS);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(warning);
});

test.each(['holdfast.assesstimeout=5', 'holdfast.assesstimeout=x', 'holdfast.assesstimeout='])(
  '%s is a warning',
  (line) => {
    expect(read(line)).toEqual({
      settings: DEFAULT_SETTINGS,
      warnings: [expect.stringContaining('holdfast.assesstimeout= is seconds')],
    });
  },
);

test.each([
  ['a.service', 'a.service', true],
  ['a.service', 'axservice', false],
  ['dev-*.device', 'dev-vda1.device', true],
  ['get?@*', 'gett@tty1.service', true],
  ['a', 'a.service', false],
  ['[a', '[a', true],
])('the pattern %j on %j: %s', (pattern, unit, expected) => {
  expect(isIgnoredUnit(unit, ['nothing', pattern])).toBe(expected);
});
