// The record on a disk that is full: once it is there it is written to all the same, on each of the file systems that a state
// partition has; where it isn't there yet that is said, and what happened goes on waiting. About five seconds.

import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newEntryId, type RecordEntry } from '../../../src/record/entry.ts';
import { RECORD_FILE, readRecord, writeRecord } from '../../../src/record/record.ts';
import { readSpool, spoolEntry } from '../../../src/record/spool.ts';
import { errnoOf } from '../../../src/system/errors.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { runChecked } from '../../../src/system/process.ts';

let base: string;
let state: string;
let spoolDirectory: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-record-'));
  state = join(base, 'state');
  spoolDirectory = join(base, 'run');
  mkdirSync(state);
});
afterEach(async () => {
  await unmount(state);
  rmSync(base, { recursive: true, force: true });
});

const entry = (name: string): RecordEntry => ({
  id: newEntryId(),
  kind: 'action',
  name,
  startedAt: '2026-01-02T03:04:05.000Z',
  outcome: 'ok',
  message: 'x'.repeat(900),
});

/** Writes until nothing more goes in, by small pieces at the end. */
function fill(): void {
  const fd = openSync(join(state, 'filler'), 'w');
  for (const size of [1 << 20, 4096, 1]) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(size, 'x'));
    } catch (error) {
      if (errnoOf(error) !== 'ENOSPC') throw error;
    }
  }
  closeSync(fd);
}

describe.each([
  ['ext4', 24, ['mkfs.ext4', '-q', '-F', '-m', '0']],
  ['xfs', 320, ['mkfs.xfs', '-q', '-f', '-m', 'reflink=1']],
] as const)('a full %s', (_, mib, [program, ...args]) => {
  beforeEach(async () => {
    const disk = join(base, 'disk.img');
    writeFileSync(disk, '');
    truncateSync(disk, mib * 2 ** 20);
    await runChecked([program, ...args, disk]);
    await mount(disk, state, { options: ['loop'] });
  });

  test('what happens is recorded, more than the record holds', () => {
    writeRecord(state, [entry('install')], { spoolDirectory });
    fill();
    const { ino, size } = statSync(join(state, RECORD_FILE));
    for (let round = 0; round < 6; round += 1) {
      writeRecord(
        state,
        Array.from({ length: 1000 }, () => entry(`upgrade ${round}`)),
        { spoolDirectory },
      );
    }
    const { entries, problems } = readRecord({ stateDirectory: state, spoolDirectory });
    expect(problems).toEqual([]);
    expect(entries.length).toBeGreaterThan(3000);
    expect(new Set(entries.slice(-1000).map(({ name }) => name))).toEqual(new Set(['upgrade 5']));
    expect(statSync(join(state, RECORD_FILE))).toMatchObject({ ino, size });
  });

  test('without a record there is none: that is said, nothing is left behind, and it is recorded when there is room', () => {
    spoolEntry(entry('upgrade'), { directory: spoolDirectory });
    mkdirSync(join(state, 'holdfast'));
    fill();
    expect(() => writeRecord(state, [], { spoolDirectory })).toThrow(
      expect.objectContaining({
        code: 'HF-NO-SPACE',
        message: 'there is no room for the record of this machine (4 MiB)',
      }),
    );
    expect(readSpool(spoolDirectory).entries).toHaveLength(1);
    expect(readRecord({ stateDirectory: state, spoolDirectory }).entries).toHaveLength(1);
    rmSync(join(state, 'filler'));
    expect(writeRecord(state, [], { spoolDirectory })).toBe(1);
    expect(readSpool(spoolDirectory).entries).toEqual([]);
  });
});
