// What is remembered of images that failed: bounded, one entry per image, and empty when the file is damaged.

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { refuseFailedImage } from '../../../src/lifecycle/assessment.ts';
import {
  ASSESSMENT_RECORD,
  type FailedImage,
  MAX_FAILED,
  readAssessmentRecord,
  withFailure,
  withoutFailure,
  writeAssessmentRecord,
} from '../../../src/lifecycle/assessment-record.ts';

let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'holdfast-record-'));
});
afterEach(() => rmSync(state, { recursive: true }));

const FAILED: FailedImage = {
  uuid: 'u2',
  digest: 'sha256:two',
  source: 'docker:example.org/demo:2',
  name: 'Demo 2',
  failedAt: '2026-01-02T03:04:05.000Z',
  reason: 'the check /oem/health.d/web failed',
  checks: [{ name: '/oem/health.d/web', message: 'status 1', outputTail: 'no answer' }],
};

test('what is written is read again, and only root may read it', () => {
  const record = {
    pending: {
      uuid: 'u3',
      source: 'dir:/x',
      since: '2026-01-03T00:00:00.000Z',
      failedUnits: ['a.service'],
      postponed: 0,
    },
    failed: [FAILED],
  };
  writeAssessmentRecord(state, record);
  expect(readAssessmentRecord(state)).toEqual({ record });
  expect(statSync(join(state, ASSESSMENT_RECORD)).mode & 0o777).toBe(0o600);
});

test('no file is no failure, a damaged one says so', () => {
  expect(readAssessmentRecord(state)).toEqual({ record: { failed: [] } });
  writeFileSync(join(state, ASSESSMENT_RECORD), '{"failed": [{}');
  expect(readAssessmentRecord(state)).toEqual({
    record: { failed: [] },
    problem: expect.stringContaining('counts as empty'),
  });
});

test('an image has one entry, the newest failure first, and no more than eight are kept', () => {
  let record = withFailure({ failed: [] }, FAILED);
  for (let number = 0; number < 20; number++) {
    record = withFailure(record, { ...FAILED, uuid: `n${number}`, digest: `sha256:n${number}` });
  }
  expect(record.failed).toHaveLength(MAX_FAILED);
  expect(record.failed[0]?.uuid).toBe('n19');
  // Deployed again it has another UUID, and the same digest.
  record = withFailure(record, { ...FAILED, uuid: 'again', digest: 'sha256:n17' });
  expect(record.failed.map(({ uuid }) => uuid).slice(0, 4)).toEqual(['again', 'n19', 'n18', 'n16']);
  expect(withoutFailure(record, { uuid: 'another', digest: 'sha256:n17' }).failed[0]?.uuid).toBe('n19');
});

test('texts are cut so that the file stays small', () => {
  const long = 'x'.repeat(100_000);
  const checks = Array.from({ length: 50 }, () => ({ name: 'a', message: long, outputTail: `${long}end` }));
  writeAssessmentRecord(state, withFailure({ failed: [] }, { ...FAILED, reason: long, checks }));
  const [failure] = readAssessmentRecord(state).record.failed;
  expect(failure?.checks).toHaveLength(16);
  expect(failure?.checks[0]?.outputTail?.endsWith('end')).toBe(true);
  expect(statSync(join(state, ASSESSMENT_RECORD)).size).toBeLessThan(100_000);
});

test('an image that has failed is refused with when and why, until it is forced', () => {
  const image = { digest: 'sha256:two', source: 'docker:example.org/demo:2' };
  expect(() => refuseFailedImage({ failed: [FAILED] }, image, { force: false })).toThrow(
    /did not prove itself on this machine on 2026-01-02T03:04:05.000Z: the check \/oem\/health.d\/web failed/,
  );
  expect(() => refuseFailedImage({ failed: [FAILED] }, image, { force: true })).not.toThrow();
  expect(() =>
    refuseFailedImage({ failed: [FAILED] }, { ...image, digest: 'sha256:x' }, { force: false }),
  ).not.toThrow();
  // A directory has no digest to be known by.
  expect(() =>
    refuseFailedImage({ failed: [FAILED] }, { ...image, digest: undefined }, { force: false }),
  ).not.toThrow();
});

test('a local change that failed its trial says nothing of the image: an upgrade may bring it again', () => {
  const { digest, ...change } = FAILED;
  const image = { digest, source: FAILED.source };
  const record = withFailure({ failed: [] }, change);
  expect(() => refuseFailedImage(record, image, { force: false })).not.toThrow();
  expect(() => refuseFailedImage(withFailure(record, FAILED), image, { force: false })).toThrow('did not prove itself');
});
