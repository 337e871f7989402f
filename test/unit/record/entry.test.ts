// Entries: what is written is read back the same, what is damaged or strange is none, and nothing gets too large or keeps a
// secret.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boundEntry, LIMITS, MAX_ENTRY_BYTES } from '../../../src/record/bound-entry.ts';
import { newEntryId, type RecordEntry } from '../../../src/record/entry.ts';
import { parseEntry } from '../../../src/record/parse-entry.ts';

const ENTRY: RecordEntry = {
  id: 'abcd2345',
  kind: 'action',
  name: 'upgrade',
  startedAt: '2026-01-02T03:04:05.000Z',
  endedAt: '2026-01-02T03:05:05.000Z',
  durationMs: 60_000,
  bootId: '0123abcd',
  uptimeSeconds: 123.4,
  outcome: 'refused',
  by: { user: 'ann', command: 'holdfast upgrade', pid: 12, from: 'shell' },
  slot: { name: 'active', uuid: 'u', digest: 'sha256:1' },
  message: 'Upgrade to v2',
  steps: [
    {
      stage: 'after-upgrade-chroot',
      file: '/oem/90.yaml',
      line: 3,
      name: 'Install',
      definition: 'sha256:2',
      outcome: 'failed',
      message: 'commands: sh failed with status 1',
      outputTail: 'E: no such package',
      durationMs: 4,
    },
  ],
  furtherSteps: 2,
  warnings: ['one'],
  error: { code: 'HF-HOOK', message: 'hook failed', exitStatus: 39, outputTail: 'E: no such package' },
  durations: [{ action: 'unpack', durationMs: 5000, bytes: 1 << 20 }],
  times: 3,
};

test('an entry comes back as it was', () => {
  expect(parseEntry(JSON.stringify(boundEntry(ENTRY)))).toEqual(ENTRY);
  expect(parseEntry(JSON.stringify({ ...ENTRY, kind: 'hook', parent: 'abcd2346' }))).toMatchObject({
    parent: 'abcd2346',
  });
});

test.each<[string, unknown]>([
  ['no object', 7],
  ['a list', [ENTRY]],
  ['no id', { ...ENTRY, id: undefined }],
  ['an id that is a path', { ...ENTRY, id: '../../x' }],
  ['a kind that nobody knows', { ...ENTRY, kind: 'miracle' }],
  ['an outcome that nobody knows', { ...ENTRY, outcome: 'fine' }],
  ['no name', { ...ENTRY, name: 3 }],
])('%s is no entry', (_, value) => {
  expect(parseEntry(JSON.stringify(value))).toBeUndefined();
});

test('parts that don’t fit are left out, the rest is read', () => {
  const strange = {
    ...ENTRY,
    parent: '/etc',
    steps: [{ file: 1 }, ENTRY.steps?.[0], 'x'],
    by: { user: 'ann' },
    durations: 'many',
    warnings: [1, 'two'],
    durationMs: -4,
  };
  const { parent, by, durations, durationMs, steps, warnings } = parseEntry(JSON.stringify(strange)) ?? {};
  expect({ parent, by, durations, durationMs }).toEqual({});
  expect({ steps, warnings }).toEqual({ steps: ENTRY.steps, warnings: ['two'] });
});

test('any text is parsed to an entry or to none', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseEntry(text)?.id ?? '22222222').toMatch(/^[2-9a-z]{8}$/);
    }),
  );
});

test('ids are ids', () => {
  for (let count = 0; count < 100; count += 1) {
    expect(parseEntry(JSON.stringify({ ...ENTRY, id: newEntryId() }))).toBeDefined();
  }
});

describe('bounds', () => {
  // A few letters many times: long texts are slow to make.
  const texts = fc.tuple(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.nat(700)).map(([text, n]) => text.repeat(n));
  const steps = fc.array(
    fc.record({
      file: texts,
      line: fc.nat(),
      outcome: fc.constantFrom('ok' as const, 'failed' as const),
      message: texts,
      outputTail: texts,
    }),
    { maxLength: 150 },
  );

  test('whatever an entry holds, it is small enough, and still the same entry', () => {
    fc.assert(
      fc.property(texts, texts, steps, fc.array(texts, { maxLength: 60 }), (name, message, all, warnings) => {
        const bounded = boundEntry({ ...ENTRY, name, message, steps: all, warnings, furtherSteps: 0 });
        expect(Buffer.byteLength(JSON.stringify(bounded))).toBeLessThanOrEqual(MAX_ENTRY_BYTES);
        expect(parseEntry(JSON.stringify(bounded))).toMatchObject({ id: ENTRY.id, outcome: 'refused' });
        expect((bounded.steps ?? []).length + (bounded.furtherSteps ?? 0)).toBe(all.length);
      }),
      { numRuns: 30 },
    );
  });

  test('the step that failed stays when hundreds went well, with the end of its output', () => {
    const well = Array.from({ length: 300 }, (_, line) => ({
      file: `/oem/${'long-name-'.repeat(9)}.yaml`,
      line,
      outcome: 'ok' as const,
      message: 'x'.repeat(200),
    }));
    const broken = {
      file: '/oem/99.yaml',
      line: 1,
      outcome: 'failed' as const,
      outputTail: `${'-'.repeat(9000)}the end`,
    };
    const bounded = boundEntry({ ...ENTRY, steps: [broken, ...well], furtherSteps: 0 });
    expect(bounded.steps?.find(({ outcome }) => outcome === 'failed')?.outputTail).toMatch(/the end$/);
    expect(bounded.furtherSteps).toBeGreaterThanOrEqual(301 - LIMITS.steps);
  });

  test('secrets go, wherever they are', () => {
    const secret = 'hunter2hunter2';
    const bounded = boundEntry({
      ...ENTRY,
      name: `run --password=${secret}`,
      by: { user: 'ann', command: `holdfast pull https://ann:${secret}@example.org/x`, pid: 1, from: 'shell' },
      message: `token: ${secret}`,
      warnings: [`password=${secret}`],
      error: { message: `api_key=${secret}`, outputTail: `Authorization: Bearer ${secret}` },
      steps: [{ file: 'a', line: 1, outcome: 'failed', message: `passwd: ${secret}`, outputTail: `secret=${secret}` }],
    });
    expect(JSON.stringify(bounded)).not.toContain(secret);
    // Also one that stands where the text is cut.
    const long = `${'x'.repeat(LIMITS.message - 12)} password=${secret}`;
    expect(JSON.stringify(boundEntry({ ...ENTRY, message: long }))).not.toContain('hunter2');
  });
});
