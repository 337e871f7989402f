// What the owner changes is written to the record at once, and a record that can't be written is told.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type NoteChangeOptions, noteChange } from '../../../src/cli/note-change.ts';
import { createReporter } from '../../../src/cli/reporter.ts';
import { readSpool } from '../../../src/record/spool.ts';
import type { Event } from '../../../src/system/events.ts';

let base: string;
let told: Event[];
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-note-'));
  told = [];
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const note = (options: NoteChangeOptions) => {
  const reporter = { ...createReporter({ quiet: true }), events: (event: Event) => void told.push(event) };
  const commandLine = 'holdfast run --token=abcdefgh -- true';
  return noteChange({ commandLine, reporter }, 'Command true added', { spoolDirectory: join(base, 'run'), ...options });
};

test('the change waits when the record is written, so that it is in it', async () => {
  const seen: unknown[] = [];
  await note({
    flush: async (command) => {
      seen.push(command, ...readSpool(join(base, 'run')).entries);
      return { outcome: 'ok', written: 1 };
    },
  });
  expect(seen).toMatchObject([
    'holdfast run --token=*** -- true',
    { kind: 'owner', name: 'run --token=*** -- true', outcome: 'ok', message: 'Command true added' },
  ]);
  expect(told).toEqual([]);
});

test('what another action will write at its end is no warning', async () => {
  await note({ flush: async () => ({ outcome: 'locked', written: 0 }) });
  expect(told).toEqual([]);
  expect(readSpool(join(base, 'run')).entries).toHaveLength(1);
});

test('a record that can’t be written is a warning, and the change goes on waiting', async () => {
  await note({ flush: () => Promise.reject(new Error('no COS_STATE')) });
  expect(told).toEqual([
    {
      type: 'notice',
      level: 'warning',
      text: 'the record could not be written, this change waits for it in /run: no COS_STATE',
    },
  ]);
  expect(readSpool(join(base, 'run')).entries).toHaveLength(1);
});

test('what can’t even wait is missing in the history', async () => {
  writeFileSync(join(base, 'run'), '');
  await note({ flush: () => Promise.reject(new Error('not reached')) });
  expect(told).toMatchObject([{ text: expect.stringMatching(/^this change is missing in the history: /) }]);
});
