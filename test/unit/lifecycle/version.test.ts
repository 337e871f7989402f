// Versions in the order of UAPI.10, and what follows for an image that is older than what is installed.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareVersions } from '../../../src/lifecycle/version.ts';
import { judgeVersion, type VersionQuestion } from '../../../src/lifecycle/version-rule.ts';
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
    installed: { id: 'demo', version: '1.0' },
    allowDowngrade: false,
    provenance: undefined,
  };
  const judge = (change: Partial<VersionQuestion>) => judgeVersion({ ...question, ...change });
  const older = { candidate: { id: 'demo', version: '0.9' } };
  const strict = { minimumVersion: undefined, mayDowngrade: false, policy: 'policy.yaml:3 (os)' };
  const floor = { minimumVersion: '1.5', mayDowngrade: true, policy: 'policy.yaml:3 (os)' };

  test.each<[string, Partial<VersionQuestion>]>([
    ['newer', {}],
    ['the same', { candidate: { id: 'demo', version: '1.0' } }],
    ['on a machine of which nothing is known', { installed: undefined }],
    ['over a system without a version', { installed: { id: 'demo', version: undefined } }],
    ['above the floor', { provenance: floor }],
  ])('%s is taken without a word', (_name, change) => {
    expect(judge(change)).toEqual([]);
  });

  test.each<[string, Partial<VersionQuestion>, RegExp]>([
    ['another system', { candidate: { id: 'other', version: '0.1' } }, /another system \(other\).*\(demo\)/],
    ['without a version', { candidate: { id: 'demo', version: undefined } }, /names no version, and 1\.0 is installed/],
    ['older, allowed', { ...older, allowDowngrade: true }, /version 0\.9 is older than 1\.0/],
  ])('%s is taken, and that is said', (_name, change, text) => {
    expect(judge(change)).toEqual([expect.stringMatching(text)]);
  });

  test.each<[string, Partial<VersionQuestion>, RegExp, RegExp]>([
    ['older', older, /the image is version 0\.9, and 1\.0 is installed$/, /--allow-downgrade/],
    [
      'older, where the policy lets none in',
      { ...older, allowDowngrade: true, provenance: strict },
      /policy\.yaml:3 \(os\) lets no older one in/,
      /rollback/,
    ],
    [
      'below the floor',
      { candidate: { id: 'demo', version: '1.4' }, allowDowngrade: true, provenance: floor },
      /wants version 1\.5 at least, and the image is 1\.4/,
      /os-release/,
    ],
    [
      'without a version, with a floor',
      { candidate: { id: 'demo', version: undefined }, provenance: floor },
      /the image names no version/,
      /os-release/,
    ],
  ])('%s is refused', (_name, change, message, hint) => {
    let error: unknown;
    try {
      judge(change);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({
      code: 'HF-TRUST',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  test('a floor counts on an empty disk too', () => {
    expect(() => judge({ installed: undefined, candidate: { id: 'demo', version: '1.0' }, provenance: floor })).toThrow(
      '1.5',
    );
  });
});
