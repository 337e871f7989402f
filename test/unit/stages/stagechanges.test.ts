// What the stages of a boot wrote, as it is kept in /run: the last writer counts, and whatever is in a file, reading it goes well.

import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StageResult } from '../../../src/stages/result.ts';
import { noteChanges, readChanges } from '../../../src/stages/stagechanges.ts';
import type { BootStage } from '../../../src/stages/stagerecord.ts';

const AT = '2026-11-20T10:00:00.000Z';
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stage-changes-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function result(steps: readonly { line: number; changedFiles: readonly string[] }[]): StageResult {
  return {
    stage: 'boot',
    outcome: 'ok',
    problems: [],
    durationMs: 1,
    steps: steps.map((step) => ({
      subStage: 'boot',
      file: '/oem/a.yaml',
      column: 1,
      definition: 'sha256:0',
      outcome: 'ok' as const,
      keys: [],
      durationMs: 1,
      ...step,
    })),
  };
}

function note(stage: BootStage, ...steps: { line: number; changedFiles: readonly string[] }[]): void {
  noteChanges(stage, result(steps), AT, directory);
}

const lines = () => [...readChanges(directory)].map(([path, { line }]) => `${path} ${line}`).sort();

test('of two steps, two runs and two stages that wrote a path the last one counts, and the others keep theirs', () => {
  note('initramfs', { line: 1, changedFiles: ['/etc/a', '/etc/b'] }, { line: 2, changedFiles: ['/etc/b'] });
  note('boot', { line: 3, changedFiles: ['/etc/c'] });
  note('boot', { line: 4, changedFiles: ['/etc/a'] });
  expect(lines()).toEqual(['/etc/a 4', '/etc/b 2', '/etc/c 3']);
});

test('a stage that wrote nothing leaves no file, and only root may read one', () => {
  note('fs', { line: 1, changedFiles: [] });
  expect(readdirSync(directory)).toEqual([]);
  note('boot', { line: 1, changedFiles: ['/etc/a'] });
  expect(readdirSync(directory)).toEqual(['boot.changes']);
  expect(statSync(join(directory, 'boot.changes')).mode & 0o777).toBe(0o600);
});

test('a stage that writes without end keeps what it wrote last', () => {
  note('boot', { line: 1, changedFiles: Array.from({ length: 6000 }, (_, index) => `/etc/${index}`) });
  expect(readChanges(directory).size).toBe(5000);
  expect(readChanges(directory).has('/etc/5999')).toBe(true);
});

test('whatever is in a file, what can be read of it is read', () => {
  const good = JSON.stringify({ path: '/x', stage: 'boot', file: 'f', line: 1, definition: 'd', at: AT });
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.json()).map((text) => text.replaceAll('\n', ' '))), (noise) => {
      writeFileSync(join(directory, 'boot.changes'), [...noise, good].join('\n'));
      const found = readChanges(directory);
      expect(found.get('/x')).toMatchObject({ stage: 'boot', line: 1 });
      expect([...found.keys()].every((path) => path.startsWith('/'))).toBe(true);
    }),
  );
});
