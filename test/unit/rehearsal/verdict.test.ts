// What a rehearsed system writes of itself is input of somebody who isn't trusted yet.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseVerdict } from '../../../src/rehearsal/verdict.ts';
import { HoldfastError } from '../../../src/system/errors.ts';

const good = {
  version: 1,
  startup: { name: 'startup', outcome: 'ok', message: '' },
  units: [{ name: 'web.service', outcome: 'failed', message: 'it has failed', outputTail: 'port in use' }],
  checks: [],
  startupMs: 900,
  notices: [],
};

describe('what a rehearsed system says of itself', () => {
  test('is read field by field', () => {
    expect(parseVerdict(JSON.stringify(good))).toEqual(good);
  });

  test.each([
    ['no JSON', 'hello', /is no JSON/],
    ['another version', JSON.stringify({ ...good, version: 2 }), /version/],
    ['an unknown outcome', JSON.stringify({ ...good, checks: [{ ...good.units[0], outcome: 'fine' }] }), /checks\.0/],
    ['too many findings', JSON.stringify({ ...good, units: Array(1001).fill(good.units[0]) }), /units/],
  ])('%s is refused with what is wrong', (_, text, message) => {
    expect(() => parseVerdict(text)).toThrow(message);
  });

  test('long texts are cut', () => {
    const verdict = parseVerdict(JSON.stringify({ ...good, notices: ['x'.repeat(5000)] }));
    expect(verdict.notices[0]).toHaveLength(1000);
  });

  test('whatever it is, the answer is a verdict or a HoldfastError', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
        (text) => {
          try {
            parseVerdict(text);
          } catch (error) {
            expect(error).toBeInstanceOf(HoldfastError);
          }
        },
      ),
    );
  });
});
