// Files that are replaced as a whole, beside names that others have planted or that leave no room for a second one.

import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { writeFileDurably } from '../../../src/system/durable.ts';

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-durable-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

it.each(['a'.repeat(255), 'é'.repeat(127)])('a name as long as names may be is written', (name) => {
  const path = directory();
  writeFileDurably(join(path, name), 'content');
  expect(readdirSync(path)).toEqual([name]);
  expect(readFileSync(join(path, name), 'utf8')).toBe('content');
});

it('a link that was planted under the name of the temporary file leads nowhere', () => {
  const path = directory();
  writeFileSync(join(path, 'other'), 'kept');
  symlinkSync('other', join(path, `file.${process.pid}.tmp`));
  writeFileDurably(join(path, 'file'), 'content');
  expect(readFileSync(join(path, 'other'), 'utf8')).toBe('kept');
  expect(readdirSync(path)).toEqual(['file', 'other']);
});
