// The line merge: its laws on generated texts, diff3(1)'s own opinion, and the limits that hostile texts run into.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { equalLines, linesOf } from '../../../../src/overlay/merge/lines.ts';
import { MAX_MERGE_BYTES, mergeText } from '../../../../src/overlay/merge/text.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');
const merge = (base: string, ours: string, theirs: string) => {
  const result = mergeText(bytes(base), bytes(ours), bytes(theirs));
  return result.outcome === 'merged' ? Buffer.from(result.content).toString('latin1') : result;
};

describe('a merge of three texts', () => {
  it.each([
    ['changes of one side are taken', 'a\nb\nc\n', 'a\nB\nc\n', 'a\nb\nc\n', 'a\nB\nc\n'],
    [
      'changes of both at different places are taken',
      'a\nb\nc\nd\ne\n',
      'A\nb\nc\nd\ne\n',
      'a\nb\nc\nd\nE\n',
      'A\nb\nc\nd\nE\n',
    ],
    ['the same change of both is taken once', 'a\nb\n', 'a\nx\nb\n', 'a\nx\nb\n', 'a\nx\nb\n'],
    ['a removed and an added line', 'a\nb\nc\nd\n', 'b\nc\nd\n', 'a\nb\nc\nd\nnew\n', 'b\nc\nd\nnew\n'],
    ['a last line without a line break', 'a\nb\nc', 'a\nb\nC', 'x\na\nb\nc', 'x\na\nb\nC'],
    ['bytes that are no UTF-8', 'a\n\xff\nc\n', 'a\n\xff\nc\nd\n', '\xfe\n\xff\nc\n', '\xfe\n\xff\nc\nd\n'],
    [
      'carriage returns belong to their lines',
      'a\r\nb\r\nc\r\n',
      'a\r\nb\r\nC\r\n',
      'x\r\nb\r\nc\r\n',
      'x\r\nb\r\nC\r\n',
    ],
    ['an empty base whose side was filled', '', 'a\n', '', 'a\n'],
  ])('%s', (_, base, ours, theirs, merged) => {
    expect(merge(base, ours, theirs)).toBe(merged);
    expect(merge(base, theirs, ours)).toBe(merged);
  });

  it.each([
    ['one line in two ways', 'a\nb\nc\n', 'a\nX\nc\n', 'a\nY\nc\n', [{ line: 2, count: 1 }]],
    ['changed here, removed there', 'a\nb\nc\n', 'a\nX\nc\n', 'a\nc\n', [{ line: 2, count: 1 }]],
    ['two additions at one place', 'a\nb\n', 'a\nx\nb\n', 'a\ny\nb\n', [{ line: 2, count: 0 }]],
    ['neighbouring lines', 'a\nb\nc\nd\n', 'a\nB\nc\nd\n', 'a\nb\nC\nd\n', [{ line: 2, count: 2 }]],
    [
      'two places',
      'a\nb\nc\n',
      '1\nb\n2\n',
      '3\nb\n4\n',
      [
        { line: 1, count: 1 },
        { line: 3, count: 1 },
      ],
    ],
  ])('nobody decides about %s', (_, base, ours, theirs, overlaps) => {
    expect(merge(base, ours, theirs)).toEqual({ outcome: 'overlap', overlaps });
    expect(merge(base, theirs, ours)).toEqual({ outcome: 'overlap', overlaps });
  });

  it.each([
    ['binary', 'a\0b', 'a', 'b'],
    ['too-large', 'a', 'b'.repeat(MAX_MERGE_BYTES + 1), 'c'],
    ['too-different', '', 'a\n'.repeat(3000), 'b\n'],
  ])('says why a text can’t be merged: %s', (reason, base, ours, theirs) => {
    expect(merge(base, ours, theirs)).toEqual({ outcome: 'unsuitable', reason });
  });

  it('takes bounded time and memory for a megabyte of lines that all differ', () => {
    const lines = (seed: number) => Array.from({ length: 200_000 }, (_, index) => `${(index * seed) % 7}\n`).join('');
    expect(merge(lines(3), lines(5), lines(2))).toEqual({ outcome: 'unsuitable', reason: 'too-different' });
  });
});

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { maxLength: 12 })
  .map((lines) => lines.map((line) => `${line}\n`).join(''));

describe('on generated texts', () => {
  it('a side that changed nothing takes all of the other’s changes', () => {
    fc.assert(
      fc.property(text, text, (base, changed) => {
        expect(merge(base, changed, base)).toBe(changed);
        expect(merge(base, base, changed)).toBe(changed);
        expect(merge(base, changed, changed)).toBe(changed);
      }),
    );
  });

  it('equal lines are equal, in order, and at least as many as a simple search finds', () => {
    fc.assert(
      fc.property(text, text, (one, other) => {
        const [before, after] = [linesOf(bytes(one)), linesOf(bytes(other))];
        const runs = equalLines(before, after) ?? [];
        let [x, y, total] = [0, 0, 0];
        for (const run of runs) {
          expect(run.before).toBeGreaterThanOrEqual(x);
          expect(run.after).toBeGreaterThanOrEqual(y);
          expect(before.slice(run.before, run.before + run.count)).toEqual(
            after.slice(run.after, run.after + run.count),
          );
          [x, y, total] = [run.before + run.count, run.after + run.count, total + run.count];
        }
        expect(total).toBe(longestCommon(before, after));
      }),
    );
  });

  describe('beside diff3', () => {
    let directory: string;
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'holdfast-diff3-'));
    });
    afterAll(() => rmSync(directory, { recursive: true, force: true }));

    it('what both call clean is the same text', () => {
      // Texts of lines that are all different: with repeated ones there are several right alignments.
      const unique = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { minLength: 3, maxLength: 15 });
      const edit = fc.array(
        fc.tuple(fc.nat(14), fc.constantFrom('drop', 'add', 'change'), fc.integer({ min: 100, max: 999 })),
        {
          maxLength: 3,
        },
      );
      let clean = 0;
      fc.assert(
        fc.property(unique, edit, edit, (lines, ourEdits, theirEdits) => {
          const base = lines.map((line) => `${line}\n`).join('');
          const [ours, theirs] = [applyEdits(lines, ourEdits), applyEdits(lines, theirEdits)];
          const files = Object.entries({ ours, base, theirs }).map(([name, content]) => {
            writeFileSync(join(directory, name), content);
            return join(directory, name);
          });
          const diff3 = spawnSync('diff3', ['--merge', ...files], { encoding: 'utf8' });
          const merged = merge(base, ours, theirs);
          if (diff3.status !== 0 || typeof merged !== 'string') return;
          clean += 1;
          expect(merged).toBe(diff3.stdout);
        }),
        { numRuns: 100 },
      );
      expect(clean).toBeGreaterThan(20);
    });
  });
});

type Edit = [number, string, number];

function applyEdits(lines: readonly number[], edits: readonly Edit[]): string {
  const edited = lines.map(String);
  for (const [at, kind, value] of edits) {
    const place = at % Math.max(1, edited.length);
    if (kind === 'add') edited.splice(place, 0, String(value));
    else edited.splice(place, 1, ...(kind === 'change' ? [String(value)] : []));
  }
  return edited.map((line) => `${line}\n`).join('');
}

function longestCommon(one: readonly string[], other: readonly string[]): number {
  let row = new Array<number>(other.length + 1).fill(0);
  for (const line of one) {
    const next = [0];
    for (const [index, candidate] of other.entries()) {
      next.push(line === candidate ? (row[index] ?? 0) + 1 : Math.max(row[index + 1] ?? 0, next[index] ?? 0));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
