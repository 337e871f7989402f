// What `holdfast history` prints: one line for each thing that happened, the stages of a good boot together, and all of one
// entry with the parts that belong to it.

import { describe, expect, test } from 'vitest';
import { findEntry, listOf } from '../../../src/cli/history.ts';
import { entryLines, historyLines } from '../../../src/cli/history-lines.ts';
import type { RecordEntry } from '../../../src/record/entry.ts';
import { PLAIN } from '../../../src/system/paint.ts';

const entry = (changes: Partial<RecordEntry> = {}): RecordEntry => ({
  id: 'upgr2222',
  kind: 'action',
  name: 'upgrade',
  startedAt: '2026-01-02T03:04:05.678Z',
  bootId: '0123abcd',
  outcome: 'ok',
  by: { user: 'ann', command: 'holdfast upgrade v2', pid: 7, from: 'shell' },
  message: 'Upgrade to v2',
  ...changes,
});
const stage = (name: string, changes: Partial<RecordEntry> = {}): RecordEntry => {
  const by = { user: 'root', command: `holdfast run-stage --boot ${name}`, pid: 1, from: 'boot' as const };
  return entry({
    id: `${name}222222`.slice(0, 8),
    kind: 'stage',
    name,
    by,
    message: undefined,
    ...changes,
  } as RecordEntry);
};
const show = (entries: RecordEntry[], wish: Partial<Parameters<typeof historyLines>[1]> = {}) =>
  historyLines(entries, { all: false, failed: false, last: 0, ...wish }, PLAIN);

describe('the list', () => {
  test('an action is a line with its id, when, how it ended, why, and who asked', () => {
    expect(show([entry()])).toEqual([
      'upgr2222  2026-01-02 03:04:05  ok             upgrade - Upgrade to v2 [ann, shell]',
    ]);
    const error = { code: 'HF-HOOK', message: 'hook failed', exitStatus: 39 };
    expect(show([entry({ outcome: 'refused', error })])).toEqual([
      'upgr2222  2026-01-02 03:04:05  REFUSED        upgrade - hook failed [ann, shell]',
    ]);
  });

  test('stages of one boot that went well are one line, with how often; another boot has its own', () => {
    const first = [stage('fs'), stage('boot', { outcome: 'skipped' }), stage('reconcile', { times: 5 })];
    expect(show([...first, stage('fs', { bootId: 'ffffffff' })])).toEqual([
      '          2026-01-02 03:04:05  ok             boot: fs, boot, reconcile (5 times)',
      'fs222222  2026-01-02 03:04:05  ok             stage fs',
    ]);
  });

  test('what went wrong again in the same way shows when it last did', () => {
    const again = { outcome: 'refused', times: 3, endedAt: '2026-01-02T05:00:00Z', message: 'no room' } as const;
    expect(show([entry(again)])).toEqual([
      'upgr2222  2026-01-02 05:00:00  REFUSED        upgrade (3 times since 2026-01-02 03:04:05) - no room [ann, shell]',
    ]);
  });

  test('a stage that failed has a line of its own, with file and line', () => {
    const steps = [{ file: '/oem/90.yaml', line: 4, outcome: 'failed' as const, message: 'commands: no' }];
    expect(show([stage('fs'), stage('boot', { outcome: 'failed', steps })])[1]).toBe(
      'boot2222  2026-01-02 03:04:05  FAILED         stage boot - /oem/90.yaml:4 commands: no',
    );
  });

  test.each([
    ['parts are left out', {}, 1],
    ['--all shows them', { all: true }, 2],
    ['--failed shows those only', { failed: true }, 0],
    ['--last counts lines', { all: true, last: 1 }, 1],
  ])('%s', (_, wish, count) => {
    const hook = entry({ id: 'hook2222', kind: 'hook', name: 'after-upgrade', parent: 'upgr2222' });
    expect(show([entry(), hook], wish)).toHaveLength(count);
  });

  test('what anybody wrote stays in its line', () => {
    const [line, ...others] = show([entry({ message: 'a\nb\u001b[2J\u202e', name: 'x\r' })]);
    expect(others).toEqual([]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is asked
    expect(line).not.toMatch(/[\u0000-\u001f\u202e]/);
  });
});

test('one entry: everything, with its parts', () => {
  const upgrade = entry({
    outcome: 'refused',
    endedAt: '2026-01-02T03:05:05.678Z',
    durationMs: 60_000,
    uptimeSeconds: 99,
    slot: { name: 'active', uuid: 'u1', digest: 'sha256:aa' },
    error: {
      code: 'HF-HOOK',
      message: 'hook after-upgrade-chroot failed',
      exitStatus: 39,
      outputTail: 'E: no\nE: such',
    },
    warnings: ['a warning'],
    durations: [
      { action: 'unpack', durationMs: 4200, bytes: 3 << 20 },
      { action: 'activate', durationMs: 3 },
    ],
  });
  const hook = stage('after-upgrade-chroot', {
    id: 'hook2222',
    kind: 'hook',
    parent: 'upgr2222',
    outcome: 'failed',
    furtherSteps: 3,
    steps: [
      {
        stage: 'after-upgrade-chroot',
        file: '/oem/90.yaml',
        line: 4,
        name: 'Install vim',
        definition: 'sha256:0123456789abcdef0123',
        outcome: 'failed',
        message: 'packages: apt-get failed with status 100',
        outputTail: 'E: no',
      },
    ],
  });
  expect(entryLines(upgrade, [hook], PLAIN)).toMatchInlineSnapshot(`
    [
      "upgrade  REFUSED",
      "id         upgr2222, action",
      "began      2026-01-02T03:04:05.678Z, boot 0123abcd, 99 s after its start",
      "ended      2026-01-02T03:05:05.678Z (60.0 s)",
      "asked by   ann (shell, pid 7): holdfast upgrade v2",
      "slot       active u1 sha256:aa",
      "what       Upgrade to v2",
      "error      hook after-upgrade-chroot failed [HF-HOOK, exit status 39]",
      "         | E: no",
      "         | E: such",
      "  ! a warning",
      "     4.2 s  unpack, 3.0 MiB",
      "",
      "FAILED         hook after-upgrade-chroot  hook2222",
      "  FAILED /oem/90.yaml:4 "Install vim" (after-upgrade-chroot) sha256:0123456789ab",
      "         packages: apt-get failed with status 100",
      "         | E: no",
      "  3 more steps were skipped or are not listed",
    ]
  `);
});

describe('finding one', () => {
  const all = [entry({ id: 'abcd2222' }), entry({ id: 'abce2222' })];
  const whole = { entries: all, problems: [] };
  test('by its id or the beginning of it', () => {
    expect(findEntry(whole, 'abcd2222').id).toBe('abcd2222');
    expect(findEntry(whole, 'abce').id).toBe('abce2222');
  });
  test.each([
    ['abc', '2 entries begin with "abc"'],
    ['zzz', 'nothing with the id "zzz" is recorded'],
    ['', 'nothing with the id "" is recorded'],
  ])('%j: %s', (wanted, message) => {
    expect(() => findEntry(whole, wanted)).toThrow(message);
  });

  test('what can’t be read may have it', () => {
    const part = { entries: all, problems: ['only what waits to be written is shown: no COS_STATE'] };
    expect(findEntry(part, 'abce').id).toBe('abce2222');
    expect(() => findEntry(part, 'zzz')).toThrow(
      expect.objectContaining({ code: 'HF-STATE', message: 'what is recorded with the id "zzz" can\'t be told' }),
    );
  });
});

describe('as data', () => {
  const hook = entry({ id: 'hook2222', kind: 'hook', outcome: 'failed', parent: 'upgr2222' });
  const entries = [stage('fs'), stage('boot'), entry({ outcome: 'refused' }), hook, entry({ id: 'good2222' })];
  const ids = (flags: Parameters<typeof listOf>[1], last = 30) =>
    listOf({ entries, problems: [] }, flags, last, PLAIN).entries.map(({ id }) => id);

  test.each<[string, Parameters<typeof listOf>[1], number, string[]]>([
    ['everything', {}, 30, entries.map(({ id }) => id)],
    ['--failed', { failed: true }, 30, ['upgr2222']],
    ['--failed --all', { failed: true, all: true }, 30, ['upgr2222', 'hook2222']],
    ['--last counts lines', { last: '3' }, 3, ['fs222222', 'boot2222', 'upgr2222', 'good2222']],
    ['--last --all', { last: '2', all: true }, 2, ['hook2222', 'good2222']],
    ['--last 0', { last: '0', failed: true }, 0, ['upgr2222']],
  ])('%s', (_, flags, last, expected) => {
    expect(ids(flags, last)).toEqual(expected);
  });

  test('that nothing is recorded is said only of a record that was read', () => {
    const lines = (problems: string[]) => listOf({ entries: [], problems }, {}, 30, PLAIN).lines;
    expect(lines([])).toEqual(['Nothing of this kind is recorded.']);
    expect(lines(['no COS_STATE'])).toEqual(['Nothing of this kind is known.']);
  });
});
