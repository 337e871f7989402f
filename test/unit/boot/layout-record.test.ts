// The record of the layout: read back as it was written, and damaged ones are said to be.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type LayoutRecord,
  parseLayoutRecord,
  readLayoutRecord,
  writeLayoutRecord,
} from '../../../src/boot/layout-record.ts';
import { Root } from '../../../src/system/root.ts';

const record: LayoutRecord = {
  version: 1,
  outcome: 'ok',
  notices: ['LABEL=COS_PERSISTENT was not found; /usr/local is not kept over a reboot'],
  mounts: [{ path: '/etc', kind: 'overlay', source: 'overlay', persistent: false }],
  durationMs: 12,
};

test('what is written is read back, and nothing else is left', () => {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-record-'));
  try {
    const directory = join(root, 'run/holdfast');
    writeLayoutRecord(directory, { ...record, outcome: 'failed' });
    writeLayoutRecord(directory, record);
    expect(readLayoutRecord(new Root(root))).toEqual(record);
    expect(readdirSync(directory)).toEqual(['layout.json']);
    expect(readFileSync(join(directory, 'layout.json'), 'utf8')).toMatch(/\n$/);
    rmSync(join(root, 'run'), { recursive: true });
    expect(readLayoutRecord(new Root(root))).toBeUndefined();
  } finally {
    rmSync(root, { recursive: true });
  }
});

test.each([
  ['', 'its record is damaged'],
  ['{"version":1,"outcome":"ok"', 'its record is damaged'],
  ['{"version":2}', 'its record is not one of this version'],
  ['{"version":1,"outcome":"ok","notices":[1],"mounts":[]}', 'its record is not one of this version'],
  ['{"version":1,"outcome":"ok","notices":[],"mounts":[null]}', 'its record is not one of this version'],
  ['null', 'its record is not one of this version'],
])('%j is a failed layout: %s', (text, reason) => {
  expect(parseLayoutRecord(text)).toEqual({
    version: 1,
    outcome: 'failed',
    reason,
    notices: [],
    mounts: [],
    durationMs: 0,
  });
});

test('any text gives a record', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parseLayoutRecord(text).version === 1));
});
