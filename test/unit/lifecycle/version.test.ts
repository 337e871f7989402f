// Versions in the order of UAPI.10, and what follows for an image that is older than what is installed.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareVersions } from '../../../src/lifecycle/version.ts';
import {
  judgeVersion,
  recordedVersion,
  type SystemVersion,
  type VersionName,
  type VersionQuestion,
  versionRecord,
} from '../../../src/lifecycle/version-rule.ts';
import { type Deployment, formatState, parseState } from '../../../src/slots/state-file.ts';
import { HoldfastError } from '../../../src/system/errors.ts';

describe('the order', () => {
  // The examples of the specification, and of systemd's own test.
  test.each([
    ['11', '11', 0],
    ['systemd-123', 'systemd-123', 0],
    ['bar-123', 'foo-123', -1],
    ['123a', '123', 1],
    ['123.a', '123', 1],
    ['123.a', '123.b', -1],
    ['123a', '123.a', 1],
    ['11α', '11β', 0],
    ['A', 'a', -1],
    ['', '0', -1],
    ['0.', '0', 1],
    ['0.0', '0', 1],
    ['0', '~', 1],
    ['', '~', 1],
    ['1_', '1', 0],
    ['_1', '1', 0],
    ['1_2', '1.2', 1],
    ['123~rc1-1', '123-1', -1],
    ['123~rc1', '123', -1],
    ['122.1', '123~rc1-1', -1],
    ['123', '123-a', -1],
    ['123-a', '123-a.1', -1],
    ['123-a.1', '123-a1', -1],
    ['123-a1', '123^post1', -1],
    ['123^post1', '123.a-1', -1],
    ['123.a-1', '123.1-1', -1],
    ['123.1-1', '123a-1', -1],
    ['123a-1', '124-1', -1],
    ['1.9', '1.10', -1],
    ['2026.01', '2026.1', 0],
    ['99999999999999999999', '100000000000000000000', -1],
  ])('%j and %j: %i', (a, b, wanted) => {
    expect(Math.sign(compareVersions(a, b))).toBe(wanted);
    expect(Math.sign(compareVersions(b, a))).toBe(wanted === 0 ? 0 : -wanted);
  });

  const version = fc.string({
    unit: fc.constantFrom('0', '1', '2', '9', 'a', 'b', 'Z', '.', '-', '~', '^', '_'),
    maxLength: 8,
  });
  test('is an order: whatever three versions there are', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(compareVersions(a, a)).toBe(0);
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('an image', () => {
  const question: VersionQuestion = {
    candidate: { id: 'demo', version: '2.0' },
    replaced: { installed: { id: 'demo', version: '1.0' }, allowDowngrade: false },
    provenance: undefined,
  };
  const judge = (change: Partial<VersionQuestion>) => judgeVersion({ ...question, ...change });
  const over = (installed: SystemVersion | undefined, allowDowngrade = false) => ({
    replaced: { installed, allowDowngrade },
  });
  const demo = (version: string | undefined, from?: VersionName): SystemVersion => ({ id: 'demo', version, from });
  const older = { candidate: demo('0.9') };
  const nothing = { replaced: undefined };
  const strict = { minimumVersion: undefined, mayDowngrade: false, policy: 'policy.yaml:3 (os)' };
  const floor = { minimumVersion: '1.5', mayDowngrade: true, policy: 'policy.yaml:3 (os)' };

  test.each<[string, Partial<VersionQuestion>]>([
    ['newer', {}],
    ['the same', { candidate: demo('1.0') }],
    ['where there is nothing yet', nothing],
    ['where there is nothing yet, by a strict policy', { ...nothing, provenance: strict }],
    ['above the floor', { provenance: floor }],
    ['above the floor, counted alike', { candidate: demo('2', 'VERSION_ID'), ...over(demo('1', 'VERSION_ID')) }],
    ['newer, over a record that does not say how it counts', { candidate: demo('2', 'IMAGE_VERSION') }],
    ['newer, by a strict policy', { provenance: strict }],
  ])('%s is taken without a word', (_name, change) => {
    expect(judge(change)).toEqual([]);
  });

  const INCOMPARABLE: [string, Partial<VersionQuestion>, 'info' | 'warning', RegExp][] = [
    ['another system', { candidate: { id: 'other', version: '0.1' } }, 'warning', /another system \(other\).*\(demo\)/],
    ['a system without ID', { candidate: { id: undefined, version: '3' } }, 'warning', /another system \(without ID\)/],
    [
      'another system than one without a version',
      { candidate: { id: 'other', version: '3' }, ...over(demo(undefined)) },
      'warning',
      /another system/,
    ],
    ['one without a version', { candidate: demo(undefined) }, 'warning', /names no version, and 1\.0 is installed/],
    ['one over a system without a version', over(demo(undefined)), 'info', /not known which version is installed/],
    ['one over what nobody wrote down', over(undefined), 'info', /not known which .*; nobody can tell whether/],
    [
      'one that counts otherwise',
      { candidate: demo('12', 'VERSION_ID'), ...over(demo('7', 'IMAGE_VERSION')) },
      'warning',
      /its version from VERSION_ID, and the installed system from IMAGE_VERSION/,
    ],
  ];
  test.each(INCOMPARABLE)('%s is taken, and that is said', (_name, change, level, text) => {
    expect(judge(change)).toEqual([{ level, text: expect.stringMatching(text) }]);
  });

  test.each(INCOMPARABLE)('%s is refused where the policy lets no older one in', (_name, change, _level, text) => {
    const { installed } = change.replaced ?? question.replaced ?? {};
    // A flag that the policy doesn't listen to changes nothing.
    for (const flag of [false, true]) {
      const error = thrownBy(() => judge({ ...change, ...over(installed, flag), provenance: strict }));
      expect(error).toMatchObject({ code: 'HF-TRUST', hint: expect.stringContaining('downgrade: flag') });
      expect(String(error)).toContain('policy.yaml:3 (os) lets no older system in, and ');
      expect(String(error)).toMatch(text);
    }
  });

  test('older, allowed, is taken, and that is said', () => {
    const text = expect.stringMatching(/version 0\.9 is older than 1\.0/);
    expect(judge({ ...older, ...over(demo('1.0'), true) })).toEqual([{ level: 'warning', text }]);
  });

  test.each<[string, Partial<VersionQuestion>, RegExp, RegExp]>([
    ['older', older, /the image is version 0\.9, and 1\.0 is installed$/, /--allow-downgrade/],
    [
      'older, where the policy lets none in',
      { ...older, ...over(demo('1.0'), true), provenance: strict },
      /policy\.yaml:3 \(os\) lets no older one in/,
      /rollback/,
    ],
    [
      'below the floor',
      { candidate: demo('1.4'), ...over(demo('1.0'), true), provenance: floor },
      /wants version 1\.5 at least, and the image is 1\.4/,
      /os-release/,
    ],
    [
      'without a version, with a floor',
      { candidate: demo(undefined), provenance: floor },
      /the image names no version/,
      /os-release/,
    ],
    [
      'another system, though its version is above the floor',
      { candidate: { id: 'other', version: '12' }, ...over(demo('1.6'), true), provenance: floor },
      /wants version 1\.5 at least, and the image is another system \(other\) than the installed one \(demo\)/,
      /another system/,
    ],
    [
      'a distribution’s version above the floor of an image’s',
      { candidate: demo('12', 'VERSION_ID'), ...over(demo('1.6', 'IMAGE_VERSION'), true), provenance: floor },
      /has only VERSION_ID, while the installed system has IMAGE_VERSION/,
      /os-release/,
    ],
  ])('%s is refused', (_name, change, message, hint) => {
    expect(thrownBy(() => judge(change))).toMatchObject({
      code: 'HF-TRUST',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  test('a floor counts where nothing is installed, or nobody knows what', () => {
    const low = { candidate: demo('1.0'), provenance: floor };
    expect(() => judge({ ...low, ...nothing })).toThrow('1.5');
    expect(() => judge({ ...low, ...over(undefined) })).toThrow('1.5');
    expect(judge({ candidate: demo('1.5'), provenance: floor, ...over(undefined) })).toHaveLength(1);
  });

  test('what state.yaml says of a version can be read again', () => {
    for (const version of [demo('7', 'IMAGE_VERSION'), demo('12', 'VERSION_ID'), demo('1')]) {
      const active: Deployment = {
        ...{ source: 'x', layers: [], uuid: 'u', date: '', fromAction: 'install', verified: '' },
        ...versionRecord(version),
      };
      expect(recordedVersion(parseState(formatState({ active }, '')).active)).toEqual(version);
    }
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError);
    return thrown;
  }
  return undefined;
}
